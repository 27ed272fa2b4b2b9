#ifndef OPENMMFLOW_TESTS_SEPARABLEPEROXIDE_H_
#define OPENMMFLOW_TESTS_SEPARABLEPEROXIDE_H_

#include <array>
#include <cmath>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "openmm/HarmonicAngleForce.h"
#include "openmm/HarmonicBondForce.h"
#include "openmm/PeriodicTorsionForce.h"
#include "openmm/System.h"
#include "openmmflow/FlowBuilder.h"
#include "openmmflow/internal/InternalFlowModel.h"

/** A molecule whose partition function is a product of integrals over single coordinates, H-O-O-H with
 * harmonic bonds and angles and a torsion, and a flow for it. */
namespace OpenMMFlow::tests::peroxide {

const double temperature = 310, kT = 8.31446261815324e-3 * temperature;

/** The target: harmonic with these centers and standard deviations. The middle bond is so soft that the flow
 * sometimes proposes a negative length. */
const double bondOO = 0.15, widthOO = 0.04, bondOH = 0.1, widthOH = 0.003, angle = 1.8, widthAngle = 0.1;
const double torsionK = 3, torsionPhase = 0.6;

inline std::unique_ptr<OpenMM::System> makeSystem() {
    auto system = std::make_unique<OpenMM::System>();
    for (double mass : {1.0, 16.0, 16.0, 1.0})
        system->addParticle(mass);
    auto* bonds = new OpenMM::HarmonicBondForce();
    bonds->addBond(0, 1, bondOH, kT / (widthOH * widthOH));
    bonds->addBond(1, 2, bondOO, kT / (widthOO * widthOO));
    bonds->addBond(2, 3, bondOH, kT / (widthOH * widthOH));
    system->addForce(bonds);
    auto* angles = new OpenMM::HarmonicAngleForce();
    angles->addAngle(0, 1, 2, angle, kT / (widthAngle * widthAngle));
    angles->addAngle(1, 2, 3, angle, kT / (widthAngle * widthAngle));
    system->addForce(angles);
    auto* torsions = new OpenMM::PeriodicTorsionForce();
    torsions->addTorsion(0, 1, 2, 3, 1, torsionPhase, torsionK);
    system->addForce(torsions);
    return system;
}

inline double integrate(double lower, double upper, const std::function<double(double)>& f) {
    const int n = 20000;
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += f(lower + (i + 0.5) * (upper - lower) / n);
    return sum * (upper - lower) / n;
}

inline double gaussian(double x, double center, double width) {
    return std::exp(-0.5 * std::pow((x - center) / width, 2));
}

inline double torsionWeight(double phi) {
    return std::exp(-torsionK * (1 + std::cos(phi - torsionPhase)) / kT);
}

/** The integral over the middle bond of r^power b^2 exp(-u), up to a largest length. */
inline double integrateMiddleBond(int power, double longest) {
    return integrate(0, longest,
                     [=](double b) { return std::pow(b, power + 2) * gaussian(b, bondOO, widthOO); });
}

/** log Z over the subspace of zero centre: 8 pi^2 N^(-3/2) times the integrals over the internal coordinates.
 */
inline double exactLogZ(double longest) {
    const double outer = integrate(0.05, 0.15, [](double b) { return b * b * gaussian(b, bondOH, widthOH); });
    const double angles =
        integrate(0, M_PI, [](double t) { return std::sin(t) * gaussian(t, angle, widthAngle); });
    const double torsion = integrate(-M_PI, M_PI, torsionWeight);
    return std::log(8 * M_PI * M_PI * std::pow(4, -1.5) * outer * outer * integrateMiddleBond(0, longest)
                    * angles * angles * torsion);
}

inline OpenMM::Vec3 atom(const std::vector<double>& positions, long long sample, int i) {
    return {positions[12 * sample + 3 * i], positions[12 * sample + 3 * i + 1],
            positions[12 * sample + 3 * i + 2]};
}

inline double measureTorsion(const std::vector<double>& positions, long long k) {
    const OpenMM::Vec3 a = atom(positions, k, 1) - atom(positions, k, 0),
                       b = atom(positions, k, 2) - atom(positions, k, 1),
                       c = atom(positions, k, 3) - atom(positions, k, 2);
    return std::atan2(std::sqrt(b.dot(b)) * a.dot(b.cross(c)), a.cross(b).dot(b.cross(c)));
}

/** Configurations that are a little wider than the target, or much wider, in their lengths and angles. */
inline std::vector<double> makeData(double scale = 1) {
    std::mt19937_64 generator(31);
    std::normal_distribution<double> normal;
    std::vector<double> positions;
    for (int k = 0; k < 2000; k++) {
        const double middle = std::max(0.01, bondOO + scale * 0.055 * normal(generator));
        const double phi = 2 * M_PI * k / 2000;
        std::array<double, 2> bond, theta;
        for (int i = 0; i < 2; i++) {
            bond[i] = bondOH + scale * 0.0035 * normal(generator);
            theta[i] = angle + scale * 0.11 * normal(generator);
        }
        const double values[] = {bond[0] * std::cos(theta[0]),
                                 bond[0] * std::sin(theta[0]),
                                 0,
                                 0,
                                 0,
                                 0,
                                 middle,
                                 0,
                                 0,
                                 middle - bond[1] * std::cos(theta[1]),
                                 bond[1] * std::sin(theta[1]) * std::cos(phi),
                                 bond[1] * std::sin(theta[1]) * std::sin(phi)};
        positions.insert(positions.end(), std::begin(values), std::end(values));
    }
    return positions;
}

/** A flow that is near the target, but none of whose splines is the identity. */
inline Flow makeFlow(double spread = 0.04, double scale = 1) {
    Molecule molecule;
    molecule.atomicNumbers = {1, 8, 8, 1};
    molecule.atomNames = {"H1", "O1", "O2", "H2"};
    molecule.bonds = {{0, 1}, {1, 2}, {2, 3}};
    const std::vector<double> data = makeData(scale);
    for (int i = 0; i < 4; i++)
        molecule.positions.push_back(atom(data, 300, i));
    const Flow untrained = FlowBuilder::createInternal(
        molecule, data, {},
        {.couplings = 4, .hidden = 16, .blocks = 1, .bins = 6, .activation = "silu", .seed = 1});
    const auto& model = dynamic_cast<const InternalFlowModel&>(untrained.getModel());
    std::vector<SplineCoupling> couplings = model.getCouplings();
    // On a longer interval the same parameters are further from the identity.
    InternalFlowModel::Configuration options = model.getOptions();
    options.tailBound = 5;
    std::mt19937_64 generator(32);
    std::normal_distribution<double> normal(0, spread);
    for (SplineCoupling& coupling : couplings)
        for (std::vector<double>* values : {&coupling.output.weight, &coupling.output.bias})
            for (double& value : *values)
                value = normal(generator);
    return Flow(std::make_shared<InternalFlowModel>(model.getCoordinates(), options, couplings),
                {{"temperature", "310 K"}});
}

}  // namespace OpenMMFlow::tests::peroxide

#endif /*OPENMMFLOW_TESTS_SEPARABLEPEROXIDE_H_*/
