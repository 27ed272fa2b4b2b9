#ifndef OPENMMFLOW_RANDOMROTATION_H_
#define OPENMMFLOW_RANDOMROTATION_H_

#include <array>
#include <cmath>

#include "shared/DoubleMath.h"
#include "shared/noise.h"

namespace OpenMMFlow {
namespace shared {

/** A rotation as a matrix, row by row. */
using RotationMatrix = std::array<double, 9>;

/** Draw a rotation uniformly, from SO(3), or, in two dimensions, from those around z: the same for the same
 * seed and sample. */
inline RotationMatrix drawRotation(uint64_t seed, uint64_t sample, int dimensions) {
    const UniformPair u = uniformPair(seed, sample, NoiseStream::Rotation, 0);
    if (dimensions == 2) {
        const double c = std::cos(2 * M_PI * u.first), s = std::sin(2 * M_PI * u.first);
        return {c, -s, 0, s, c, 0, 0, 0, 1};
    }
    const UniformPair v = uniformPair(seed, sample, NoiseStream::Rotation, 1);
    const NormalPair p = boxMuller(u.first, u.second), q = boxMuller(v.first, v.second);
    RotationMatrix result;
    for (int column = 0; column < 3; column++) {
        const real3 axis = make_real3(column == 0, column == 1, column == 2);
        const real3 image = rotateVector(p.first, p.second, q.first, q.second, axis);
        result[column] = image.x;
        result[3 + column] = image.y;
        result[6 + column] = image.z;
    }
    return result;
}

/** Rotate positions (count, 3). */
inline void rotate(const RotationMatrix& rotation, double* positions, int count) {
    for (double* r = positions; r < positions + 3 * (size_t)count; r += 3) {
        const double x = r[0], y = r[1], z = r[2];
        for (int axis = 0; axis < 3; axis++)
            r[axis] = rotation[3 * axis] * x + rotation[3 * axis + 1] * y + rotation[3 * axis + 2] * z;
    }
}

}  // namespace shared
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_RANDOMROTATION_H_*/
