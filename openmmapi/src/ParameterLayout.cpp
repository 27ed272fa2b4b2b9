#include "openmmflow/internal/ParameterLayout.h"

#include <algorithm>
#include <cmath>

#include "CompactReals.h"
#include "PortableRandom.h"
#include "openmmflow/internal/TensorFile.h"

namespace OpenMMFlow {

using std::string;
using std::vector;

LayerPlace ParameterLayout::addLayer(const string& name, int inputs, int outputs, double bound,
                                     bool hasBias) {
    LayerPlace layer{inputs, outputs, addTensor(name + ".weight", {outputs, inputs}, bound), 0, hasBias};
    if (hasBias)
        layer.bias = addTensor(name + ".bias", {outputs}, bound);
    layers.push_back(layer);
    return layer;
}

LayerPlace ParameterLayout::addLayer(const string& name, int inputs, int outputs) {
    return addLayer(name, inputs, outputs, 1 / std::sqrt((double)inputs));
}

ResidualPlace ParameterLayout::addResidual(const string& name, int inputs, int width) {
    const LayerPlace first = addLayer(name + ".first", inputs, width);
    return {first, addLayer(name + ".second", width, width)};
}

size_t ParameterLayout::addTensor(const string& name, const vector<int64_t>& shape, double bound) {
    size_t count = 1;
    for (int64_t dimension : shape)
        count *= dimension;
    tensors.push_back({name, shape, size, count, bound});
    size += count;
    return tensors.back().place;
}

vector<int64_t> ParameterLayout::getSizes() const {
    vector<int64_t> sizes;
    for (const Tensor& tensor : tensors)
        sizes.push_back((int64_t)tensor.size);
    return sizes;
}

vector<double> ParameterLayout::createInitialValues(unsigned seed) const {
    vector<double> values(size);
    PortableRandom random(seed);
    for (const Tensor& tensor : tensors)
        if (tensor.bound > 0)
            for (size_t i = 0; i < tensor.size; i++)
                values[tensor.place + i] = random.symmetric(tensor.bound);
    return values;
}

vector<double> ParameterLayout::read(const TensorFile& file) const {
    // What is allocated stays within what the file holds, whatever its configuration says.
    vector<double> values;
    for (const Tensor& tensor : tensors) {
        const vector<double> part = file.getReals(tensor.name, tensor.shape);
        values.insert(values.end(), part.begin(), part.end());
    }
    return values;
}

void ParameterLayout::write(TensorFile& file, const vector<double>& values) const {
    for (const Tensor& tensor : tensors)
        setCompactReals(file, tensor.name, tensor.shape,
                        {values.begin() + tensor.place, values.begin() + tensor.place + tensor.size});
}

}  // namespace OpenMMFlow
