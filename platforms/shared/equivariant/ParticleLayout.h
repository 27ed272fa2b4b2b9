// How particles lie in Items. Included inside a namespace after Items.h that also has Number and WIDTH: the
// numbers that a real holds, and how many. No include guard: each meaning of `real` includes it once.

/** The numbers that a real of either precision holds. */
template <class Real>
using NumberOf = std::conditional_t<std::is_same_v<Real, real>, Number, double>;

/**
 * Particles as items, with as many samples side by side as an item has numbers in each row; or the particles
 * of one sample side by side, COLUMNS to an item. Columns that are left over repeat the first particles, so
 * that they hold nothing unusual.
 */
class ParticleLayout {
public:
    /** How many numbers an item has in each row. */
    static constexpr int COLUMNS = STRIDE * WIDTH;
    ParticleLayout(int numParticles, bool isAcross) : numParticles(numParticles), across(isAcross) {}
    int getNumParticles() const { return numParticles; }
    /** Whether the particles of one sample are side by side. */
    bool isAcross() const { return across; }
    int getNumItems() const { return across ? (numParticles + COLUMNS - 1) / COLUMNS : numParticles; }
    /** Give particles what is known of their types, a table (types, rows). */
    void fillByType(Items& items, const std::vector<int>& types, const std::vector<Scalar>& table) const {
        const int rows = items.getNumRows();
        for (int i = 0; i < getNumItems(); i++)
            if (across)
                for (int c = 0; c < COLUMNS; c++) {
                    const Scalar* values = &table[(size_t)types[getParticle(i, c)] * rows];
                    for (int row = 0; row < rows; row++)
                        numbers(items, i, row)[c] = values[row];
                }
            else
                for (int k = 0; k < rows * STRIDE; k++)
                    items.item(i)[k] = real(table[(size_t)types[i] * rows + k / STRIDE]);
    }
    /** Set columns of vector v that are left over to zero. */
    template <class Real>
    Real dropRepeated(Real x, int v) const {
        if (across)
            for (int c = 0; c < WIDTH; c++)
                if (v % STRIDE * WIDTH + c >= countColumns(v / STRIDE))
                    ((NumberOf<Real>*)&x)[c] = NumberOf<Real>(0.0);
        return x;
    }

    // What follows is of particles side by side.

    /** Copy rows of the particles that are `offset` ahead of those of item i. */
    void copyAhead(const Items& from, int fromRow, int rows, int i, int offset, Items& to, int toRow,
                   int toItem) const {
        for (int c = 0; c < COLUMNS; c++) {
            const int particle = getParticle(i, c + offset), item = particle / COLUMNS;
            for (int row = 0; row < rows; row++)
                numbers(to, toItem, toRow + row)[c] = numbers(from, item, fromRow + row)[particle % COLUMNS];
        }
    }
    /** Add `factor` times rows of the particles of item i to those of the particles that are `offset` ahead.
     * Columns that are left over take no part. */
    void addAhead(const Items& from, int fromRow, int rows, int fromItem, double factor, Items& to, int toRow,
                  int i, int offset) const {
        for (int c = 0; c < countColumns(i); c++) {
            const int particle = getParticle(i, c + offset), item = particle / COLUMNS;
            for (int row = 0; row < rows; row++) {
                Number& sum = numbers(to, item, toRow + row)[particle % COLUMNS];
                sum = sum + Number(factor) * numbers(from, fromItem, fromRow + row)[c];
            }
        }
    }
    /** Make columns that are left over repeat the first particles. */
    template <class Array>
    void repeatParticles(Array& items) const {
        const int last = getNumItems() - 1;
        for (int c = countColumns(last); c < COLUMNS; c++) {
            const int particle = getParticle(last, c), item = particle / COLUMNS;
            for (int row = 0; row < items.getNumRows(); row++)
                numbers(items, last, row)[c] = numbers(items, item, row)[particle % COLUMNS];
        }
    }
    /** Get how many columns of item i are not left over. */
    int countColumns(int i) const { return std::min(COLUMNS, numParticles - i * COLUMNS); }
    template <class Array>
    static NumberOf<typename Array::Real>* numbers(Array& items, int item, int row) {
        return (NumberOf<typename Array::Real>*)&items.at(row, item * STRIDE);
    }
    template <class Array>
    static const NumberOf<typename Array::Real>* numbers(const Array& items, int item, int row) {
        return (const NumberOf<typename Array::Real>*)&items.at(row, item * STRIDE);
    }

private:
    /** The particle in a column of item i, or of those that follow. */
    int getParticle(int i, int column) const { return (i * COLUMNS + column) % numParticles; }
    int numParticles;
    bool across;
};
