#include "RealParticles.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

vector<int> findRealParticles(const System& system) {
    vector<int> particles;
    for (int i = 0; i < system.getNumParticles(); i++)
        if (!system.isVirtualSite(i))
            particles.push_back(i);
    return particles;
}

bool areFinite(const vector<int>& particles, const double* configuration) {
    // Three sums that do not wait for one another, and no branch: this is done for every energy.
    double sums[3] = {};
    for (int i : particles)
        for (int axis = 0; axis < 3; axis++)
            sums[axis] += 0 * configuration[3 * i + axis];
    return sums[0] + sums[1] + sums[2] == 0;
}

}  // namespace OpenMMFlow
