#include "InternalFlow.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

namespace {

real3 loadAtom(const Rows& rows, int atom, int s) {
    return make_real3(rows.at(3 * atom, s), rows.at(3 * atom + 1, s), rows.at(3 * atom + 2, s));
}

void storeAtom(Rows& rows, int atom, int s, real3 r) {
    rows.at(3 * atom, s) = r.x;
    rows.at(3 * atom + 1, s) = r.y;
    rows.at(3 * atom + 2, s) = r.z;
}

void addToAtom(Rows& rows, int atom, int s, real3 r) {
    storeAtom(rows, atom, s, loadAtom(rows, atom, s) + r);
}

/** 1 where lower < value < upper, else 0. */
Lanes isBetween(Lanes value, double lower, double upper) {
    return SELECT(value > Lanes(lower), SELECT(value < Lanes(upper), Lanes(1.0), Lanes(0.0)), Lanes(0.0));
}

Lanes centerOf(Lanes sum, int number) {
    return sum * Lanes(1.0 / number);
}

}  // namespace

void InternalFlowBlock::placeAtoms(int count) {
    const InternalCoordinates& coordinates = flow.coordinates;
    const int firstAngle = numParticles - 1, firstTorsion = 2 * numParticles - 3;
    for (int s = 0; s < count; s += LANES) {
        auto value = [&](int j) {
            const Lanes x = z.at(j, s);
            return coordinates.circular[j] ? x
                                           : Lanes(coordinates.center[j]) + Lanes(coordinates.scale[j]) * x;
        };
        Lanes logVolume = 0.0, inSupport = 1.0;
        storeAtom(positions, coordinates.placements[0].atom, s, make_real3(0.0, 0.0, 0.0));
        for (int i = 1; i < numParticles; i++) {
            const auto& place = coordinates.placements[i];
            const Lanes bond = value(i - 1);
            inSupport = inSupport * SELECT(bond > Lanes(0.0), Lanes(1.0), Lanes(0.0));
            if (i == 1) {
                storeAtom(positions, place.atom, s, make_real3(bond, 0.0, 0.0));
                logVolume = LOG(bond * bond);
                continue;
            }
            const Lanes angle = value(firstAngle + i - 2);
            inSupport = inSupport * isBetween(angle, 0, M_PI);
            logVolume = logVolume + LOG(bond * bond * SIN(angle));
            // The third atom has no torsion: any point off the line does, as the orientation is drawn below.
            real3 t = make_real3(0.0, 1.0, 0.0);
            Lanes torsion = 0.0;
            if (i > 2) {
                t = loadAtom(positions, place.torsion, s);
                torsion = value(firstTorsion + i - 3);
                if (!coordinates.circular[firstTorsion + i - 3])
                    inSupport = inSupport
                                * isBetween(torsion, coordinates.torsionLower[i - 3],
                                            coordinates.torsionUpper[i - 3]);
            }
            storeAtom(positions, place.atom, s,
                      placeAtom(loadAtom(positions, place.bond, s), loadAtom(positions, place.angle, s), t,
                                bond, angle, torsion));
        }
        logDensity.at(0, s) = logDensity.at(0, s) - logVolume;
        support.at(0, s) = inSupport;

        real3 sum = make_real3(0.0, 0.0, 0.0);
        for (int i = 0; i < numParticles; i++)
            sum = sum + loadAtom(positions, i, s);
        const real3 centre = make_real3(centerOf(sum.x, numParticles), centerOf(sum.y, numParticles),
                                        centerOf(sum.z, numParticles));
        Lanes q[4];
        for (int k = 0; k < 4; k++) {
            Vector number;
            for (int lane = 0; lane < LANES; lane++)
                number[lane] = normals[(size_t)(numNormals - 4 + k) * COLUMNS + s + lane];
            q[k] = number;
        }
        for (int i = 0; i < numParticles; i++)
            storeAtom(positions, i, s,
                      rotateVector(q[0], q[1], q[2], q[3], loadAtom(positions, i, s) - centre));
    }
}

void InternalFlowBlock::measureCoordinates(int count) {
    const InternalCoordinates& coordinates = flow.coordinates;
    for (int s = 0; s < count; s += LANES) {
        Lanes logVolume = 0.0, inSupport = 1.0;
        auto set = [&](int j, Lanes value) {
            values.at(j, s) = value;
            z.at(j, s) = coordinates.circular[j]
                             ? value
                             : (value - Lanes(coordinates.center[j])) * Lanes(1 / coordinates.scale[j]);
        };
        for (int i = 1; i < numParticles; i++) {
            const auto& place = coordinates.placements[i];
            const real3 r = loadAtom(positions, place.atom, s), p = loadAtom(positions, place.bond, s);
            const Lanes bond = measureBond(r, p);
            inSupport = inSupport * SELECT(bond > Lanes(0.0), Lanes(1.0), Lanes(0.0));
            set(i - 1, bond);
            Lanes volume = bond * bond;
            if (i > 1) {
                const int j = numParticles - 1 + i - 2;
                const real3 g = loadAtom(positions, place.angle, s);
                const Lanes angle = measureAngle(r, p, g);
                inSupport = inSupport * isBetween(angle, 0, M_PI);
                set(j, angle);
                volume = volume * SIN(angle);
                if (i > 2) {
                    const int k = 2 * numParticles - 3 + i - 3;
                    Lanes torsion = measureTorsion(r, p, g, loadAtom(positions, place.torsion, s));
                    if (!coordinates.circular[k]) {
                        const Lanes center = coordinates.center[k];
                        torsion = center + wrapAngle(torsion - center);
                        inSupport = inSupport
                                    * isBetween(torsion, coordinates.torsionLower[i - 3],
                                                coordinates.torsionUpper[i - 3]);
                    }
                    set(k, torsion);
                }
            }
            logVolume = logVolume + LOG(volume);
        }
        logDensity.at(0, s) = logDensity.at(0, s) - logVolume;
        support.at(0, s) = inSupport;
    }
}

void InternalFlowBlock::backpropagateCoordinates(int count) {
    const InternalCoordinates& coordinates = flow.coordinates;
    Rows& gradient = reverse->gradient;
    for (int s = 0; s < count; s += LANES) {
        auto worth = [&](int j) {
            return reverse->adjoint.at(j, s)
                   * Lanes(coordinates.circular[j] ? 1.0 : 1 / coordinates.scale[j]);
        };
        for (int i = 0; i < numParticles; i++)
            storeAtom(gradient, i, s, make_real3(0.0, 0.0, 0.0));
        for (int i = 1; i < numParticles; i++) {
            const auto& place = coordinates.placements[i];
            const real3 r = loadAtom(positions, place.atom, s), p = loadAtom(positions, place.bond, s);
            const Lanes bond = values.at(i - 1, s);
            const real3 along = ((worth(i - 1) - Lanes(2.0) / bond) / bond) * (r - p);
            addToAtom(gradient, place.atom, s, along);
            addToAtom(gradient, place.bond, s, Lanes(-1.0) * along);
            if (i < 2)
                continue;
            const int j = numParticles - 1 + i - 2;
            const Lanes angle = values.at(j, s);
            const Lanes angleWorth = worth(j) - COS(angle) / SIN(angle);
            const real3 g = loadAtom(positions, place.angle, s);
            const AngleGradient slope = angleGradient(r, p, g);
            const real3 outer = angleWorth * slope.a, inner = angleWorth * slope.c;
            addToAtom(gradient, place.atom, s, outer);
            addToAtom(gradient, place.angle, s, inner);
            addToAtom(gradient, place.bond, s, Lanes(-1.0) * (outer + inner));
            if (i < 3)
                continue;
            const Lanes torsionWorth = worth(2 * numParticles - 3 + i - 3);
            const TorsionGradient torsion = torsionGradient(r, p, g, loadAtom(positions, place.torsion, s));
            addToAtom(gradient, place.atom, s, torsionWorth * torsion.a);
            addToAtom(gradient, place.bond, s, torsionWorth * torsion.b);
            addToAtom(gradient, place.angle, s, torsionWorth * torsion.c);
            addToAtom(gradient, place.torsion, s, torsionWorth * torsion.d);
        }
    }
}

void InternalFlowBlock::storePositions(int count, double* out) const {
    for (int s = 0; s < count; s++)
        for (int i = 0; i < 3 * numParticles; i++)
            out[(size_t)s * 3 * numParticles + i] = positions.scalar(i, s);
}

void InternalFlowBlock::storeGradient(int count, double* out) const {
    for (int s = 0; s < count; s++)
        for (int i = 0; i < 3 * numParticles; i++)
            out[(size_t)s * 3 * numParticles + i] = reverse->gradient.scalar(i, s);
}

void InternalFlowBlock::loadPositions(int count, int columns, const double* in) {
    for (int s = 0; s < columns; s++) {
        // Lanes beyond the last sample repeat it.
        const double* source = in + (size_t)std::min(s, count - 1) * 3 * numParticles;
        // Relative to the first atom, so that a molecule far from the origin keeps its precision.
        bool allFinite = true;
        for (int i = 0; i < 3 * numParticles; i++) {
            const double x = source[i] - source[i % 3];
            allFinite = allFinite && std::isfinite(x);
            positions.scalar(i, s) = (Scalar)x;
        }
        finite.scalar(0, s) = allFinite;
    }
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow
