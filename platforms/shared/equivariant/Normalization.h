// Layer normalisation (Ba, Kiros and Hinton 2016, arXiv 1607.06450), without a gain and an offset, which the
// layer that follows has. Included inside a namespace that has `real`, STRIDE and the shared maths, after
// Items.h. No include guard: each meaning of `real` includes it once.

/** Add up visit(k) of all reals k of an item, for each of STRIDE; two sums for each, since an addition waits
 * for the one before it. */
template <class Visit>
[[gnu::always_inline]] inline void sumRows(int rows, real* total, const Visit& visit) {
    real sums[2 * STRIDE];
    for (real& sum : sums)
        sum = real(0.0);
    int k = 0;
    for (; k + 2 * STRIDE <= rows * STRIDE; k += 2 * STRIDE)
        for (int h = 0; h < 2 * STRIDE; h++)
            sums[h] = sums[h] + visit(k + h);
    for (int h = 0; k < rows * STRIDE; k++, h++)
        sums[h] = sums[h] + visit(k);
    for (int h = 0; h < STRIDE; h++)
        total[h] = sums[h] + sums[STRIDE + h];
}

/** Find the mean of the rows of an item, given their sum in the same place, and the inverse of their standard
 * deviation. */
inline void measureRows(const real* x, int rows, real* mean, real* inverse) {
    const real inverseRows = real(1.0 / rows);
    for (int h = 0; h < STRIDE; h++)
        mean[h] = mean[h] * inverseRows;
    sumRows(rows, inverse, [&](int k) { return (x[k] - mean[k % STRIDE]) * (x[k] - mean[k % STRIDE]); });
    for (int h = 0; h < STRIDE; h++)
        inverse[h] = RSQRT(inverse[h] * inverseRows + real(1e-5));
}

inline void normalizeRows(const real* x, int rows, const real* mean, const real* inverse, real* y) {
    for (int k = 0; k < rows * STRIDE; k++)
        y[k] = (x[k] - mean[k % STRIDE]) * inverse[k % STRIDE];
}

/** Call add(k, worth) with what real k of the rows was worth before normalizeRows(), given what y is
 * worth after it. */
template <class Add>
void normalizeRowsAdjoint(const real* y, const real* yAdjoint, const real* inverse, int rows,
                          const Add& add) {
    real mean[STRIDE], slope[STRIDE];
    sumRows(rows, mean, [&](int k) { return yAdjoint[k]; });
    sumRows(rows, slope, [&](int k) { return yAdjoint[k] * y[k]; });
    for (int h = 0; h < STRIDE; h++) {
        mean[h] = mean[h] * real(1.0 / rows);
        slope[h] = slope[h] * real(1.0 / rows);
    }
    for (int k = 0; k < rows * STRIDE; k++)
        add(k, inverse[k % STRIDE] * (yAdjoint[k] - mean[k % STRIDE] - slope[k % STRIDE] * y[k]));
}

/** The features of some particles, normalised. */
class NormalizedItems {
public:
    NormalizedItems(int rows, int items) : output(rows, items), inverseDeviations(1, items) {}
    void evaluate(const Items& x) {
        const int rows = output.getNumRows();
        for (int item = 0; item < output.getNumItems(); item++) {
            const real* from = x.item(item);
            real *inverse = inverseDeviations.item(item), mean[STRIDE];
            sumRows(rows, mean, [&](int k) { return from[k]; });
            measureRows(from, rows, mean, inverse);
            normalizeRows(from, rows, mean, inverse, output.item(item));
        }
    }
    void clearAdjoint() {
        if (adjoint.getNumRows() == 0)
            adjoint = output;
        adjoint.fill(0);
    }
    /** Add what x is worth, given what `output` is worth, in `adjoint`. */
    void backpropagate(Items& xAdjoint) const {
        for (int item = 0; item < output.getNumItems(); item++) {
            real* result = xAdjoint.item(item);
            normalizeRowsAdjoint(output.item(item), adjoint.item(item), inverseDeviations.item(item),
                                 output.getNumRows(),
                                 [&](int k, real worth) { result[k] = result[k] + worth; });
        }
    }
    Items output, adjoint;

private:
    Items inverseDeviations;
};
