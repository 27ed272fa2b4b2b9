#ifndef OPENMMFLOW_JOINTLAYOUT_H_
#define OPENMMFLOW_JOINTLAYOUT_H_

#include <cmath>

#include "openmmflow/internal/CouplingModel.h"

namespace OpenMMFlow {

/**
 * Where the numbers of a joint configuration (N+A, 3), in nm, stand among the points (3 a cloud, particles)
 * of a coupling flow, in its unit of length. In two dimensions every third number is ignored, and 0 in
 * results.
 */
class JointLayout {
public:
    JointLayout(const CouplingModel& model, double unit)
        : unit(unit),
          numParticles(model.getNumParticles()),
          numNumbers(3 * numParticles * model.getNumClouds()),
          dimensions(model.getParticles().dimensions) {}
    int getNumNumbers() const { return numNumbers; }
    int getRow(int i) const { return 3 * (i / 3 / numParticles) + i % 3; }
    int getParticle(int i) const { return i / 3 % numParticles; }
    bool isUsed(int i) const { return i % 3 < dimensions; }
    bool isFinite(const double* positions) const {
        for (int i = 0; i < numNumbers; i++)
            if (isUsed(i) && !std::isfinite(positions[i]))
                return false;
        return true;
    }
    /** Move the centre of x to the origin. The first particle goes there before, so that rounding does not
     * depend on where a configuration stands. */
    void center(double* positions) const {
        const double first[3] = {positions[0], positions[1], positions[2]};
        double sum[3] = {0, 0, 0};
        for (int i = 0; i < numNumbers; i++)
            positions[i] -= first[i % 3];
        for (int i = 0; i < 3 * numParticles; i++)
            sum[i % 3] += positions[i];
        for (int i = 0; i < numNumbers; i++)
            positions[i] -= sum[i % 3] / numParticles;
    }
    const double unit;

private:
    int numParticles, numNumbers, dimensions;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_JOINTLAYOUT_H_*/
