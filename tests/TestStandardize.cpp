// The errors of choosing internal coordinates, and their standardisation on data.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "TestMolecules.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/internal/InternalCoordinates.h"
#include "shared/DoubleMath.h"

using namespace OpenMMFlow;
using namespace std;
using OpenMM::OpenMMException;
using OpenMM::Vec3;
using Kind = InternalCoordinates::TorsionKind;

namespace {

template <class Function>
string messageOf(Function function) {
    try {
        function();
    } catch (const OpenMMException& e) {
        return e.what();
    }
    return "no exception";
}

#define EXPECT_MESSAGE(fragment, statement)                         \
    do {                                                            \
        string message = messageOf([&] { statement; });             \
        EXPECT_NE(string::npos, message.find(fragment)) << message; \
    } while (false)

void expectRefused(const Molecule& molecule, const string& fragment) {
    EXPECT_MESSAGE(fragment, InternalCoordinates::choose(molecule));
}

TEST(ChoiceErrors, FewerThanThreeAtoms) {
    expectRefused(Molecule{}, "at least 3 atoms");
    expectRefused({{8, 1}, {}, {{0, 1}}, {}, {Vec3(), Vec3(0.1, 0, 0)}},
                  "at least 3 atoms, and this one has 2");
}

TEST(ChoiceErrors, SeveralMolecules) {
    Molecule molecule = loadMolecule("acetic-acid");
    molecule.atomicNumbers.push_back(11);
    molecule.atomNames.push_back("NA");
    molecule.positions.push_back(Vec3(1, 1, 1));
    expectRefused(molecule, "several molecules: no bonds lead from atom C1 (index 0) to atom NA (index 8)");
}

TEST(ChoiceErrors, ParticlesThatAreNotAtoms) {
    for (int number : {0, -1, 119}) {
        Molecule molecule = loadMolecule("water");
        molecule.atomicNumbers[1] = number;
        expectRefused(molecule, "Particle 1 has atomic number " + to_string(number) + " and is not an atom");
    }
}

TEST(ChoiceErrors, Bonds) {
    Molecule molecule = loadMolecule("water");
    molecule.bonds[1] = {0, 3};
    expectRefused(molecule, "Bond 1 joins atoms 0 and 3, but atom indices go from 0 to 2");
    molecule.bonds[1] = {-1, 0};
    expectRefused(molecule, "Bond 1 joins atoms -1 and 0");
    molecule.bonds[1] = {2, 2};
    expectRefused(molecule, "to itself");
    molecule = loadMolecule("water");
    molecule.bondOrders = {1};
    expectRefused(molecule, "2 bonds but 1 bond orders");
    molecule.bondOrders = {1, 4};
    expectRefused(molecule, "Bond 1 has order 4");
    molecule.bondOrders = {1, 1, 2};
    molecule.bonds.push_back({1, 0});
    expectRefused(molecule, "given twice, with different orders");
    molecule.bondOrders = {1, 1, 1};
    EXPECT_EQ(3, InternalCoordinates::choose(molecule).getNumCoordinates());
}

TEST(ChoiceErrors, Positions) {
    Molecule molecule = loadMolecule("ethane");
    molecule.positions.pop_back();
    expectRefused(molecule, "8 atoms but 7 positions");
    for (double bad : {numeric_limits<double>::quiet_NaN(), numeric_limits<double>::infinity()}) {
        molecule = loadMolecule("ethane");
        molecule.positions[3][1] = bad;
        expectRefused(molecule, "atom H2 (index 3) in the reference conformation is not finite");
    }
    molecule = loadMolecule("ethane");
    molecule.positions[5] = molecule.positions[2] + Vec3(0.01, 0, 0);
    expectRefused(molecule, "H1 and H4 (indices 2 and 5) overlap");
    molecule = loadMolecule("ethane");
    for (Vec3& r : molecule.positions)
        r *= 10;
    expectRefused(molecule, "give positions in nm");
    molecule = loadMolecule("ethane");
    molecule.atomNames.pop_back();
    expectRefused(molecule, "8 atoms but 7 atom names");
}

TEST(ChoiceErrors, AllAtomsOnOneLine) {
    Molecule carbonDioxide = {
        {8, 6, 8}, {}, {{0, 1}, {1, 2}}, {}, {Vec3(), Vec3(0.116, 0, 0), Vec3(0.232, 0.001, 0)}};
    expectRefused(carbonDioxide, "all on one line");
    Molecule ethyne = {{1, 6, 6, 1},
                       {},
                       {{0, 1}, {1, 2}, {2, 3}},
                       {},
                       {Vec3(), Vec3(0, 0, 0.106), Vec3(0, 0, 0.226), Vec3(0, 0, 0.332)}};
    expectRefused(ethyne, "all on one line");
}

TEST(ChoiceErrors, AtomsWithoutNamesAreNamedByElement) {
    Molecule molecule = loadMolecule("ethane");
    molecule.atomNames.clear();
    InternalCoordinates coordinates = InternalCoordinates::choose(molecule);
    EXPECT_EQ("C0", coordinates.atomNames[0]);
    EXPECT_EQ("H7", coordinates.atomNames[7]);
}

/** Random values of all coordinates about the reference, as positions. */
class Standardize : public testing::Test {
protected:
    Molecule molecule = loadMolecule("alanine-dipeptide");
    InternalCoordinates coordinates = InternalCoordinates::choose(molecule);
    vector<double> reference = flatten(molecule.positions);
    mt19937 generator{5};
    normal_distribution<double> normal;

    vector<double> makeFrames(int count) {
        vector<double> frames;
        for (int frame = 0; frame < count; frame++)
            for (double x : reference)
                frames.push_back(x + 0.002 * normal(generator));
        return frames;
    }
    vector<double> getFrame(const vector<double>& frames, int frame) {
        return {frames.begin() + frame * reference.size(), frames.begin() + (frame + 1) * reference.size()};
    }
    /** Turn one substituent of an atom about a bond by an angle, in the reference conformation. */
    vector<double> turn(int atom, int end, int start, double angle) {
        Vec3 axis = molecule.positions[end] - molecule.positions[start];
        axis /= sqrt(axis.dot(axis));
        Vec3 r = molecule.positions[atom] - molecule.positions[end];
        Vec3 turned = r * cos(angle) + axis.cross(r) * sin(angle) + axis * axis.dot(r) * (1 - cos(angle));
        vector<double> frame = reference;
        for (int k = 0; k < 3; k++)
            frame[3 * atom + k] = molecule.positions[end][k] + turned[k];
        return frame;
    }
};

TEST_F(Standardize, CentersAndScalesAreWeightedMomentsOfTheValues) {
    const int count = 500;
    vector<double> frames = makeFrames(count), weights;
    for (int i = 0; i < count; i++)
        weights.push_back(i % 7 == 0 ? 0 : exp(normal(generator)));
    InternalCoordinates before = coordinates;
    coordinates.standardize(frames, weights);
    double total = 0;
    vector<double> mean(coordinates.getNumCoordinates(), 0), square = mean;
    for (int i = 0; i < count; i++) {
        vector<double> values = coordinates.measure(getFrame(frames, i).data());
        EXPECT_TRUE(coordinates.isInSupport(values));
        total += weights[i];
        for (size_t j = 0; j < values.size(); j++) {
            mean[j] += weights[i] * values[j];
            square[j] += weights[i] * pow(values[j] - coordinates.center[j], 2);
        }
    }
    for (size_t j = 0; j < mean.size(); j++) {
        if (coordinates.circular[j]) {
            EXPECT_EQ(0, coordinates.center[j]);
            EXPECT_EQ(1, coordinates.scale[j]);
            continue;
        }
        EXPECT_NEAR(mean[j] / total, coordinates.center[j], 1e-4) << coordinates.describeCoordinate(j);
        EXPECT_NEAR(sqrt(square[j] / total), coordinates.scale[j], 1e-4) << coordinates.describeCoordinate(j);
        EXPECT_NE(before.center[j], coordinates.center[j]);
    }
}

TEST_F(Standardize, PlanarTorsionsStayOnAFullTurnAboutTheirCenter) {
    // Frames whose planar torsions all lie half a turn from the reference, across the edge of the first
    // support.
    int planar = find(coordinates.torsionKinds.begin(), coordinates.torsionKinds.end(), Kind::Planar)
                 - coordinates.torsionKinds.begin();
    ASSERT_LT(planar, (int)coordinates.torsionKinds.size());
    auto p = coordinates.placements[planar + 3];
    vector<double> frames;
    for (int i = 0; i < 100; i++) {
        vector<double> frame = turn(p.atom, p.bond, p.angle, M_PI + 0.1 * normal(generator));
        frames.insert(frames.end(), frame.begin(), frame.end());
    }
    // Atoms that hang on the turned one come along in no way, so only its own torsion is looked at.
    int j = 2 * coordinates.getNumParticles() - 3 + planar;
    ASSERT_EQ(1, count_if(coordinates.placements.begin(), coordinates.placements.end(),
                          [&](auto& other) { return other.bond == p.atom || other.atom == p.atom; }))
        << "choose a terminal atom";
    double old = coordinates.center[j];
    coordinates.standardize(frames);
    EXPECT_NEAR(M_PI, fabs(shared::wrapAngle(coordinates.center[j] - old)), 0.05);
    EXPECT_NEAR(0.1, coordinates.scale[j], 0.03);
    EXPECT_NEAR(coordinates.center[j] - M_PI, coordinates.torsionLower[planar], 1e-12);
    EXPECT_NEAR(coordinates.center[j] + M_PI, coordinates.torsionUpper[planar], 1e-12);
}

TEST_F(Standardize, OneFrameKeepsTheTypicalScales) {
    vector<double> scale = coordinates.scale;
    coordinates.standardize(reference);
    EXPECT_EQ(scale, coordinates.scale);
}

TEST_F(Standardize, DataWithoutSpreadKeepASmallScale) {
    vector<double> frames = reference;
    frames.insert(frames.end(), reference.begin(), reference.end());
    coordinates.standardize(frames);
    for (double scale : coordinates.scale)
        EXPECT_GT(scale, 1e-4);
}

TEST_F(Standardize, AnotherHandIsRefused) {
    vector<double> frames = makeFrames(20);
    for (size_t i = 0; i < reference.size(); i += 3)
        frames[17 * reference.size() + i] *= -1;
    EXPECT_MESSAGE("Frame 17 (counted from 0) lies outside what this flow covers: atom ",
                   coordinates.standardize(frames));
    EXPECT_MESSAGE("has the other hand than in the reference conformation", coordinates.standardize(frames));
    vector<double> weights(20, 1);
    weights[17] = 0;
    coordinates.standardize(frames, weights);
}

TEST_F(Standardize, CisInsteadOfTransIsRefused) {
    int held = find(coordinates.torsionKinds.begin(), coordinates.torsionKinds.end(), Kind::CisTrans)
               - coordinates.torsionKinds.begin();
    ASSERT_LT(held, (int)coordinates.torsionKinds.size());
    auto p = coordinates.placements[held + 3];
    vector<double> frames = makeFrames(3), wrong = turn(p.atom, p.bond, p.angle, M_PI);
    EXPECT_NE(string::npos,
              coordinates.describeViolation(wrong.data()).find("as in the reference conformation: torsion "));
    frames.insert(frames.end(), wrong.begin(), wrong.end());
    EXPECT_MESSAGE("Frame 3 (counted from 0) lies outside what this flow covers: the bond ",
                   coordinates.standardize(frames));
}

TEST_F(Standardize, UselessDataAreRefused) {
    vector<double> frames = makeFrames(3);
    EXPECT_MESSAGE("no whole number of frames", coordinates.standardize({1, 2, 3}));
    EXPECT_MESSAGE("hold no frame", coordinates.standardize({}));
    EXPECT_MESSAGE("3 frames but 2 weights", coordinates.standardize(frames, {1, 1}));
    EXPECT_MESSAGE("weight of frame 1 is negative", coordinates.standardize(frames, {1, -1, 1}));
    EXPECT_MESSAGE("weight of frame 2 is negative or not finite",
                   coordinates.standardize(frames, {1, 1, numeric_limits<double>::quiet_NaN()}));
    EXPECT_MESSAGE("The sum of the weights is zero", coordinates.standardize(frames, {0, 0, 0}));
    EXPECT_MESSAGE("or infinite", coordinates.standardize(frames, {1e308, 1e308, 1e308}));
    frames[reference.size() + 4] = numeric_limits<double>::quiet_NaN();
    EXPECT_MESSAGE(
        "Frame 1 (counted from 0) lies outside what this flow covers: the position of atom C2 is not finite",
        coordinates.standardize(frames));
}

TEST_F(Standardize, CoincidentAtomsAreOutsideTheSupport) {
    auto p = coordinates.placements.back();
    for (int k = 0; k < 3; k++)
        reference[3 * p.atom + k] = reference[3 * p.bond + k];
    EXPECT_FALSE(coordinates.isInSupport(coordinates.measure(reference.data())));
    EXPECT_NE(string::npos, coordinates.describeViolation(reference.data()).find("coincide"));
}

TEST_F(Standardize, AFailedCallChangesNothing) {
    InternalCoordinates before = coordinates;
    vector<double> frames = makeFrames(3);
    frames[2 * reference.size()] = numeric_limits<double>::infinity();
    EXPECT_THROW(coordinates.standardize(frames), OpenMMException);
    EXPECT_EQ(before.center, coordinates.center);
    EXPECT_EQ(before.scale, coordinates.scale);
    EXPECT_EQ(before.torsionLower, coordinates.torsionLower);
}

}  // namespace
