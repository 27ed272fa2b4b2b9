// The choice of internal coordinates on molecules of many kinds (tests/molecules), by what a chemist expects
// of it.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include "TestMolecules.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/internal/InternalCoordinates.h"
#include "shared/DoubleMath.h"

using namespace OpenMMFlow;
using namespace std;
using shared::make_real3;
using shared::real3;
using Kind = InternalCoordinates::TorsionKind;

namespace {

struct Expected {
    string name;
    /** Rotors, ring puckers and invertible amines; torsions held cis or trans; whether the mirror image is
     * excluded. */
    int numFree, numCisTrans;
    bool hand;
};

void PrintTo(const Expected& expected, ostream* stream) {
    *stream << expected.name;
}

real3 at(const vector<double>& positions, int atom) {
    return make_real3(positions[3 * atom], positions[3 * atom + 1], positions[3 * atom + 2]);
}

vector<double> place(const InternalCoordinates& coordinates, const vector<double>& values) {
    int count = coordinates.getNumParticles();
    vector<double> positions(3 * count, 0.0);
    for (int i = 1; i < count; i++) {
        auto p = coordinates.placements[i];
        double bond = values[i - 1], angle = i > 1 ? values[count + i - 3] : M_PI,
               torsion = i > 2 ? values[2 * count + i - 6] : 0;
        // The first two angles and torsions refer to fixed points that put these atoms on an axis and into a
        // plane.
        real3 g = i > 1 ? at(positions, p.angle) : make_real3(-1, 0, 0);
        real3 t = i > 2 ? at(positions, p.torsion) : make_real3(0.3, 1, 0);
        real3 r = shared::placeAtom(at(positions, p.bond), g, t, bond, angle, torsion);
        positions[3 * p.atom] = r.x;
        positions[3 * p.atom + 1] = r.y;
        positions[3 * p.atom + 2] = r.z;
    }
    return positions;
}

int countKind(const InternalCoordinates& coordinates, Kind kind) {
    return count(coordinates.torsionKinds.begin(), coordinates.torsionKinds.end(), kind);
}

vector<double> mirror(vector<double> positions) {
    for (size_t i = 0; i < positions.size(); i += 3)
        positions[i] = -positions[i];
    return positions;
}

Molecule permute(const Molecule& molecule, mt19937& generator) {
    vector<int> order(molecule.atomicNumbers.size());
    iota(order.begin(), order.end(), 0);
    shuffle(order.begin(), order.end(), generator);
    Molecule result = molecule;
    for (size_t i = 0; i < order.size(); i++) {
        result.atomicNumbers[order[i]] = molecule.atomicNumbers[i];
        result.atomNames[order[i]] = molecule.atomNames[i];
        result.positions[order[i]] = molecule.positions[i];
    }
    for (auto& bond : result.bonds) {
        bond = {order[bond.first], order[bond.second]};
        if (generator() % 2)
            swap(bond.first, bond.second);
    }
    return result;
}

/** What every choice must satisfy, whatever the molecule. */
void checkValid(const InternalCoordinates& coordinates, const Molecule& molecule) {
    int count = molecule.atomicNumbers.size();
    vector<double> positions = flatten(molecule.positions);
    ASSERT_EQ(count, coordinates.getNumParticles());
    ASSERT_EQ(3 * count - 6, coordinates.getNumCoordinates());
    ASSERT_EQ((size_t)(3 * count - 6), coordinates.circular.size());
    ASSERT_EQ((size_t)(3 * count - 6), coordinates.scale.size());
    ASSERT_EQ((size_t)(count - 3), coordinates.torsionKinds.size());
    ASSERT_EQ(3 * count - 6 - countKind(coordinates, Kind::Free), coordinates.getNumLinear());
    vector<char> placed(count, false);
    const double least = 10 * M_PI / 180;
    for (int i = 0; i < count; i++) {
        auto p = coordinates.placements[i];
        vector<int> references = {p.bond, p.angle, p.torsion};
        for (int k = 0; k < 3; k++) {
            if (i <= k) {
                EXPECT_EQ(-1, references[k]);
            } else {
                EXPECT_TRUE(placed[references[k]]);
                EXPECT_EQ(1, std::count(references.begin(), references.end(), references[k]));
            }
        }
        EXPECT_FALSE(placed[p.atom]);
        placed[p.atom] = true;
        if (i > 0) {
            bool bonded = any_of(molecule.bonds.begin(), molecule.bonds.end(), [&](pair<int, int> bond) {
                return bond == pair(p.atom, p.bond) || bond == pair(p.bond, p.atom);
            });
            EXPECT_TRUE(bonded);
        }
        if (i > 1) {
            double angle =
                shared::measureAngle(at(positions, p.atom), at(positions, p.bond), at(positions, p.angle));
            EXPECT_GT(angle, least);
            EXPECT_LT(angle, M_PI - least);
        }
        if (i > 2) {
            double frame =
                shared::measureAngle(at(positions, p.bond), at(positions, p.angle), at(positions, p.torsion));
            EXPECT_GT(sin(frame), sin(least));
        }
    }
    for (double scale : coordinates.scale)
        EXPECT_GT(scale, 0);
    vector<double> values = coordinates.measure(positions.data());
    EXPECT_TRUE(coordinates.isInSupport(values));
    EXPECT_EQ("", coordinates.describeViolation(positions.data()));
    for (int j = 0; j < 3 * count - 6; j++)
        EXPECT_NEAR(coordinates.circular[j] ? values[j] : coordinates.center[j], values[j], 1e-12);
}

class Choice : public testing::TestWithParam<Expected> {
protected:
    Molecule molecule = loadMolecule(GetParam().name);
    vector<double> positions = flatten(molecule.positions);
};

TEST_P(Choice, IsWhatAChemistExpects) {
    for (bool orders : {true, false}) {
        SCOPED_TRACE(orders ? "bond orders given" : "bond orders from the geometry");
        if (!orders)
            molecule.bondOrders.clear();
        InternalCoordinates coordinates = InternalCoordinates::choose(molecule);
        checkValid(coordinates, molecule);
        EXPECT_EQ(GetParam().numFree, countKind(coordinates, Kind::Free));
        EXPECT_EQ(GetParam().numCisTrans, countKind(coordinates, Kind::CisTrans));
        string violation = coordinates.describeViolation(mirror(positions).data());
        EXPECT_EQ(GetParam().hand, !violation.empty()) << violation;
        EXPECT_EQ(GetParam().hand, violation.find("hand") != string::npos) << violation;
        if (HasFailure())
            for (size_t i = 0; i < coordinates.torsionKinds.size(); i++)
                cerr << coordinates.describeCoordinate(2 * coordinates.getNumParticles() - 3 + i) << " kind "
                     << (int)coordinates.torsionKinds[i] << endl;
    }
}

TEST_P(Choice, PositionsComeBackFromTheValues) {
    InternalCoordinates coordinates = InternalCoordinates::choose(molecule);
    vector<double> values = coordinates.measure(positions.data());
    vector<double> rebuilt = place(coordinates, values);
    int count = coordinates.getNumParticles();
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++)
            EXPECT_NEAR(shared::measureBond(at(positions, i), at(positions, j)),
                        shared::measureBond(at(rebuilt, i), at(rebuilt, j)), 1e-10);
    // Distances do not see the hand; the values do.
    vector<double> again = coordinates.measure(rebuilt.data());
    for (size_t j = 0; j < values.size(); j++)
        EXPECT_NEAR(values[j], again[j], 1e-10);
}

TEST_P(Choice, DoesNotDependOnTheOrderOfAtoms) {
    mt19937 generator(11);
    for (int repeat = 0; repeat < 20; repeat++) {
        Molecule other = permute(molecule, generator);
        InternalCoordinates coordinates = InternalCoordinates::choose(other);
        checkValid(coordinates, other);
        EXPECT_EQ(GetParam().numFree, countKind(coordinates, Kind::Free));
        EXPECT_EQ(GetParam().numCisTrans, countKind(coordinates, Kind::CisTrans));
        EXPECT_EQ(GetParam().hand,
                  !coordinates.describeViolation(mirror(flatten(other.positions)).data()).empty());
    }
}

TEST_P(Choice, DoesNotDependOnThermalVibration) {
    // This noise makes bonds vibrate by 0.003 nm, as they do at 300 K.
    mt19937 generator(13);
    normal_distribution<double> normal;
    for (bool orders : {true, false})
        for (int repeat = 0; repeat < 20; repeat++) {
            Molecule other = molecule;
            for (OpenMM::Vec3& r : other.positions)
                for (int k = 0; k < 3; k++)
                    r[k] += 0.002 * normal(generator);
            if (!orders)
                other.bondOrders.clear();
            InternalCoordinates coordinates = InternalCoordinates::choose(other);
            checkValid(coordinates, other);
            EXPECT_EQ(GetParam().numFree, countKind(coordinates, Kind::Free));
            EXPECT_EQ(GetParam().numCisTrans, countKind(coordinates, Kind::CisTrans));
            EXPECT_EQ("", coordinates.describeViolation(positions.data()));
        }
}

TEST_P(Choice, GradientByTheValuesIsHadFromThatByPositions) {
    const InternalCoordinates coordinates = InternalCoordinates::choose(molecule);
    mt19937 generator(17);
    normal_distribution<double> normal;
    vector<double> r = positions, expected(coordinates.getNumCoordinates()), gradient;
    for (double& x : r)
        x += 0.003 * normal(generator);
    for (double& e : expected)
        e = normal(generator);
    // Of the sum of expected[j] * values[j].
    const double h = 1e-6;
    for (size_t i = 0; i < r.size(); i++) {
        vector<double> up = r, down = r;
        up[i] += h;
        down[i] -= h;
        const vector<double> high = coordinates.measure(up.data()), low = coordinates.measure(down.data());
        double sum = 0;
        for (size_t j = 0; j < expected.size(); j++)
            sum += expected[j] * (high[j] - low[j]) / (2 * h);
        gradient.push_back(sum);
    }
    const vector<double> found = coordinates.toCoordinateGradient(r, gradient);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t j = 0; j < expected.size(); j++)
        EXPECT_NEAR(found[j], expected[j], 1e-4) << coordinates.describeCoordinate(j);
}

TEST(RingClosure, BondsAndAnglesDoNotHangOnAllTorsions) {
    for (auto [name, numRings] : {pair{"benzene", 1},
                                  {"biphenyl", 2},
                                  {"cyclohexane", 1},
                                  {"proline-dipeptide", 1},
                                  {"adenosine", 3},
                                  {"glucose", 1},
                                  {"thalidomide", 2},
                                  {"alanine-dipeptide", 0}}) {
        const Molecule molecule = loadMolecule(name);
        const InternalCoordinates coordinates = InternalCoordinates::choose(molecule);
        int numClosures = 0;
        for (const auto& p : coordinates.placements)
            numClosures += p.torsion >= 0
                           && any_of(molecule.bonds.begin(), molecule.bonds.end(), [&](pair<int, int> bond) {
                                  return bond == pair(p.atom, p.angle) || bond == pair(p.angle, p.atom);
                              });
        EXPECT_EQ(numClosures, numRings) << name;
    }
}

TEST(RingClosure, LeavesTorsionsThatKeepAHandOrADoubleBond) {
    auto countAbout = [](const char* name, Kind kind, int atom) {
        const Molecule molecule = loadMolecule(name);
        const InternalCoordinates coordinates = InternalCoordinates::choose(molecule);
        int count = 0;
        for (size_t i = 3; i < coordinates.placements.size(); i++)
            count += coordinates.torsionKinds[i - 3] == kind && coordinates.placements[i].bond == atom;
        return count;
    };
    // All neighbours of the quaternary atom but the methyl group are in rings.
    EXPECT_GT(countAbout("triquinane", Kind::Chiral, 1), 0);
    EXPECT_GT(countAbout("parthenolide", Kind::CisTrans, 1) + countAbout("parthenolide", Kind::CisTrans, 2),
              0);
}

INSTANTIATE_TEST_SUITE_P(
    Molecules, Choice,
    testing::Values(Expected{"water", 0, 0, false}, Expected{"ammonia", 1, 0, false},
                    Expected{"methane", 0, 0, true}, Expected{"ethane", 1, 0, true},
                    Expected{"butane", 3, 0, true}, Expected{"methylamine", 2, 0, true},
                    Expected{"hydrogen-peroxide", 1, 0, false}, Expected{"formaldehyde", 0, 0, false},
                    Expected{"acetic-acid", 2, 0, true}, Expected{"guanidinium", 0, 3, false},
                    Expected{"acetonitrile", 0, 0, true}, Expected{"butyne", 1, 0, true},
                    Expected{"allene", 0, 1, true}, Expected{"dimethyl-sulfoxide", 2, 0, true},
                    Expected{"sulfur-hexafluoride", 0, 0, false}, Expected{"dimethyl-disulfide", 3, 0, true},
                    Expected{"nitrobenzene", 1, 2, false}, Expected{"benzene", 0, 2, false},
                    Expected{"toluene", 1, 2, true}, Expected{"biphenyl", 1, 4, false},
                    Expected{"cyclopropane", 0, 0, true}, Expected{"cyclohexane", 3, 0, true},
                    Expected{"cubane", 0, 0, true}, Expected{"cis-stilbene", 2, 5, false},
                    Expected{"trans-stilbene", 2, 5, false}, Expected{"alanine-dipeptide", 5, 2, true},
                    Expected{"proline-dipeptide", 6, 2, true}, Expected{"leucine-dipeptide", 8, 2, true},
                    Expected{"glucose", 9, 0, true}, Expected{"adenosine", 7, 3, true},
                    Expected{"thalidomide", 3, 3, true}, Expected{"bromochlorofluoromethane", 0, 0, true}),
    [](const auto& info) {
        string name = info.param.name;
        erase(name, '-');
        return name;
    });

}  // namespace
