#include "ReferenceInternalFlow.h"

#include <cmath>
#include <limits>

#include "shared/ConditionerFeatures.h"
#include "shared/InternalSample.h"
#include "shared/SplineOffset.h"

using namespace OpenMMFlow::shared;
using namespace std;

namespace OpenMMFlow {

namespace {

vector<double> applyLayer(const DenseLayer& layer, const vector<double>& x) {
    vector<double> y = layer.bias;
    for (int i = 0; i < layer.outputs; i++)
        for (int j = 0; j < layer.inputs; j++)
            y[i] += layer.weight[(size_t)i * layer.inputs + j] * x[j];
    return y;
}

vector<double> applyLayerTransposed(const DenseLayer& layer, const vector<double>& y) {
    vector<double> x(layer.inputs, 0.0);
    for (int i = 0; i < layer.outputs; i++)
        for (int j = 0; j < layer.inputs; j++)
            x[j] += layer.weight[(size_t)i * layer.inputs + j] * y[i];
    return x;
}

double activate(InternalFlowModel::Activation activation, double x) {
    if (activation == InternalFlowModel::Activation::ReLU)
        return max(x, 0.0);
    return x * sigmoid(x);
}

double activationDerivative(InternalFlowModel::Activation activation, double x) {
    if (activation == InternalFlowModel::Activation::ReLU)
        return x > 0 ? 1.0 : 0.0;
    const double s = sigmoid(x);
    return s * (1 + x * (1 - s));
}

void activate(InternalFlowModel::Activation activation, vector<double>& x) {
    for (double& value : x)
        value = activate(activation, value);
}

void add(vector<double>& x, const vector<double>& y) {
    for (size_t i = 0; i < x.size(); i++)
        x[i] += y[i];
}

void accumulate(double* positions, int atom, real3 r) {
    storeAtom(positions, atom, loadAtom(positions, atom) + r);
}

}  // namespace

ReferenceInternalFlow::ReferenceInternalFlow(const Flow& flow)
    : flow(flow),
      model(dynamic_cast<const InternalFlowModel&>(this->flow.getModel())),
      coordinates(model.getCoordinates()),
      numParticles(model.getNumParticles()) {}

SplineShape ReferenceInternalFlow::getShape(int coordinate) const {
    const auto& options = model.getOptions();
    const double bound = options.getBound(coordinates.circular[coordinate]);
    return {options.getBins(coordinates.circular[coordinate]),
            -bound,
            bound,
            options.minBinFraction,
            options.minDerivative,
            getSplineDerivativeOffset(options.minDerivative)};
}

int ReferenceInternalFlow::getNumParameters(int coordinate) const {
    return model.getOptions().getNumSplineParameters(coordinates.circular[coordinate]);
}

double ReferenceInternalFlow::computeBaseLogDensity(const vector<double>& z) const {
    double result = 0;
    for (size_t j = 0; j < z.size(); j++)
        result -= coordinates.circular[j] ? log(2 * M_PI) : 0.5 * (z[j] * z[j] + log(2 * M_PI));
    return result;
}

vector<double> ReferenceInternalFlow::computeParameters(const SplineCoupling& coupling,
                                                        const vector<double>& z,
                                                        vector<vector<double>>* hidden) const {
    const auto activation = model.getOptions().activation;
    auto remember = [&](const vector<double>& x) {
        if (hidden != nullptr)
            hidden->push_back(x);
    };
    vector<double> h =
        applyLayer(coupling.input, computeFeatures(model, coupling, model.getFeatureProducts(coupling), z));
    remember(h);
    activate(activation, h);
    for (const auto& [first, second] : coupling.blocks) {
        vector<double> inner = applyLayer(first, h);
        remember(inner);
        activate(activation, inner);
        add(h, applyLayer(second, inner));
    }
    return applyLayer(coupling.output, h);
}

void ReferenceInternalFlow::backpropagateParameters(const SplineCoupling& coupling, const vector<double>& z,
                                                    const vector<vector<double>>& hidden,
                                                    const vector<double>& parameterAdjoint,
                                                    vector<double>& zAdjoint) const {
    const auto activation = model.getOptions().activation;
    auto throughActivation = [&](vector<double>& adjoint, const vector<double>& argument) {
        for (size_t i = 0; i < adjoint.size(); i++)
            adjoint[i] *= activationDerivative(activation, argument[i]);
    };
    vector<double> h = applyLayerTransposed(coupling.output, parameterAdjoint);
    for (int b = (int)coupling.blocks.size() - 1; b >= 0; b--) {
        vector<double> inner = applyLayerTransposed(coupling.blocks[b].second, h);
        throughActivation(inner, hidden[b + 1]);
        add(h, applyLayerTransposed(coupling.blocks[b].first, inner));
    }
    throughActivation(h, hidden[0]);
    const auto products = model.getFeatureProducts(coupling);
    backpropagateFeatures(model, coupling, products, computeFeatures(model, coupling, products, z),
                          applyLayerTransposed(coupling.input, h), zAdjoint);
}

double ReferenceInternalFlow::computeLogVolume(const vector<double>& values) const {
    double result = 0;
    for (int i = 0; i < numParticles - 1; i++)
        result += 2 * log(values[i]);
    for (int i = numParticles - 1; i < 2 * numParticles - 3; i++)
        result += log(sin(values[i]));
    return result;
}

vector<double> ReferenceInternalFlow::drawBase(uint64_t seed, uint64_t index) const {
    return drawInternalBase(coordinates, seed, index);
}

double ReferenceInternalFlow::sample(uint64_t seed, uint64_t index, double* positions) const {
    return transform(drawBase(seed, index), drawOrientation(coordinates, seed, index), positions);
}

double ReferenceInternalFlow::transform(vector<double> z, const array<double, 4>& orientation,
                                        double* positions) const {
    double logQ = computeBaseLogDensity(z) + model.getLogDensityConstant();
    for (const SplineCoupling& coupling : model.getCouplings()) {
        const vector<double> parameters = computeParameters(coupling, z);
        const double* p = parameters.data();
        for (int j : coupling.transformed) {
            SplineResult y = splineForward(z[j], p, 1, getShape(j), coordinates.circular[j]);
            z[j] = y.value;
            logQ -= y.logDerivative;
            p += getNumParameters(j);
        }
    }
    const vector<double> values = getValues(coordinates, z);
    placeAtoms(coordinates, values, orientation, positions);
    if (!coordinates.isInSupport(values))
        return numeric_limits<double>::infinity();
    return logQ - computeLogVolume(values);
}

double ReferenceInternalFlow::computeLogDensity(const double* positions, double* gradient) const {
    const int numCoordinates = coordinates.getNumCoordinates();
    if (gradient != nullptr)
        fill(gradient, gradient + 3 * numParticles, numeric_limits<double>::quiet_NaN());
    for (int i = 0; i < 3 * numParticles; i++)
        if (!isfinite(positions[i]))
            return numeric_limits<double>::quiet_NaN();
    const vector<double> values = coordinates.measure(positions);
    if (!coordinates.isInSupport(values))
        return -numeric_limits<double>::infinity();
    vector<double> z(numCoordinates);
    for (int j = 0; j < numCoordinates; j++)
        z[j] =
            coordinates.circular[j] ? values[j] : (values[j] - coordinates.center[j]) / coordinates.scale[j];

    const auto& couplings = model.getCouplings();
    double logQ = model.getLogDensityConstant() - computeLogVolume(values);
    // What each coupling was given, outermost first: the reverse pass starts from there.
    vector<vector<double>> given(couplings.size());
    for (int l = (int)couplings.size() - 1; l >= 0; l--) {
        given[l] = z;
        const vector<double> parameters = computeParameters(couplings[l], z);
        const double* p = parameters.data();
        for (int j : couplings[l].transformed) {
            SplineResult x = splineInverse(z[j], p, 1, getShape(j), coordinates.circular[j]);
            z[j] = x.value;
            logQ += x.logDerivative;
            p += getNumParameters(j);
        }
    }
    logQ += computeBaseLogDensity(z);
    if (gradient == nullptr)
        return logQ;

    vector<double> adjoint(numCoordinates);
    for (int j = 0; j < numCoordinates; j++)
        adjoint[j] = coordinates.circular[j] ? 0.0 : -z[j];
    for (size_t l = 0; l < couplings.size(); l++) {
        vector<vector<double>> hidden;
        const vector<double> parameters = computeParameters(couplings[l], given[l], &hidden);
        vector<double> parameterAdjoint(parameters.size());
        size_t offset = 0;
        for (int j : couplings[l].transformed) {
            adjoint[j] = splineInverseAdjoint(given[l][j], parameters.data() + offset, 1, getShape(j),
                                              coordinates.circular[j], adjoint[j], 1.0, 1,
                                              parameterAdjoint.data() + offset);
            offset += getNumParameters(j);
        }
        backpropagateParameters(couplings[l], given[l], hidden, parameterAdjoint, adjoint);
    }
    for (int j = 0; j < numCoordinates; j++)
        if (!coordinates.circular[j])
            adjoint[j] /= coordinates.scale[j];
    for (int i = 0; i < numParticles - 1; i++)
        adjoint[i] -= 2 / values[i];
    for (int i = numParticles - 1; i < 2 * numParticles - 3; i++)
        adjoint[i] -= cos(values[i]) / sin(values[i]);
    backpropagateCoordinates(positions, adjoint, gradient);
    return logQ;
}

void ReferenceInternalFlow::backpropagateCoordinates(const double* positions,
                                                     const vector<double>& valueAdjoint,
                                                     double* gradient) const {
    fill(gradient, gradient + 3 * numParticles, 0.0);
    const double* bondAdjoint = valueAdjoint.data();
    const double* angleAdjoint = bondAdjoint + numParticles - 1;
    const double* torsionAdjoint = angleAdjoint + numParticles - 2;
    for (int i = 1; i < numParticles; i++) {
        const auto& place = coordinates.placements[i];
        const real3 r = loadAtom(positions, place.atom), p = loadAtom(positions, place.bond);
        const real3 bondForce = (bondAdjoint[i - 1] / measureBond(r, p)) * (r - p);
        accumulate(gradient, place.atom, bondForce);
        accumulate(gradient, place.bond, -1.0 * bondForce);
        if (i < 2)
            continue;
        const real3 g = loadAtom(positions, place.angle);
        const AngleGradient angle = angleGradient(r, p, g);
        const real3 outer = angleAdjoint[i - 2] * angle.a, inner = angleAdjoint[i - 2] * angle.c;
        accumulate(gradient, place.atom, outer);
        accumulate(gradient, place.angle, inner);
        accumulate(gradient, place.bond, -1.0 * (outer + inner));
        if (i < 3)
            continue;
        const TorsionGradient torsion = torsionGradient(r, p, g, loadAtom(positions, place.torsion));
        accumulate(gradient, place.atom, torsionAdjoint[i - 3] * torsion.a);
        accumulate(gradient, place.bond, torsionAdjoint[i - 3] * torsion.b);
        accumulate(gradient, place.angle, torsionAdjoint[i - 3] * torsion.c);
        accumulate(gradient, place.torsion, torsionAdjoint[i - 3] * torsion.d);
    }
}

}  // namespace OpenMMFlow
