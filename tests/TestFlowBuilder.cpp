// What FlowBuilder creates, the Systems that it refuses, and the hash of a System.

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "TestMolecules.h"
#include "openmm/AndersenThermostat.h"
#include "openmm/CMMotionRemover.h"
#include "openmm/HarmonicBondForce.h"
#include "openmm/NonbondedForce.h"
#include "openmm/OpenMMException.h"
#include "openmm/VirtualSite.h"
#include "openmmflow/FlowBuilder.h"
#include "openmmflow/internal/InternalFlowModel.h"

using namespace OpenMMFlow;
using namespace OpenMM;
using namespace std;
using nlohmann::json;

namespace {

string messageOf(const function<void()>& function) {
    try {
        function();
    } catch (const OpenMMException& e) {
        return e.what();
    }
    return "no exception";
}

using Set = multiset<string>;

/** The restrictions of a molecule as "kind name", with the names of the centre or of the bond. */
Set getRestrictions(const Molecule& molecule) {
    InternalFlowOptions small;
    small.couplings = 2;
    small.hidden = 4;
    Flow flow = FlowBuilder::createInternal(molecule, {}, {}, small);
    Set result;
    for (const json& restriction : json::parse(flow.getMetadata().at("restrictions"))) {
        string kind = restriction["kind"], description = restriction["description"];
        EXPECT_EQ(restriction["names"].size(), restriction["particles"].size());
        if (kind == "stereocentre") {
            result.insert(kind + " " + restriction["names"][0].get<string>());
            EXPECT_NE(string::npos, description.find("clockwise")) << description;
        } else {
            set<string> bond = {restriction["names"][1], restriction["names"][2]};
            result.insert(kind + " " + *bond.begin() + "-" + *bond.rbegin());
            const char* clause = kind == "cis"     ? "same side"
                                 : kind == "trans" ? "opposite sides"
                                                   : "hand of their axis";
            EXPECT_NE(string::npos, description.find(clause)) << description;
        }
    }
    return result;
}

TEST(Restrictions, AreTheStereocentresAndDoubleBonds) {
    for (string name :
         {"water", "ethane", "butane", "benzene", "toluene", "biphenyl", "cyclohexane", "cubane",
          "guanidinium", "acetic-acid", "dimethyl-sulfoxide", "nitrobenzene", "methylamine"})
        EXPECT_EQ(Set{}, getRestrictions(loadMolecule(name))) << name;
    EXPECT_EQ((Set{"stereocentre C3", "trans C2-N1", "trans C5-N2"}),
              getRestrictions(loadMolecule("alanine-dipeptide")));
    EXPECT_EQ((Set{"stereocentre C6", "trans C2-N1", "trans C7-N2"}),
              getRestrictions(loadMolecule("proline-dipeptide")));
    EXPECT_EQ((Set{"cis C7-C8"}), getRestrictions(loadMolecule("cis-stilbene")));
    EXPECT_EQ((Set{"trans C7-C8"}), getRestrictions(loadMolecule("trans-stilbene")));
    EXPECT_EQ((Set{"stereocentre C4"}), getRestrictions(loadMolecule("thalidomide")));
    EXPECT_EQ((Set{"stereocentre C1"}), getRestrictions(loadMolecule("bromochlorofluoromethane")));
    EXPECT_EQ(5u, getRestrictions(loadMolecule("glucose")).size());
    EXPECT_EQ(4u, getRestrictions(loadMolecule("adenosine")).size());
}

TEST(Restrictions, TheSenseIsThatOfTheSmiles) {
    auto describe = [](const Molecule& molecule) {
        json list = json::parse(FlowBuilder::createInternal(molecule).getMetadata().at("restrictions"));
        return list[0]["description"].get<string>();
    };
    // [C@H](F)(Cl)Br: seen from H, the atoms F, Cl, Br run counterclockwise.
    Molecule molecule = loadMolecule("bromochlorofluoromethane");
    EXPECT_EQ("C1 is a stereocentre: seen from F1, Cl1, Br1 and H1 run clockwise.", describe(molecule));
    for (Vec3& r : molecule.positions)
        r[2] = -r[2];
    EXPECT_EQ("C1 is a stereocentre: seen from F1, Cl1, Br1 and H1 run counterclockwise.",
              describe(molecule));
    // N[C@@H](C)C(=O): seen from N, the atoms H, CB, C run clockwise.
    EXPECT_EQ("C3 is a stereocentre: seen from N1, C4, C5 and H5 run clockwise.",
              describe(loadMolecule("alanine-dipeptide")));
}

TEST(CreateInternal, TakesTheOptions) {
    InternalFlowOptions options;
    options.couplings = 3;
    options.hidden = 8;
    options.blocks = 1;
    options.bins = 5;
    options.activation = "relu";
    Flow flow = FlowBuilder::createInternal(loadMolecule("alanine-dipeptide"), {}, {}, options);
    EXPECT_EQ("internal", flow.getFamily());
    EXPECT_EQ(22, flow.getNumParticles());
    const auto& model = dynamic_cast<const InternalFlowModel&>(flow.getModel());
    EXPECT_EQ(3u, model.getCouplings().size());
    EXPECT_EQ(8, model.getOptions().hidden);
    EXPECT_EQ(1, model.getOptions().blocks);
    EXPECT_EQ(5, model.getOptions().bins);
    EXPECT_EQ(InternalFlowModel::Activation::ReLU, model.getOptions().activation);
    json atoms = json::parse(flow.getMetadata().at("atoms"));
    EXPECT_EQ("C1", atoms["names"][0]);
    EXPECT_EQ(22u, atoms["atomicNumbers"].size());
    options.activation = "tanh";
    EXPECT_NE(string::npos, messageOf([&] {
                                FlowBuilder::createInternal(loadMolecule("water"), {}, {}, options);
                            }).find("choose silu or relu"));
}

TEST(CreateInternal, CentersItsCoordinatesOnTheData) {
    Molecule molecule = loadMolecule("butane");
    vector<double> data = flatten(molecule.positions);
    for (double& x : data)
        x *= 1.01;
    Flow flow = FlowBuilder::createInternal(molecule, data);
    const InternalCoordinates& coordinates =
        dynamic_cast<const InternalFlowModel&>(flow.getModel()).getCoordinates();
    EXPECT_NEAR(1.01 * InternalCoordinates::choose(molecule).center[0], coordinates.center[0], 1e-12);
    EXPECT_NE(string::npos,
              messageOf([&] { FlowBuilder::createInternal(molecule, {}, {1}); }).find("no positions"));
}

TEST(CreateInternal, NamesThatNoFileCanHoldAreReplaced) {
    Molecule molecule = loadMolecule("water");
    molecule.atomNames = {"\xff\xfe", "", string(61, 'H')};
    json atoms = json::parse(FlowBuilder::createInternal(molecule).getMetadata().at("atoms"));
    EXPECT_EQ(json({"O0", "H1", "H2"}), atoms["names"]);
}

unique_ptr<System> makeSystem(double length = 0.1) {
    auto system = make_unique<System>();
    for (int i = 0; i < 3; i++)
        system->addParticle(16);
    auto* bonds = new HarmonicBondForce();
    bonds->addBond(0, 1, length, 1000);
    system->addForce(bonds);
    return system;
}

TEST(CheckSystem, RefusesWhatAFlowCannotMove) {
    auto system = makeSystem();
    EXPECT_EQ("no exception", messageOf([&] { FlowBuilder::checkSystem(*system); }));
    system->addConstraint(1, 2, 0.1);
    EXPECT_NE(string::npos, messageOf([&] { FlowBuilder::checkSystem(*system); }).find("constraints=None"));
    system = makeSystem();
    system->setParticleMass(2, 0);
    EXPECT_NE(string::npos, messageOf([&] {
                                FlowBuilder::checkSystem(*system);
                            }).find("Particle 2 of the System has no mass"));
    system->setVirtualSite(2, new TwoParticleAverageSite(0, 1, 0.5, 0.5));
    EXPECT_NE(string::npos, messageOf([&] {
                                FlowBuilder::checkSystem(*system);
                            }).find("Particle 2 of the System is a virtual"));
    system = makeSystem();
    auto* nonbonded = new NonbondedForce();
    for (int i = 0; i < system->getNumParticles(); i++)
        nonbonded->addParticle(0, 0.1, 0);
    nonbonded->setNonbondedMethod(NonbondedForce::CutoffPeriodic);
    system->addForce(nonbonded);
    EXPECT_NE(string::npos,
              messageOf([&] { FlowBuilder::checkSystem(*system); }).find("nonbondedMethod=NoCutoff"));
}

TEST(HashSystem, DependsOnTheEnergyOnly) {
    auto system = makeSystem();
    const string hash = FlowBuilder::hashSystem(*system);
    EXPECT_EQ(16u, hash.size());
    EXPECT_EQ(string::npos, hash.find_first_not_of("0123456789abcdef"));
    EXPECT_EQ(hash, FlowBuilder::hashSystem(*makeSystem()));
    system->setParticleMass(0, 4);
    system->getForce(0).setName("bonds");
    system->getForce(0).setForceGroup(3);
    system->setDefaultPeriodicBoxVectors(Vec3(3, 0, 0), Vec3(0, 3, 0), Vec3(0, 0, 3));
    system->addForce(new CMMotionRemover());
    system->addForce(new AndersenThermostat(300, 1));
    EXPECT_EQ(hash, FlowBuilder::hashSystem(*system));

    EXPECT_NE(hash, FlowBuilder::hashSystem(*makeSystem(0.1 + 1e-12)));
    system->addParticle(1);
    EXPECT_NE(hash, FlowBuilder::hashSystem(*system));
    system = makeSystem();
    system->addForce(new HarmonicBondForce());
    EXPECT_NE(hash, FlowBuilder::hashSystem(*system));
}

TEST(HashSystem, DependsOnTheBoxOfAPeriodicSystem) {
    auto system = makeSystem();
    dynamic_cast<HarmonicBondForce&>(system->getForce(0)).setUsesPeriodicBoundaryConditions(true);
    string hash = FlowBuilder::hashSystem(*system);
    system->setDefaultPeriodicBoxVectors(Vec3(3, 0, 0), Vec3(0, 3, 0), Vec3(0, 0, 3));
    EXPECT_NE(hash, FlowBuilder::hashSystem(*system));
}

/** A molecule with these atoms (element, position in nm); atoms nearer than 0.17 nm are bonded. */
Molecule makeMolecule(const vector<pair<int, Vec3>>& atoms) {
    Molecule molecule;
    for (const auto& [element, position] : atoms) {
        for (size_t i = 0; i < molecule.positions.size(); i++) {
            const Vec3 d = position - molecule.positions[i];
            const bool hydrogens = element == 1 && molecule.atomicNumbers[i] == 1;
            if (!hydrogens && sqrt(d.dot(d)) < (element == 1 || molecule.atomicNumbers[i] == 1 ? 0.13 : 0.17))
                molecule.bonds.push_back({(int)i, (int)molecule.positions.size()});
        }
        molecule.atomicNumbers.push_back(element);
        molecule.positions.push_back(position);
    }
    return molecule;
}

/** A chain of `length` double-bonded carbons with a hydrogen and another atom at each end, `twist` from cis.
 */
Molecule makeCumulene(int length, int substituent, double twist) {
    vector<pair<int, Vec3>> atoms;
    for (int i = 0; i < length; i++)
        atoms.push_back({6, Vec3(0.131 * i, 0, 0)});
    const double last = 0.131 * (length - 1);
    for (auto [element, side] : {pair{substituent, 1}, {1, -1}}) {
        const double r = side * (element == 1 ? 0.09 : 0.115);
        atoms.push_back({element, Vec3(-0.055, r, 0)});
        atoms.push_back({element, Vec3(last + 0.055, r * cos(twist), r * sin(twist))});
    }
    return makeMolecule(atoms);
}

TEST(Restrictions, TellTheAxesAndEndsOfCumulenes) {
    EXPECT_EQ(getRestrictions(makeCumulene(3, 9, M_PI / 2)), Set{"axis C1-C2"});
    EXPECT_EQ(getRestrictions(makeCumulene(4, 9, 0)), Set{"cis C2-C3"});
    EXPECT_EQ(getRestrictions(makeCumulene(4, 9, M_PI)), Set{"trans C2-C3"});
    EXPECT_EQ(getRestrictions(makeCumulene(3, 1, M_PI / 2)), Set()) << "allene itself has one isomer";
}

TEST(Restrictions, ATwistedDoubleBondIsHeldInItsPlaneOrNotAtAll) {
    for (double degrees : {10, 30, 44, 50, 58, 130, 140, 170}) {
        const Flow flow = FlowBuilder::createInternal(makeCumulene(2, 9, degrees * M_PI / 180));
        const auto& coordinates = dynamic_cast<const InternalFlowModel&>(flow.getModel()).getCoordinates();
        for (size_t i = 0; i < coordinates.torsionKinds.size(); i++)
            if (coordinates.torsionKinds[i] == InternalCoordinates::TorsionKind::CisTrans) {
                EXPECT_NEAR(fabs(sin(coordinates.torsionLower[i])), 1, 1e-9) << degrees;
            }
    }
}

TEST(Restrictions, ATiltedSquarePlanarCentreHasNoHand) {
    const double tilt = 12 * M_PI / 180;
    vector<pair<int, Vec3>> atoms = {{78, Vec3()}};
    for (int i = 0; i < 4; i++)
        atoms.push_back({17, 0.16
                                 * Vec3(cos(tilt) * cos(i * M_PI / 2), cos(tilt) * sin(i * M_PI / 2),
                                        (i % 2 == 0 ? 1 : -1) * sin(tilt))});
    const Flow flow = FlowBuilder::createInternal(makeMolecule(atoms));
    const auto& coordinates = dynamic_cast<const InternalFlowModel&>(flow.getModel()).getCoordinates();
    for (auto kind : coordinates.torsionKinds)
        EXPECT_NE(kind, InternalCoordinates::TorsionKind::Chiral);
}

TEST(CreateInternal, AVibratingPlaneHasNoHand) {
    // ClF3 is flat and shaped like a T: in 6 % of its conformations at 300 K it looks like a pyramid. So,
    // rarer, does SO3.
    for (auto [centre, terminal] : {pair(17, 9), pair(16, 8)}) {
        vector<pair<int, Vec3>> atoms = {{centre, Vec3(0, 0, centre == 17 ? 0.02 : 0.04)}};
        for (double angle : {0.0, centre == 17 ? 88.0 : 120.0, centre == 17 ? 176.0 : 240.0})
            atoms.push_back(
                {terminal, Vec3(0.16 * cos(angle * M_PI / 180), 0.16 * sin(angle * M_PI / 180), 0)});
        const Flow flow = FlowBuilder::createInternal(makeMolecule(atoms));
        const auto& coordinates = dynamic_cast<const InternalFlowModel&>(flow.getModel()).getCoordinates();
        for (auto kind : coordinates.torsionKinds)
            EXPECT_NE(kind, InternalCoordinates::TorsionKind::Chiral) << centre;
    }
}

TEST(Restrictions, TellCentresWhoseNeighboursDifferInTheirHandsOnly) {
    EXPECT_EQ(getRestrictions(loadMolecule("ribitol")),
              (Set{"stereocentre C2", "stereocentre C3", "stereocentre C4"}));
    EXPECT_EQ(getRestrictions(loadMolecule("fluoronorbornene")),
              (Set{"stereocentre C1", "stereocentre C2", "stereocentre C5"}));
    const Set found = getRestrictions(loadMolecule("ethylidenemethylcyclobutane"));
    EXPECT_EQ(found.size(), 2u);
    EXPECT_EQ(found.count("stereocentre C5") + found.count("cis C2-C3") + found.count("trans C2-C3"), 2u);
}

TEST(Restrictions, TellCentresThatAreCisOrTransInARing) {
    // 1,3-difluorocyclobutane: neither carbon has four different neighbours.
    auto make = [](bool second) {
        vector<pair<int, Vec3>> atoms = {
            {6, Vec3(0.11, 0, 0)}, {6, Vec3(0, 0.11, 0)}, {6, Vec3(-0.11, 0, 0)}, {6, Vec3(0, -0.11, 0)}};
        for (int i = 0; i < 4; i++) {
            const Vec3 outward = atoms[i].second * (0.06 / 0.11);
            atoms.push_back(
                {i == 0 || (second && i == 2) ? 9 : 1, atoms[i].second + outward + Vec3(0, 0, 0.09)});
            atoms.push_back({1, atoms[i].second + outward - Vec3(0, 0, 0.09)});
        }
        return makeMolecule(atoms);
    };
    EXPECT_EQ(getRestrictions(make(true)), (Set{"stereocentre C0", "stereocentre C2"}));
    EXPECT_EQ(getRestrictions(make(false)), Set());
}

}  // namespace
