// The loops over the terms of a PotentialModel, for as many configurations at once as `real` holds numbers.
// Included inside a namespace that has `real`, `Scalar`, WideSum and the shared maths. No include guard: each
// meaning of `real` includes it once.

#include "CustomProgram.h"

#include "CustomBornEvaluator.h"
#include "CustomTermsEvaluator.h"
#include "GeneralizedBornEvaluator.h"
#include "VirtualSites.h"

/** Evaluates a PotentialModel. Each thread has its own. */
class PotentialEvaluator {
public:
    explicit PotentialEvaluator(const PotentialModel& model) : model(model), virtualSites(model) {
        for (const auto& list : model.pairLists)
            for (const auto& pair : list.pairs)
                pairs.push_back({pair.atoms[0], pair.atoms[1], (Scalar)pair.charges,
                                 (Scalar)(pair.sigma * pair.sigma), (Scalar)(4 * pair.epsilon)});
        mappedIndex.assign(model.torsions.size(), -1);
        int mapped = 0;
        for (const auto& both : model.mappedTorsions)
            for (int torsion : both.torsions)
                if (mappedIndex[torsion] < 0)
                    mappedIndex[torsion] = mapped++;
        mappedAngle.resize(mapped);
        mappedTorque.resize(mapped);
        for (const auto& born : model.generalizedBorn)
            generalizedBorn.emplace_back(born);
        for (const auto& terms : model.customTerms)
            customTerms.emplace_back(terms);
        for (const auto& born : model.customBorn)
            customBorn.emplace_back(born, model.numParticles);
    }
    /** Add the energies to `energy`, and the forces to `force` if FORCES. The positions of virtual sites in r
     * are computed. */
    template <bool FORCES>
    void evaluate(real3* r, real3* force, WideSum& energy) {
        virtualSites.computePositions(r);
        energy.add(real(model.constant));
        addBonds<FORCES>(r, force, energy);
        addAngles<FORCES>(r, force, energy);
        addTorsions<FORCES>(r, force, energy);
        const PairParameters* next = pairs.data();
        for (const auto& list : model.pairLists) {
            if (std::isinf(list.cutoff))
                addPairs<FORCES>(next, next + list.pairs.size(), r, force, energy);
            else
                addPairsWithCutoff<FORCES>(list, next, next + list.pairs.size(), r, force, energy);
            next += list.pairs.size();
        }
        for (GeneralizedBornEvaluator& born : generalizedBorn)
            born.add<FORCES>(r, force, energy);
        for (CustomTermsEvaluator& terms : customTerms)
            terms.add<FORCES>(r, force, energy);
        for (CustomBornEvaluator& born : customBorn)
            born.add<FORCES>(r, force, energy);
        if constexpr (FORCES)
            virtualSites.distributeForces(r, force);
    }

private:
    struct PairParameters {
        int first, second;
        Scalar charges, sigma2, epsilon4;
    };
    static real3 zero() { return make_real3(real(0.0), real(0.0), real(0.0)); }

    template <bool FORCES>
    void addBonds(const real3* r, real3* force, WideSum& energy) const {
        for (const auto& bond : model.bonds) {
            const real3 d = r[bond.atoms[0]] - r[bond.atoms[1]];
            const real length = norm(d);
            const Term term = harmonicTerm(length, bond.length, bond.k);
            energy.add(term.energy);
            if constexpr (FORCES) {
                // As OpenMM: no force between particles in one place, where it has no direction.
                const real3 g = SELECT(length > real(0.0), term.derivative / length, real(0.0)) * d;
                force[bond.atoms[0]] = force[bond.atoms[0]] - g;
                force[bond.atoms[1]] = force[bond.atoms[1]] + g;
            }
        }
    }

    template <bool FORCES>
    void addAngles(const real3* r, real3* force, WideSum& energy) const {
        for (const auto& angle : model.angles) {
            const int* atoms = angle.atoms;
            const AngleFrame frame = makeAngleFrame(r[atoms[0]], r[atoms[1]], r[atoms[2]]);
            const real size = norm(frame.n);
            const Term term = harmonicTerm(ATAN2(size, dotProduct(frame.u, frame.v)), angle.angle, angle.k);
            energy.add(term.energy);
            if constexpr (FORCES) {
                const AngleGradient gradient = clampedAngleGradient(frame);
                const real3 a = term.derivative * gradient.a, c = term.derivative * gradient.c;
                force[atoms[0]] = force[atoms[0]] - a;
                force[atoms[1]] = force[atoms[1]] + (a + c);
                force[atoms[2]] = force[atoms[2]] - c;
            }
        }
    }

    void addTorsionForce(const int* atoms, const TorsionFrame& frame, real torque, real3* force) const {
        const TorsionGradient gradient = torsionGradientOfFrame(frame);
        force[atoms[0]] = force[atoms[0]] - torque * gradient.a;
        force[atoms[1]] = force[atoms[1]] - torque * gradient.b;
        force[atoms[2]] = force[atoms[2]] - torque * gradient.c;
        force[atoms[3]] = force[atoms[3]] - torque * gradient.d;
    }

    template <bool FORCES>
    void addTorsions(const real3* r, real3* force, WideSum& energy) {
        auto makeFrame = [&](const int* atoms) {
            return makeTorsionFrame(r[atoms[0]], r[atoms[1]], r[atoms[2]], r[atoms[3]]);
        };
        for (size_t i = 0; i < model.torsions.size(); i++) {
            const auto& torsion = model.torsions[i];
            const TorsionFrame frame = makeFrame(torsion.atoms);
            const real scale = real(1.0) / SQRT(dotProduct(frame.m, frame.m) * dotProduct(frame.n, frame.n));
            const real c1 = dotProduct(frame.m, frame.n) * scale;
            const real s1 = -(frame.length * dotProduct(frame.u, frame.n)) * scale;
            real c = c1, s = s1, value = torsion.cosine[0], torque = 0.0;
            for (size_t n = 1; n < torsion.cosine.size(); n++) {
                const real a = torsion.cosine[n], b = torsion.sine[n];
                value = value + a * c + b * s;
                torque = torque + real((double)n) * (b * c - a * s);
                const real next = c * c1 - s * s1;
                s = s * c1 + c * s1;
                c = next;
            }
            energy.add(value);
            if (mappedIndex[i] >= 0) {
                mappedAngle[mappedIndex[i]] = ATAN2(s1, c1);
                mappedTorque[mappedIndex[i]] = torque;
            } else if constexpr (FORCES)
                addTorsionForce(torsion.atoms, frame, torque, force);
        }
        for (const auto& both : model.mappedTorsions)
            addMap<FORCES>(model.maps[both.map], mappedIndex[both.torsions[0]], mappedIndex[both.torsions[1]],
                           energy);
        if constexpr (FORCES)
            for (size_t i = 0; i < model.torsions.size(); i++)
                if (mappedIndex[i] >= 0) {
                    const int* atoms = model.torsions[i].atoms;
                    addTorsionForce(atoms, makeFrame(atoms), mappedTorque[mappedIndex[i]], force);
                }
    }

    template <bool FORCES>
    void addMap(const PotentialModel::TorsionMap& map, int first, int second, WideSum& energy) {
        const double cellsPerRadian = map.size / 6.283185307179586477;
        // The cell that an angle lies in, and where in it.
        auto place = [&](real angle, real& cell) {
            const real cells = angle * real(cellsPerRadian);
            const real turn = SELECT(cells < real(0.0), cells + real((double)map.size), cells);
            cell = FLOOR(turn);
            cell = SELECT(cell > real(map.size - 0.5), real(map.size - 1.0), cell);
            return turn - cell;
        };
        real cellA, cellB;
        const real a = place(mappedAngle[first], cellA), b = place(mappedAngle[second], cellB);
        const real start = real(16.0) * (cellA + real((double)map.size) * cellB);
        real value = 0.0, slopeA = 0.0, slopeB = 0.0;
        for (int i = 3; i >= 0; i--) {
            auto coefficient = [&](int j) {
                return gather(map.coefficients.data(), start + real(4.0 * i + j));
            };
            const real c1 = coefficient(1), c2 = coefficient(2), c3 = coefficient(3);
            slopeA = slopeA * a + value;
            slopeB = slopeB * a + ((real(3.0) * c3 * b + real(2.0) * c2) * b + c1);
            value = value * a + (((c3 * b + c2) * b + c1) * b + coefficient(0));
        }
        energy.add(value);
        mappedTorque[first] = mappedTorque[first] + real(cellsPerRadian) * slopeA;
        mappedTorque[second] = mappedTorque[second] + real(cellsPerRadian) * slopeB;
    }

    /** Call f(pair, d, r2) for all pairs in a range; it returns the energy and (dE/dr)/r. */
    template <bool FORCES, class Function>
    static void forEachPair(const PairParameters* pair, const PairParameters* end, const real3* r,
                            real3* force, WideSum& energy, Function f) {
        while (pair != end) {
            const int first = pair->first;
            const real3 center = r[first];
            real3 sum = zero();
            for (; pair != end && pair->first == first; pair++) {
                const real3 d = center - r[pair->second];
                const Term term = f(*pair, dotProduct(d, d));
                energy.add(term.energy);
                if constexpr (FORCES) {
                    const real3 g = term.derivative * d;
                    sum = sum - g;
                    force[pair->second] = force[pair->second] + g;
                }
            }
            if constexpr (FORCES)
                force[first] = force[first] + sum;
        }
    }

    template <bool FORCES>
    void addPairs(const PairParameters* begin, const PairParameters* end, const real3* r, real3* force,
                  WideSum& energy) const {
        forEachPair<FORCES>(begin, end, r, force, energy, [](const PairParameters& pair, real r2) {
            return nonbondedTerm(r2, pair.charges, pair.sigma2, pair.epsilon4);
        });
    }

    template <bool FORCES>
    void addPairsWithCutoff(const PotentialModel::PairList& list, const PairParameters* begin,
                            const PairParameters* end, const real3* r, real3* force, WideSum& energy) const {
        const real cutoff2 = list.cutoff * list.cutoff;
        const bool isSwitched = list.switchingDistance < list.cutoff;
        const real k = list.reactionFieldK, c = list.reactionFieldC;
        forEachPair<FORCES>(begin, end, r, force, energy, [&](const PairParameters& pair, real r2) {
            const real charges = pair.charges;
            Term term = nonbondedTerm(r2, real(0.0), pair.sigma2, pair.epsilon4);
            if (isSwitched) {
                const real distance = SQRT(r2);
                term.derivative = term.derivative * distance;
                term = switchedTerm(term, distance, list.switchingDistance, list.cutoff);
                term.derivative = term.derivative / distance;
            }
            const real inverse = RSQRT(r2);
            term.energy = term.energy + charges * (inverse + k * r2 - c);
            term.derivative = term.derivative + charges * (real(2.0) * k - inverse * inverse * inverse);
            term.energy = SELECT(r2 > cutoff2, real(0.0), term.energy);
            term.derivative = SELECT(r2 > cutoff2, real(0.0), term.derivative);
            return term;
        });
    }

    const PotentialModel& model;
    VirtualSites virtualSites;
    std::vector<PairParameters> pairs;
    /** Of each torsion: its place among those that maps use, or -1. */
    std::vector<int> mappedIndex;
    std::vector<real> mappedAngle, mappedTorque;
    std::vector<GeneralizedBornEvaluator> generalizedBorn;
    std::vector<CustomTermsEvaluator> customTerms;
    std::vector<CustomBornEvaluator> customBorn;
};
