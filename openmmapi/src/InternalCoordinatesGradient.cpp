#include "openmm/OpenMMException.h"
#include "openmmflow/internal/InternalCoordinates.h"
#include "shared/DoubleMath.h"

using namespace OpenMMFlow;
using namespace std;

namespace {

shared::real3 loadVector(const vector<double>& values, int atom) {
    return shared::make_real3(values[3 * atom], values[3 * atom + 1], values[3 * atom + 2]);
}

/** Takes a share of the gradient off an atom. */
void subtractShare(vector<double>& gradient, int atom, shared::real3 share) {
    gradient[3 * atom] -= share.x;
    gradient[3 * atom + 1] -= share.y;
    gradient[3 * atom + 2] -= share.z;
}

/** The part of a gradient that lies along that of a coordinate, in units of it. */
double projectOnto(shared::real3 gradient, shared::real3 direction) {
    return shared::dotProduct(gradient, direction) / shared::dotProduct(direction, direction);
}

}  // namespace

vector<double> InternalCoordinates::toCoordinateGradient(const vector<double>& positions,
                                                         vector<double> gradient) const {
    const int count = getNumParticles();
    if (positions.size() != (size_t)3 * count || gradient.size() != positions.size())
        throw OpenMM::OpenMMException("Positions and gradient must have three numbers for each of the "
                                      + to_string(count) + " atoms.");
    vector<double> result(getNumCoordinates());
    // The atom that is placed last appears in its own coordinates only, whose gradients there are orthogonal.
    // What they account for is taken off the other atoms, of which the one before is the last then.
    for (int i = count - 1; i >= 1; i--) {
        const Placement& place = placements[i];
        const shared::real3 r = loadVector(positions, place.atom), p = loadVector(positions, place.bond);
        const shared::real3 total = loadVector(gradient, place.atom);
        const shared::real3 direction = (1 / shared::measureBond(r, p)) * (r - p);
        result[i - 1] = projectOnto(total, direction);
        subtractShare(gradient, place.bond, -result[i - 1] * direction);
        if (i < 2)
            continue;
        const shared::real3 g = loadVector(positions, place.angle);
        const shared::AngleGradient angle = shared::angleGradient(r, p, g);
        double& byAngle = result[count + i - 3];
        byAngle = projectOnto(total, angle.a);
        subtractShare(gradient, place.angle, byAngle * angle.c);
        subtractShare(gradient, place.bond, -byAngle * (angle.a + angle.c));
        if (i < 3)
            continue;
        const shared::TorsionGradient torsion =
            shared::torsionGradient(r, p, g, loadVector(positions, place.torsion));
        double& byTorsion = result[2 * count + i - 6];
        byTorsion = projectOnto(total, torsion.a);
        subtractShare(gradient, place.bond, byTorsion * torsion.b);
        subtractShare(gradient, place.angle, byTorsion * torsion.c);
        subtractShare(gradient, place.torsion, byTorsion * torsion.d);
    }
    return result;
}
