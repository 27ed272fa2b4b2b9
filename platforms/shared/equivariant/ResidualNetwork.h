// The residual network of two layers that the coupling flows are made of. Included inside a namespace that
// has `real`, Scalar, STRIDE, Matrix, WeightGradient and the shared maths, after Normalization.h. No include
// guard: each meaning of `real` includes it once.

[[gnu::always_inline]] inline real silu(real x) {
    return x * SIGMOID(x);
}

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

/** y = silu(a), output = y + silu(second(normalize(y))); the argument a is what the first layer gives. */
struct Residual {
    Residual() = default;
    Residual(const ResidualPlace& place, const double* parameters)
        : first(place.first, parameters), second(place.second, parameters) {}
    Layer first, second;
};

/** A residual network on its way through up to `items` items. */
class ResidualState {
public:
    ResidualState() = default;
    ResidualState(int width, int items)
        : output(width, items), width(width), normalized(width, items), inverseDeviation(1, items) {}
    /** Whether what backpropagate() needs is kept. */
    void keep(bool isKept) {
        this->isKept = isKept;
        if (isKept && adjoint.getNumRows() == 0)
            argument = second = adjoint = inner = Items(width, normalized.getNumItems());
    }
    /** Give what the first layer gives, each row of each vector once, before evaluate(). */
    [[gnu::always_inline]] void setArgument(int i, int v, real a) {
        if (isKept)
            argument.at(i, v) = a;
        output.at(i, v) = silu(a);
    }
    /** From there to `output`. */
    void evaluate(const Layer& layer, int items) {
        for (int v = 0; v < items * STRIDE; v++)
            normalize(v);
        if (isKept)
            layer.weight.multiply(normalized.begin(), items, [&](int i, int v, real y) {
                second.at(i, v) = y;
                output.at(i, v) = output.at(i, v) + silu(y);
            });
        else
            layer.weight.multiply(normalized.begin(), items,
                                  [&](int i, int v, real y) { output.at(i, v) = output.at(i, v) + silu(y); });
    }
    /** From what `output` is worth, in `adjoint`, to what the argument is worth, in the same place. */
    void backpropagate(const Layer& layer, int items, WeightGradient* gradient) {
        for (int v = 0; v < items * STRIDE; v++)
            for (int i = 0; i < width; i++)
                inner.at(i, v) = adjoint.at(i, v) * siluDerivative(second.at(i, v));
        if (gradient != nullptr)
            gradient->add(layer.place, inner.begin(), normalized.begin(), items);
        layer.transposed.multiply(inner.begin(), items, [&](int i, int v, real y) { second.at(i, v) = y; });
        for (int v = 0; v < items * STRIDE; v++)
            backpropagateNormalization(v);
    }

    Items output, adjoint;

private:
    void normalize(int v) {
        inverseDeviation.at(0, v) = normalizeRows(&output.at(0, v), &normalized.at(0, v), width);
    }
    /** What normalize(y) is worth stands in `second`. */
    void backpropagateNormalization(int v) {
        normalizeRowsAdjoint(
            &normalized.at(0, v), &second.at(0, v), inverseDeviation.at(0, v), width, [&](int i, real worth) {
                adjoint.at(i, v) = (adjoint.at(i, v) + worth) * siluDerivative(argument.at(i, v));
            });
    }
    bool isKept = false;
    int width = 0;
    Items argument, normalized, second, inner, inverseDeviation;
};
