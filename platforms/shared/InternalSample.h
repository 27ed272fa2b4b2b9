#ifndef OPENMMFLOW_INTERNALSAMPLE_H_
#define OPENMMFLOW_INTERNALSAMPLE_H_

#include <array>
#include <vector>

#include "openmmflow/internal/InternalCoordinates.h"
#include "shared/DoubleMath.h"
#include "shared/noise.h"

/** One sample of an internal-coordinate flow before and after its couplings, in double precision. */
namespace OpenMMFlow {
namespace shared {

/** Draw a point of the base: normal for linear coordinates, uniform for circular ones. */
inline std::vector<double> drawInternalBase(const InternalCoordinates& coordinates, uint64_t seed,
                                            uint64_t index) {
    std::vector<double> z(coordinates.getNumCoordinates());
    int normals = 0, uniforms = 0;
    for (size_t j = 0; j < z.size(); j++) {
        if (coordinates.circular[j]) {
            const UniformPair u = uniformPair(seed, index, NoiseStream::Uniform, uniforms / 2);
            z[j] = M_PI * (2 * (uniforms % 2 == 0 ? u.first : u.second) - 1);
            uniforms++;
        } else {
            const UniformPair u = uniformPair(seed, index, NoiseStream::Normal, normals / 2);
            const NormalPair n = boxMuller(u.first, u.second);
            z[j] = normals % 2 == 0 ? n.first : n.second;
            normals++;
        }
    }
    return z;
}

/** Draw an orientation, uniform on SO(3), as a quaternion of any length. */
inline std::array<double, 4> drawOrientation(const InternalCoordinates& coordinates, uint64_t seed,
                                             uint64_t index) {
    std::array<double, 4> q;
    for (int k = 0; k < 4; k += 2) {
        const UniformPair u =
            uniformPair(seed, index, NoiseStream::Normal, (coordinates.getNumLinear() + 1) / 2 + k / 2);
        const NormalPair n = boxMuller(u.first, u.second);
        q[k] = n.first;
        q[k + 1] = n.second;
    }
    return q;
}

/** Get the values of coordinates, in nm and radians, from standardised ones. */
inline std::vector<double> getValues(const InternalCoordinates& coordinates, const std::vector<double>& z) {
    std::vector<double> values(z.size());
    for (size_t j = 0; j < z.size(); j++)
        values[j] = coordinates.circular[j] ? z[j] : coordinates.center[j] + coordinates.scale[j] * z[j];
    return values;
}

inline real3 loadAtom(const double* positions, int atom) {
    return make_real3(positions[3 * atom], positions[3 * atom + 1], positions[3 * atom + 2]);
}

inline void storeAtom(double* positions, int atom, real3 r) {
    positions[3 * atom] = r.x;
    positions[3 * atom + 1] = r.y;
    positions[3 * atom + 2] = r.z;
}

/**
 * Place the atoms of a molecule.
 *
 * @param values        of the coordinates, in nm and radians
 * @param orientation   a quaternion of any length
 * @param positions     (N, 3): on exit, in nm, with their centre at the origin
 */
inline void placeAtoms(const InternalCoordinates& coordinates, const std::vector<double>& values,
                       const std::array<double, 4>& orientation, double* positions) {
    const int numParticles = coordinates.getNumParticles();
    const auto& placements = coordinates.placements;
    const double* bonds = values.data();
    const double* angles = bonds + numParticles - 1;
    const double* torsions = angles + numParticles - 2;
    storeAtom(positions, placements[0].atom, make_real3(0, 0, 0));
    storeAtom(positions, placements[1].atom, make_real3(bonds[0], 0, 0));
    for (int i = 2; i < numParticles; i++) {
        const auto& place = placements[i];
        const real3 p = loadAtom(positions, place.bond), g = loadAtom(positions, place.angle);
        // The third atom has no torsion: any point off the line does, as the orientation is drawn.
        const real3 t = i == 2 ? make_real3(0, 1, 0) : loadAtom(positions, place.torsion);
        storeAtom(positions, place.atom,
                  placeAtom(p, g, t, bonds[i - 1], angles[i - 2], i == 2 ? 0.0 : torsions[i - 3]));
    }
    real3 centre = make_real3(0, 0, 0);
    for (int i = 0; i < numParticles; i++)
        centre = centre + (1.0 / numParticles) * loadAtom(positions, i);
    const auto& q = orientation;
    for (int i = 0; i < numParticles; i++)
        storeAtom(positions, i, rotateVector(q[0], q[1], q[2], q[3], loadAtom(positions, i) - centre));
}

}  // namespace shared
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_INTERNALSAMPLE_H_*/
