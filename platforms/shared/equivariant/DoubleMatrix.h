// What the coupling flows need to be evaluated one sample at a time, in double precision: the simplest that
// is right. Included inside a namespace that has `real`, a number, and the shared maths.

using Scalar = double;

/** How many reals an item has in each row, and what numbers a real holds. */
constexpr int STRIDE = 1, WIDTH = 1;
using Number = real;

/** A matrix and a vector, y = W x + b, for items that stand one after the other. */
class Matrix {
public:
    Matrix() : outputs(0), inputs(0) {}
    template <class Weight, class Bias>
    Matrix(int outputs, int inputs, const Weight& weight, const Bias& bias)
        : outputs(outputs), inputs(inputs) {
        for (int i = 0; i < outputs; i++) {
            biases.push_back(bias(i));
            for (int j = 0; j < inputs; j++)
                weights.push_back(weight(i, j));
        }
    }
    /** store(i, v, y) is given output i of item v, each once. */
    template <class Store>
    void multiply(const real* x, int items, const Store& store) const {
        for (int v = 0; v < items; v++)
            for (int i = 0; i < outputs; i++) {
                real sum = biases[i];
                for (int j = 0; j < inputs; j++)
                    sum = sum + real(weights[(size_t)i * inputs + j]) * x[(size_t)v * inputs + j];
                store(i, v, sum);
            }
    }
    /** The same into an array of as many rows as there are outputs. */
    void multiply(const real* x, int items, real* y) const {
        multiply(x, items, [&](int i, int v, real sum) { y[(size_t)v * outputs + i] = sum; });
    }

private:
    int outputs, inputs;
    std::vector<double> weights, biases;
};

/** The gradient of the parameters of a flow. */
class WeightGradient {
public:
    explicit WeightGradient(real* gradient) : gradient(gradient) {}
    /** Add what a layer is worth, given its inputs and what its outputs are worth. */
    void add(const LayerPlace& layer, const real* adjoint, const real* x, int items) {
        for (int v = 0; v < items; v++)
            for (int i = 0; i < layer.outputs; i++) {
                const real worth = adjoint[(size_t)v * layer.outputs + i];
                if (layer.hasBias)
                    addNumber(layer.bias + i, worth);
                for (int j = 0; j < layer.inputs; j++)
                    addNumber(layer.weight + (size_t)i * layer.inputs + j,
                              worth * x[(size_t)v * layer.inputs + j]);
            }
    }
    /** Add the rows of one item to what stands at a place. */
    template <class Array>
    void addRows(size_t place, const Array& adjoint, int item) {
        for (int row = 0; row < adjoint.getNumRows(); row++)
            addNumber(place + row, adjoint.at(row, item));
    }
    /** The same: an item has one column. */
    template <class Array>
    void addColumn(size_t place, const Array& adjoint, int item, int) {
        addRows(place, adjoint, item);
    }
    void addNumber(size_t place, real worth) { gradient[place] = gradient[place] + worth; }

private:
    real* gradient;
};
