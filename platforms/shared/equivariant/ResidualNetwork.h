// The residual network of two layers that the coupling flows are made of. Included inside a namespace that
// has `real`, Scalar, STRIDE, Matrix, WeightGradient and the shared maths, after Items.h. No include guard:
// each meaning of `real` includes it once.

inline real silu(real x) {
    return x * sigmoid(x);
}

inline real siluDerivative(real x) {
    const real s = sigmoid(x);
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

/** y = silu(a), out = y + silu(second(normalize(y))); `a` is what the first layer gives. */
struct Residual {
    Residual() = default;
    Residual(const EquivariantCouplingModel::ResidualPlace& place, const double* parameters)
        : first(place.first, parameters), second(place.second, parameters) {}
    Layer first, second;
};

/** A residual network on its way through `items` items. */
class ResidualState {
public:
    ResidualState() = default;
    ResidualState(int width, int items)
        : width(width),
          argument(width, items),
          normalized(width, items),
          second(width, items),
          output(width, items),
          adjoint(width, items),
          inner(width, items),
          inverseDeviation(1, items) {}
    /** From `argument` to `output`. */
    void evaluate(const Layer& layer, int items) {
        for (int v = 0; v < items * STRIDE; v++)
            normalize(v);
        layer.weight.multiply(normalized.begin(), items, [&](int i, int v, real y) {
            second.at(i, v) = y;
            output.at(i, v) = output.at(i, v) + silu(y);
        });
    }
    /** From what `output` is worth, in `adjoint`, to what `argument` is worth, in the same place. */
    void backpropagate(const Layer& layer, int items, WeightGradient* gradient) {
        for (int v = 0; v < items * STRIDE; v++)
            for (int i = 0; i < width; i++)
                inner.at(i, v) = adjoint.at(i, v) * siluDerivative(second.at(i, v));
        if (gradient != nullptr)
            gradient->add(layer.place, inner.begin(), normalized.begin(), items);
        layer.transposed.multiply(inner.begin(), items, [&](int i, int v, real y) { output.at(i, v) = y; });
        for (int v = 0; v < items * STRIDE; v++)
            backpropagateNormalization(v);
    }

    int width = 0;
    Items argument, normalized, second, output, adjoint;

private:
    void normalize(int v) {
        const real inverseWidth = real(1.0 / width);
        real sum = real(0.0);
        for (int i = 0; i < width; i++) {
            const real y = silu(argument.at(i, v));
            output.at(i, v) = y;
            sum = sum + y;
        }
        const real mean = sum * inverseWidth;
        real squares = real(0.0);
        for (int i = 0; i < width; i++) {
            const real y = output.at(i, v) - mean;
            normalized.at(i, v) = y;
            squares = squares + y * y;
        }
        const real inverse = RSQRT(squares * inverseWidth + real(1e-5));
        for (int i = 0; i < width; i++)
            normalized.at(i, v) = normalized.at(i, v) * inverse;
        inverseDeviation.at(0, v) = inverse;
    }
    /** What normalize(y) is worth stands in `output`. */
    void backpropagateNormalization(int v) {
        const real inverseWidth = real(1.0 / width);
        real sum = real(0.0), product = real(0.0);
        for (int i = 0; i < width; i++) {
            sum = sum + output.at(i, v);
            product = product + output.at(i, v) * normalized.at(i, v);
        }
        const real mean = sum * inverseWidth, slope = product * inverseWidth;
        const real inverse = inverseDeviation.at(0, v);
        for (int i = 0; i < width; i++) {
            const real worth = inverse * (output.at(i, v) - mean - slope * normalized.at(i, v));
            adjoint.at(i, v) = (adjoint.at(i, v) + worth) * siluDerivative(argument.at(i, v));
        }
    }
    Items inner, inverseDeviation;
};
