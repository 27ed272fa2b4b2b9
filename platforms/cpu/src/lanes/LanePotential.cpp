#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "../CpuPotential.h"
#include "LaneExpressionMachine.h"
#include "WideSum.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

namespace {

#include "shared/PotentialEvaluator.h"

class LanePotential : public CpuPotential {
public:
    explicit LanePotential(const PotentialModel& model)
        : evaluator(model),
          realParticles(model.realParticles),
          numParticles(model.numParticles),
          isCentered(model.isTranslationInvariant),
          position(numParticles),
          force(numParticles) {}
    void compute(long long count, const double* positions, double* energies, double* forces) override {
        const size_t size = 3 * numParticles;
        for (long long start = 0; start < count; start += LANES) {
            const int used = (int)std::min<long long>(LANES, count - start);
            load(used, positions + start * size);
            WideSum energy;
            if (forces == nullptr)
                evaluator.evaluate<false>(position.data(), nullptr, energy);
            else {
                std::fill(force.begin(), force.end(), make_real3(0.0, 0.0, 0.0));
                evaluator.evaluate<true>(position.data(), force.data(), energy);
                store(used, forces + start * size);
            }
            for (int lane = 0; lane < used; lane++)
                energies[start + lane] = energy.get(lane);
        }
    }

private:
    /** Positions, relative to the centre where the energy allows it: single precision holds them best there.
     * What is given for virtual sites may be anything. Lanes without a sample repeat the last. */
    void load(int used, const double* positions) {
        const size_t size = 3 * numParticles;
        for (int lane = 0; lane < LANES; lane++) {
            const double* from = positions + std::min(lane, used - 1) * size;
            double center[3] = {0, 0, 0};
            if (isCentered)
                for (int i : realParticles)
                    for (int axis = 0; axis < 3; axis++)
                        center[axis] += from[3 * i + axis];
            for (double& c : center)
                c /= (double)realParticles.size();
            Scalar* to = (Scalar*)position.data() + lane;
            for (size_t i = 0; i < size; i += 3)
                for (int axis = 0; axis < 3; axis++)
                    to[(i + axis) * LANES] = (Scalar)(from[i + axis] - center[axis]);
        }
    }
    void store(int used, double* forces) const {
        const size_t size = 3 * numParticles;
        for (int lane = 0; lane < used; lane++) {
            const Scalar* from = (const Scalar*)force.data() + lane;
            for (size_t i = 0; i < size; i++)
                forces[lane * size + i] = from[i * LANES];
        }
    }

    PotentialEvaluator evaluator;
    const std::vector<int>& realParticles;
    size_t numParticles;
    bool isCentered;
    std::vector<real3> position, force;
};

}  // namespace

CpuPotential* createPotential(const PotentialModel& model) {
    return new LanePotential(model);
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow
