// The residual network of two layers that the coupling flows are made of. Included inside a namespace that
// has `real`, Scalar, STRIDE, Matrix, WeightGradient and the shared maths, after Normalization.h. No include
// guard: each meaning of `real` includes it once.

[[gnu::always_inline]] inline real siluDerivative(real x) {
    const real s = SIGMOID(x);
    return s * (real(1.0) + x * (real(1.0) - s));
}

/** A dense layer, and its transpose for the way back. */
struct Layer {
    Layer() = default;
    Layer(const LayerPlace& place, const double* parameters)
        : place(place),
          weight(
              place.outputs, place.inputs,
              [&](int i, int j) { return parameters[place.weight + (size_t)i * place.inputs + j]; },
              [&](int i) { return place.hasBias ? parameters[place.bias + i] : 0.0; }),
          transposed(
              place.inputs, place.outputs,
              [&](int i, int j) { return parameters[place.weight + (size_t)j * place.inputs + i]; },
              [](int) { return 0.0; }) {}
    LayerPlace place;
    Matrix weight, transposed;
};

/**
 * A layer of what normalize(y) gives. The mean of y is taken off the weights instead, each row of which adds
 * up to zero here, so that only the deviation is left to divide by: W normalize(y) = (W - mean) y /
 * deviation.
 */
struct NormalizedLayer {
    NormalizedLayer() = default;
    NormalizedLayer(const LayerPlace& place, const double* parameters) : place(place) {
        auto given = [&](int i, int j) { return parameters[place.weight + (size_t)i * place.inputs + j]; };
        std::vector<double> means(place.outputs, 0.0);
        for (int i = 0; i < place.outputs; i++)
            for (int j = 0; j < place.inputs; j++)
                means[i] += given(i, j) / place.inputs;
        auto zero = [](int) { return 0.0; };
        weight = Matrix(
            place.outputs, place.inputs, [&](int i, int j) { return given(i, j) - means[i]; }, zero);
        transposed = Matrix(
            place.inputs, place.outputs, [&](int i, int j) { return given(j, i) - means[j]; }, zero);
        const double* bias = parameters + place.bias;
        biases.assign(bias, bias + place.outputs);
    }
    LayerPlace place;
    Matrix weight, transposed;
    std::vector<Scalar> biases;
};

/** y = silu(a), output = y + silu(second(normalize(y))); the argument a is what the first layer gives. */
struct Residual {
    Residual() = default;
    Residual(const ResidualPlace& place, const double* parameters)
        : first(place.first, parameters), second(place.second, parameters) {}
    Layer first;
    NormalizedLayer second;
};

/** A residual network on its way through up to `items` items. */
class ResidualState {
public:
    ResidualState() = default;
    ResidualState(int width, int items)
        : output(width, items), width(width), argument(width, items), inverseDeviation(1, items) {}
    /** Whether what backpropagate() needs is kept. */
    void keep(bool isKept) {
        this->isKept = isKept;
        if (isKept && adjoint.getNumRows() == 0)
            normalized = second = inner = adjoint = Items(width, argument.getNumItems());
    }
    /** Where what the first layer gives is to be written before evaluate(). */
    real* getArgument() { return argument.begin(); }
    /** From there to `output`. */
    void evaluate(const NormalizedLayer& weights, int items) {
        evaluate(weights, items, [&](int item) {
            const real* a = argument.item(item);
            return [a](int k) { return a[k]; };
        });
    }
    /** The same of an argument that argumentOf(item) gives as a function of the number of a real. */
    template <class ArgumentOf>
    void evaluate(const NormalizedLayer& weights, int items, const ArgumentOf& argumentOf) {
        for (int item = 0; item < items; item++)
            activate(item, argumentOf(item));
        // Where nothing is kept, the argument has done its work, and its memory is in the first cache.
        Items& a = isKept ? second : argument;
        weights.weight.multiply(output.begin(), items, a.begin());
        for (int item = 0; item < items; item++)
            addSecond(weights, item, a);
    }
    /** From what `output` is worth, in `adjoint`, to what the argument is worth, in the same place. */
    void backpropagate(const NormalizedLayer& weights, int items, WeightGradient* gradient) {
        for (int item = 0; item < items; item++) {
            const real *given = adjoint.item(item), *a = second.item(item);
            real* worth = inner.item(item);
            for (int k = 0; k < width * STRIDE; k++)
                worth[k] = given[k] * siluDerivative(a[k]);
        }
        if (gradient != nullptr)
            gradient->add(weights.place, inner.begin(), normalized.begin(), items);
        weights.transposed.multiply(inner.begin(), items, second.begin());
        for (int item = 0; item < items; item++)
            backpropagateNormalization(item);
    }

    Items output, adjoint;

private:
    /** The silu of the argument, and what normalize() divides it by. */
    template <class Argument>
    void activate(int item, const Argument& argumentOf) {
        real *a = argument.item(item), *y = output.item(item);
        real *inverse = inverseDeviation.item(item), mean[STRIDE];
        sumRows(width, mean, [&](int k) {
            a[k] = argumentOf(k);
            return y[k] = SILU(a[k]);
        });
        measureRows(y, width, mean, inverse);
        if (isKept)
            normalizeRows(y, width, mean, inverse, normalized.item(item));
    }
    /** What the matrix of the second layer has given becomes what its silu is taken of. */
    void addSecond(const NormalizedLayer& weights, int item, Items& arguments) {
        real *a = arguments.item(item), *y = output.item(item);
        real inverse[STRIDE];
        std::copy_n(inverseDeviation.item(item), STRIDE, inverse);
        for (int i = 0; i < width; i++)
            for (int h = 0; h < STRIDE; h++) {
                const int k = i * STRIDE + h;
                a[k] = inverse[h] * a[k] + real(weights.biases[i]);
                y[k] = y[k] + SILU(a[k]);
            }
    }
    /** What normalize(y) is worth stands in `second`. */
    void backpropagateNormalization(int item) {
        const real* a = argument.item(item);
        real* given = adjoint.item(item);
        normalizeRowsAdjoint(
            normalized.item(item), second.item(item), inverseDeviation.item(item), width,
            [&](int k, real worth) { given[k] = (given[k] + worth) * siluDerivative(a[k]); });
    }
    bool isKept = false;
    int width = 0;
    Items argument, normalized, second, inner, inverseDeviation;
};
