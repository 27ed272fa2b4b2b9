#include "openmmflow/AnnealingOptions.h"

#include <string>

#include "openmm/OpenMMException.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

void requireAtLeast(long long value, long long minimum, const string& name) {
    if (value < minimum)
        throw OpenMMException("Annealing needs at least " + to_string(minimum) + " " + name + ", not "
                              + to_string(value) + ".");
}

void requireFraction(double value, const string& name) {
    if (!(value > 0 && value < 1))
        throw OpenMMException("The " + name + " of annealing must lie between 0 and 1, and "
                              + to_string(value) + " does not.");
}

}  // namespace

void AnnealingOptions::check(long long count, uint64_t first) const {
    requireAtLeast(islandSize, 1, "sample in an island");
    if (!(resamplingThreshold >= 0 && resamplingThreshold <= 1))
        throw OpenMMException(
            "The resampling threshold of annealing must be a fraction, from 0 (never) to 1, and "
            + to_string(resamplingThreshold) + " is not.");
    if (count % islandSize != 0 || first % islandSize != 0)
        throw OpenMMException("Samples are annealed in islands of " + to_string(islandSize)
                              + ": give a count and a first sample that are multiples of it, not "
                              + to_string(count) + " and " + to_string(first) + ".");
    if (schedule) {
        schedule->check();
        return;
    }
    requireFraction(conditionalEss, "conditional effective sample fraction");
    requireFraction(acceptance, "acceptance");
    requireAtLeast(leapfrogSteps, 1, "leapfrog step in a move");
    requireAtLeast(movesPerBeta, 1, "move at each beta");
    requireAtLeast(pilotSize, 50, "samples in its pilot run");
}

}  // namespace OpenMMFlow
