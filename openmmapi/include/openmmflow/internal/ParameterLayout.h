#ifndef OPENMMFLOW_PARAMETERLAYOUT_H_
#define OPENMMFLOW_PARAMETERLAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace OpenMMFlow {

class TensorFile;

/** Where a dense layer, y = W x + b, stands among the parameters of a flow: W row-major, (outputs, inputs).
 */
struct LayerPlace {
    int inputs = 0, outputs = 0;
    size_t weight = 0, bias = 0;
    bool hasBias = true;
};

/** Where a residual network of two layers stands: u(x) = y + silu(second(normalize(y))), y = silu(first(x)),
 * where normalize() subtracts the mean of the features and divides by their standard deviation. */
struct ResidualPlace {
    LayerPlace first, second;
};

/**
 * Names and places of the parameters of a flow, which are one flat array: a file stores them tensor by
 * tensor, an optimiser and a gradient deal with one array, and kernels find each layer at its place.
 */
class ParameterLayout {
public:
    /**
     * Add a layer.
     *
     * @param bound   its initial weights and biases are uniform on (-bound, bound)
     */
    LayerPlace addLayer(const std::string& name, int inputs, int outputs, double bound, bool hasBias = true);
    /** The same, with the initial values that torch.nn.Linear has, whose bound is 1/sqrt(inputs). */
    LayerPlace addLayer(const std::string& name, int inputs, int outputs);
    ResidualPlace addResidual(const std::string& name, int inputs, int width);
    /** Add an array whose initial values are uniform on (-bound, bound), and return its place. */
    size_t addTensor(const std::string& name, const std::vector<int64_t>& shape, double bound);
    size_t getNumParameters() const { return size; }
    /** Get the number of values of each tensor, in the order in which they stand in the array. */
    std::vector<int64_t> getSizes() const;
    /** Get the layers, in the order in which they were added. */
    const std::vector<LayerPlace>& getLayers() const { return layers; }
    std::vector<double> createInitialValues(unsigned seed) const;
    std::vector<double> read(const TensorFile& file) const;
    void write(TensorFile& file, const std::vector<double>& values) const;

private:
    struct Tensor {
        std::string name;
        std::vector<int64_t> shape;
        size_t place, size;
        double bound;
    };
    std::vector<Tensor> tensors;
    std::vector<LayerPlace> layers;
    size_t size = 0;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_PARAMETERLAYOUT_H_*/
