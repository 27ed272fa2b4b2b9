#include "InternalFlowTraining.h"

#include <algorithm>
#include <limits>

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

InternalFlowTraining::InternalFlowTraining(const InternalFlow& flow)
    : InternalFlowBlock(flow),
      weightGradient(flow.model.getParameters().size()),
      worths(1, COLUMNS),
      kept(flow.numCoordinates, COLUMNS) {
    prepareReverse(true);
}

void InternalFlowTraining::load(Rows& rows, int count, int columns, const double* numbers,
                                size_t parts) const {
    for (int s = 0; s < columns; s++)
        for (int j = 0; j < flow.numCoordinates; j++)
            rows.scalar(j, s) = s < count ? (Scalar)numbers[s * parts * flow.numCoordinates + j] : 0;
}

void InternalFlowTraining::store(const Rows& rows, int count, double* numbers, size_t parts) const {
    for (int s = 0; s < count; s++)
        for (int j = 0; j < flow.numCoordinates; j++)
            numbers[s * parts * flow.numCoordinates + j] = rows.scalar(j, s);
}

void InternalFlowTraining::loadWorths(int count, int columns, const double* worth) {
    for (int s = 0; s < columns; s++)
        worths.scalar(0, s) = s < count ? (Scalar)worth[s] : 0;
}

void InternalFlowTraining::sample(int count, uint64_t seed, uint64_t first, double* positionsOut,
                                  double* coordinates, double* logQ, double* gradient, double* adjoints) {
    const int columns = roundUpToTile(count);
    drawBase(columns, seed, first);
    startFromBase(columns);
    for (size_t l = 0; l < flow.couplings.size(); l++) {
        const Coupling& coupling = flow.couplings[l];
        kept.copyFrom(reverse->adjoint, columns);
        computeHidden(coupling, columns);
        forEachSpline(
            coupling, columns,
            [&](int j, int s, const SplineShape& shape, auto ends, const Lanes* numbers, Lanes* worth) {
                Lanes widths[MAX_SPLINE_BINS], heights[MAX_SPLINE_BINS];
                Lanes &x = z.at(j, s), &a = reverse->adjoint.at(j, s);
                const SplinePoint point =
                    findSplinePoint(x, numbers, Rows::STRIDE, shape, ends, 0, widths, heights);
                const Lanes y = getSplineValue(point, x, numbers, Rows::STRIDE, shape, ends);
                logDensity.at(0, s) = logDensity.at(0, s) - LOG(getSplineSlope(point, x, shape, ends));
                a = splineInverseAdjointAt(point, y, shape, ends, 0, widths, heights, a, Lanes(1.0),
                                           Rows::STRIDE, worth);
                x = y;
            });
        backpropagateParameters(l, columns);
        storeKept(l, count, adjoints);
    }
    store(z, count, coordinates);
    storeSamples(count, positionsOut, logQ, gradient);
}

void InternalFlowTraining::storeKept(size_t l, int count, double* adjoints) {
    for (int j : flow.couplings[l].conditioning)
        for (int s = 0; s < roundUpToTile(count); s += LANES)
            kept.at(j, s) = reverse->adjoint.at(j, s) - kept.at(j, s);
    store(kept, count, adjoints + l * flow.numCoordinates, flow.couplings.size());
}

void InternalFlowTraining::storeSamples(int count, double* positionsOut, double* logQ, double* gradient) {
    const int columns = roundUpToTile(count);
    placeAtoms(columns);
    addVolumeGradient(columns);
    storePositions(count, positionsOut);
    store(reverse->adjoint, count, gradient);
    for (int s = 0; s < count; s++)
        logQ[s] =
            support.scalar(0, s) > 0 ? logDensity.scalar(0, s) : std::numeric_limits<double>::infinity();
}

void InternalFlowTraining::evaluate(int count, const double* coordinates, double* positionsOut, double* logQ,
                                    double* gradient, double* adjoints) {
    const int columns = roundUpToTile(count);
    // An orientation.
    std::fill(normals.begin(), normals.end(), 1.0);
    load(z, count, columns, coordinates);
    invert(columns, true);
    startFromBase(columns);
    for (size_t l = 0; l < flow.couplings.size(); l++) {
        if (adjoints != nullptr)
            kept.copyFrom(reverse->adjoint, columns);
        backpropagateCoupling(l, columns);
        if (adjoints != nullptr)
            storeKept(l, count, adjoints);
    }
    for (int s = 0; s < columns; s += LANES)
        logDensity.at(0, s) = logDensity.at(0, s) + Lanes(flow.logDensityConstant);
    load(z, count, columns, coordinates);
    storeSamples(count, positionsOut, logQ, gradient);
}

void InternalFlowTraining::addVolumeGradient(int columns) {
    const InternalCoordinates& coordinates = flow.coordinates;
    for (int j = 0; j < 2 * numParticles - 3; j++)
        for (int s = 0; s < columns; s += LANES) {
            const Lanes scale = coordinates.scale[j],
                        value = Lanes(coordinates.center[j]) + scale * z.at(j, s);
            const Lanes slope = j < numParticles - 1 ? Lanes(2.0) / value : COS(value) / SIN(value);
            reverse->adjoint.at(j, s) = reverse->adjoint.at(j, s) - scale * slope;
        }
}

void InternalFlowTraining::invert(int columns, bool isKept) {
    for (int s = 0; s < columns; s += LANES)
        logDensity.at(0, s) = 0.0;
    invertCouplings(columns, isKept);
    addBaseLogDensity(columns);
}

void InternalFlowTraining::computeLogDensity(int count, const double* coordinates, double* logQ) {
    const int columns = roundUpToTile(count);
    load(z, count, columns, coordinates);
    invert(columns, false);
    for (int s = 0; s < count; s++)
        logQ[s] = logDensity.scalar(0, s);
}

void InternalFlowTraining::addLikelihoodGradient(int count, const double* coordinates, const double* worth,
                                                 double* logQ) {
    const int columns = roundUpToTile(count);
    load(z, count, columns, coordinates);
    invert(columns, true);
    for (int s = 0; s < count; s++)
        logQ[s] = logDensity.scalar(0, s);
    loadWorths(count, columns, worth);
    startFromBase(columns);
    for (int j = 0; j < flow.numCoordinates; j++)
        for (int s = 0; s < columns; s += LANES)
            reverse->adjoint.at(j, s) = worths.at(0, s) * reverse->adjoint.at(j, s);
    backpropagateCouplings(columns, &worths, &weightGradient);
}

void InternalFlowTraining::addPathGradient(int count, const double* coordinates, const double* difference,
                                           const double* adjoints, const double* worth) {
    const int columns = roundUpToTile(count);
    const bool isBalanced = adjoints != nullptr;
    if (isBalanced)
        loadWorths(count, columns, worth);
    load(z, count, columns, coordinates);
    load(reverse->adjoint, count, columns, difference);
    for (int l = (int)flow.couplings.size() - 1; l >= 0; l--) {
        const Coupling& coupling = flow.couplings[l];
        if (isBalanced)
            load(kept, count, columns, adjoints + l * flow.numCoordinates, flow.couplings.size());
        computeHidden(coupling, columns);
        // The gradient by what a coupling gives is what it was given times the transposed inverse of the
        // Jacobian; both the rest of it and the gradient of weights have what it is worth with a minus. What
        // the likelihood makes of the parameters joins it on its way through the network, and is taken off
        // the coordinates again.
        forEachSpline(
            coupling, columns,
            [&](int j, int s, const SplineShape& shape, auto ends, const Lanes* numbers, Lanes* worth) {
                Lanes widths[MAX_SPLINE_BINS], heights[MAX_SPLINE_BINS];
                Lanes &y = z.at(j, s), &w = reverse->adjoint.at(j, s);
                const SplinePoint point =
                    findSplinePoint(y, numbers, Rows::STRIDE, shape, ends, 1, widths, heights);
                const Lanes x = getSplineArgument(point, y, shape, ends),
                            difference = w * getSplineSlope(point, y, shape, ends);
                const Lanes balance = isBalanced ? worths.at(0, s) : Lanes(0.0);
                const Lanes value = isBalanced ? balance * kept.at(j, s) - difference : -difference;
                splineInverseAdjointAt(point, y, shape, ends, 1, widths, heights, value, balance,
                                       Rows::STRIDE, worth);
                y = x;
                w = difference;
            });
        backpropagateParameters(l, columns, &weightGradient);
        if (isBalanced)
            for (int j : coupling.conditioning)
                for (int s = 0; s < columns; s += LANES)
                    reverse->adjoint.at(j, s) = reverse->adjoint.at(j, s) - worths.at(0, s) * kept.at(j, s);
    }
}

void InternalFlowTraining::moveGradient(double* sum, size_t first, size_t last) {
    weightGradient.moveTo(sum, first, last);
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow
