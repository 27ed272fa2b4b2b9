#include "SplineKernels.h"

namespace OpenMMFlow {

namespace lanes_single {
SplineKernels<float> makeSplineKernels();
}
namespace lanes_double {
SplineKernels<double> makeSplineKernels();
}

}  // namespace OpenMMFlow

extern "C" const OpenMMFlow::AllSplineKernels* openmmflowSplineKernels() {
    static const OpenMMFlow::AllSplineKernels kernels{OpenMMFlow::lanes_single::makeSplineKernels(),
                                                      OpenMMFlow::lanes_double::makeSplineKernels()};
    return &kernels;
}
