// Layer normalisation (Ba, Kiros and Hinton 2016, arXiv 1607.06450), without a gain and an offset, which the
// layer that follows has. Included inside a namespace that has `real`, STRIDE and the shared maths, after
// Items.h. No include guard: each meaning of `real` includes it once.

/** Subtract their mean from the rows of a vector, which lie STRIDE apart, and divide by their standard
 * deviation, whose inverse is returned. */
inline real normalizeRows(const real* x, real* y, int rows) {
    const real inverseRows = real(1.0 / rows);
    real sum = real(0.0);
    for (int i = 0; i < rows; i++)
        sum = sum + x[i * STRIDE];
    const real mean = sum * inverseRows;
    real squares = real(0.0);
    for (int i = 0; i < rows; i++) {
        y[i * STRIDE] = x[i * STRIDE] - mean;
        squares = squares + y[i * STRIDE] * y[i * STRIDE];
    }
    const real inverse = RSQRT(squares * inverseRows + real(1e-5));
    for (int i = 0; i < rows; i++)
        y[i * STRIDE] = y[i * STRIDE] * inverse;
    return inverse;
}

/** Call add(i, worth) with what row i of x is worth, given what y is worth and the inverse that
 * normalizeRows() returned. */
template <class Add>
void normalizeRowsAdjoint(const real* y, const real* yAdjoint, real inverse, int rows, const Add& add) {
    const real inverseRows = real(1.0 / rows);
    real sum = real(0.0), product = real(0.0);
    for (int i = 0; i < rows; i++) {
        sum = sum + yAdjoint[i * STRIDE];
        product = product + yAdjoint[i * STRIDE] * y[i * STRIDE];
    }
    const real mean = sum * inverseRows, slope = product * inverseRows;
    for (int i = 0; i < rows; i++)
        add(i, inverse * (yAdjoint[i * STRIDE] - mean - slope * y[i * STRIDE]));
}

/** The features of some particles, normalised. */
class NormalizedItems {
public:
    NormalizedItems(int rows, int items) : output(rows, items), inverseDeviations(1, items) {}
    void evaluate(const Items& x) {
        for (int v = 0; v < output.getNumItems() * STRIDE; v++)
            inverseDeviations.at(0, v) = normalizeRows(&x.at(0, v), &output.at(0, v), output.getNumRows());
    }
    void clearAdjoint() {
        if (adjoint.getNumRows() == 0)
            adjoint = output;
        adjoint.fill(0);
    }
    /** Add what x is worth, given what `output` is worth, in `adjoint`. */
    void backpropagate(Items& xAdjoint) const {
        for (int v = 0; v < output.getNumItems() * STRIDE; v++)
            normalizeRowsAdjoint(
                &output.at(0, v), &adjoint.at(0, v), inverseDeviations.at(0, v), output.getNumRows(),
                [&](int row, real worth) { xAdjoint.at(row, v) = xAdjoint.at(row, v) + worth; });
    }
    Items output, adjoint;

private:
    Items inverseDeviations;
};
