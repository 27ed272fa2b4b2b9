#include "CoordinateSamples.h"

#include <algorithm>
#include <cmath>

// Not beside the headers of Torch, which define names of the shared maths as macros.
#include "shared/InternalSample.h"

using namespace OpenMMFlow;

std::vector<double> OpenMMFlow::drawCoordinateBase(const InternalFlowModel& model, uint64_t seed,
                                                   uint64_t index) {
    return shared::drawInternalBase(model.getCoordinates(), seed, index);
}

std::array<double, 4> OpenMMFlow::drawSampleOrientation(const InternalFlowModel& model, uint64_t seed,
                                                        uint64_t index) {
    return shared::drawOrientation(model.getCoordinates(), seed, index);
}

bool OpenMMFlow::placeSample(const InternalFlowModel& model, const std::vector<double>& coordinates,
                             const std::array<double, 4>& orientation, double* positions) {
    const InternalCoordinates& internal = model.getCoordinates();
    const std::vector<double> values = shared::getValues(internal, coordinates);
    shared::placeAtoms(internal, values, orientation, positions);
    return internal.isInSupport(values);
}

double OpenMMFlow::computeCoordinateVolume(const InternalFlowModel& model, const double* coordinates,
                                           double* gradient) {
    const InternalCoordinates& internal = model.getCoordinates();
    const int N = internal.getNumParticles(), D = internal.getNumCoordinates();
    double logVolume = -model.getLogDensityConstant();
    for (int j = 0; j < 2 * N - 3; j++) {
        const double value = internal.center[j] + internal.scale[j] * coordinates[j];
        const bool bond = j < N - 1;
        logVolume += bond ? 2 * std::log(value) : std::log(std::sin(value));
        gradient[j] = internal.scale[j] * (bond ? 2 / value : 1 / std::tan(value));
    }
    std::fill(gradient + 2 * N - 3, gradient + D, 0.0);
    return logVolume;
}
