#include "RealParticles.h"

#include <algorithm>
#include <cmath>

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
    return all_of(particles.begin(), particles.end(), [&](int i) {
        const double* r = configuration + 3 * i;
        return isfinite(r[0]) && isfinite(r[1]) && isfinite(r[2]);
    });
}

}  // namespace OpenMMFlow
