// Arrays of the coupling flows. Included inside a namespace that has `real`, STRIDE and a namespace `wide`:
// the shared maths in double precision at least, for as many samples. No include guard: each meaning of
// `real` includes it once.

/** A number in the other precision, if that is another one. */
template <class To, class From>
[[gnu::always_inline]] inline To convert(From x) {
    if constexpr (std::is_same_v<To, From>)
        return x;
    else
        return To(x);
}

/** The same of a vector, a real3 of either precision. */
template <class To, class From>
[[gnu::always_inline]] inline To convertVector(From r) {
    using Element = decltype(To::x);
    return {convert<Element>(r.x), convert<Element>(r.y), convert<Element>(r.z)};
}

/**
 * An array of items (particles, or pairs of them), each with rows of numbers for as many samples as STRIDE
 * reals hold. Vector v is real v % STRIDE of item v / STRIDE.
 */
template <class RealType, class PointType>
class ItemArray {
public:
    using Real = RealType;
    using Point = PointType;
    ItemArray() : rows(0), items(0) {}
    ItemArray(int rows, int items)
        : rows(rows), items(items), data((size_t)rows * items * STRIDE, Real(0.0)) {}
    Real& at(int row, int v) { return data[index(row, v)]; }
    const Real& at(int row, int v) const { return data[index(row, v)]; }
    Real* begin() { return data.data(); }
    const Real* begin() const { return data.data(); }
    /** All numbers of an item, row by row. */
    Real* item(int i) { return &data[(size_t)i * rows * STRIDE]; }
    const Real* item(int i) const { return &data[(size_t)i * rows * STRIDE]; }
    void fill(double value) { std::fill(data.begin(), data.end(), Real(value)); }
    /** Take the numbers of an array of the same size. */
    template <class Other>
    void assign(const Other& other) {
        std::transform(other.begin(), other.begin() + data.size(), data.begin(),
                       [](typename Other::Real x) { return convert<Real>(x); });
    }
    int getNumRows() const { return rows; }
    int getNumItems() const { return items; }
    Point point(int first, int v) const { return {at(first, v), at(first + 1, v), at(first + 2, v)}; }
    void setPoint(int first, int v, Point r) {
        at(first, v) = r.x;
        at(first + 1, v) = r.y;
        at(first + 2, v) = r.z;
    }
    void addPoint(int first, int v, Point r) { setPoint(first, v, point(first, v) + r); }

private:
    size_t index(int row, int v) const { return ((size_t)(v / STRIDE) * rows + row) * STRIDE + v % STRIDE; }
    int rows, items;
    std::vector<Real> data;
};

using Items = ItemArray<real, real3>;
using WideItems = ItemArray<wide::real, wide::real3>;
