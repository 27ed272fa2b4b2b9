// Arrays of the coupling flows. Included inside a namespace that has `real` and STRIDE. No include guard:
// each meaning of `real` includes it once.

/**
 * An array of items (particles, or pairs of them), each with rows of numbers for as many samples as STRIDE
 * reals hold. Vector v is real v % STRIDE of item v / STRIDE.
 */
class Items {
public:
    Items() : rows(0), items(0) {}
    Items(int rows, int items) : rows(rows), items(items), data((size_t)rows * items * STRIDE, real(0.0)) {}
    real& at(int row, int v) { return data[index(row, v)]; }
    const real& at(int row, int v) const { return data[index(row, v)]; }
    real* begin() { return data.data(); }
    const real* begin() const { return data.data(); }
    /** All numbers of an item, row by row. */
    real* item(int i) { return &data[(size_t)i * rows * STRIDE]; }
    const real* item(int i) const { return &data[(size_t)i * rows * STRIDE]; }
    void fill(double value) { std::fill(data.begin(), data.end(), real(value)); }
    int getNumRows() const { return rows; }
    int getNumItems() const { return items; }
    real3 point(int first, int v) const {
        return make_real3(at(first, v), at(first + 1, v), at(first + 2, v));
    }
    void setPoint(int first, int v, real3 r) {
        at(first, v) = r.x;
        at(first + 1, v) = r.y;
        at(first + 2, v) = r.z;
    }
    void addPoint(int first, int v, real3 r) { setPoint(first, v, point(first, v) + r); }

private:
    size_t index(int row, int v) const { return ((size_t)(v / STRIDE) * rows + row) * STRIDE + v % STRIDE; }
    int rows, items;
    std::vector<real> data;
};
