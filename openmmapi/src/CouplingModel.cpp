#include "openmmflow/internal/CouplingModel.h"

#include <cmath>
#include <limits>

#include "openmm/OpenMMException.h"
#include "openmmflow/internal/TensorFile.h"

namespace OpenMMFlow {

using std::string;
using std::to_string;
using std::vector;

CouplingModel::CouplingModel(const string& description, const Particles& particles, const Base& base,
                             const Configuration& configuration)
    : AugmentedFlowModel(particles, base), description(description) {
    checkNumber("layers", configuration.layers, 1, 200);
    checkNumber("bins", configuration.bins, 2, 32);
    if (!(configuration.range >= 1e-3 && configuration.range <= 1e6))
        fail("the range of the splines must lie in 1e-3 to 1e6 nm");
    if (!(configuration.lengthUnit >= 1e-6 && configuration.lengthUnit <= 1e6))
        fail("the unit of length must lie in 1e-6 to 1e6 nm");
    if (!(configuration.minBinFraction >= 1e-6 && configuration.minBinFraction * configuration.bins <= 0.9))
        fail("the minimum bin fraction must be at least 1e-6 and at most 0.9 divided by the number of bins");
    if (!(configuration.minDerivative >= 1e-6 && configuration.minDerivative <= 0.9))
        fail("the minimum derivative must lie in 1e-6 to 0.9");
}

void CouplingModel::fail(const string& reason) const {
    throw OpenMM::OpenMMException("Invalid " + description + ": " + reason + ".");
}

void CouplingModel::checkNumber(const char* subject, int value, int minimum, int maximum) const {
    if (value < minimum || value > maximum)
        fail("the number of " + string(subject) + " must lie in " + to_string(minimum) + " to "
             + to_string(maximum) + ", and " + to_string(value) + " does not");
}

void CouplingModel::checkNumParameters(double count) const {
    if (count > 1e9)
        fail("it would have more than 1e9 parameters");
}

void CouplingModel::layOutLayers(
    const Configuration& configuration, ParameterLayout& layout, vector<size_t>& scaling,
    const std::function<void(const string&, const CloudSets&)>& addCoupling) const {
    const int numClouds = getNumClouds(), numFirst = (numClouds + 1) / 2;
    vector<int> sets[2];
    for (int cloud = 0; cloud < numClouds; cloud++)
        sets[cloud >= numFirst].push_back(cloud);
    for (int l = 0; l < configuration.layers; l++) {
        if (configuration.scaling)
            scaling.push_back(
                layout.addTensor("layers." + to_string(l) + ".scaling", {2 * numClouds - 1}, 0));
        for (int side : {0, 1})
            addCoupling("couplings." + to_string(2 * l + side), {sets[1 - side], sets[side]});
    }
}

void CouplingModel::createParameters(const ParameterLayout& layout, unsigned seed) {
    parameters = layout.createInitialValues(seed);
}

void CouplingModel::setParameters(const ParameterLayout& layout, const vector<double>& values) {
    if (values.size() != layout.getNumParameters())
        fail("it has " + to_string(layout.getNumParameters()) + " parameters, and " + to_string(values.size())
             + " are given");
    for (double value : values)
        if (!(std::abs(value) <= std::numeric_limits<float>::max()))
            fail("a parameter is not a finite number in single precision");
    parameters = values;
}

void CouplingModel::write(TensorFile& file) const {
    file.getMetadata()["family"] = getFamily();
    file.getMetadata()["configuration"] = getConfiguration();
    const vector<int>& types = getParticles().types;
    file.setIntegers("types", {getNumParticles()}, {types.begin(), types.end()});
    vector<int64_t> bonds;
    for (const auto& [i, j] : getBase().bonds) {
        bonds.push_back(i);
        bonds.push_back(j);
    }
    if (!bonds.empty())
        file.setIntegers("base.bonds", {(int64_t)bonds.size() / 2, 2}, bonds);
    getLayout().write(file, parameters);
}

}  // namespace OpenMMFlow
