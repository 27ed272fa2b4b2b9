#ifndef OPENMMFLOW_TESTS_DYNAMICSSYSTEMS_H_
#define OPENMMFLOW_TESTS_DYNAMICSSYSTEMS_H_

#include <cmath>
#include <functional>
#include <memory>
#include <vector>

#include "openmm/CustomExternalForce.h"
#include "openmm/HarmonicAngleForce.h"
#include "openmm/HarmonicBondForce.h"
#include "openmm/PeriodicTorsionForce.h"
#include "openmm/System.h"
#include "openmm/reference/SimTKOpenMMRealType.h"

/** Systems with known averages, for the tests of dynamics, and the statistics to compare with them. */
namespace OpenMMFlow::tests {

/** Two particles on a spring of no length, (k/2) r^2: the energy is 3/2 kT on average. */
const double SPRING = 2000.0;
inline std::unique_ptr<OpenMM::System> makeSpring() {
    auto system = std::make_unique<OpenMM::System>();
    system->addParticle(12.0);
    system->addParticle(3.0);
    auto* bonds = new OpenMM::HarmonicBondForce();
    bonds->addBond(0, 1, 0.0, SPRING);
    system->addForce(bonds);
    return system;
}

/** One particle in a double well along x, a spring along y and z: not invariant to translation. */
inline double doubleWell(double x) {
    return 6 * std::pow(100 * x * x - 1, 2);
}
inline std::unique_ptr<OpenMM::System> makeDoubleWell() {
    auto system = std::make_unique<OpenMM::System>();
    system->addParticle(10.0);
    auto* well = new OpenMM::CustomExternalForce("6*(100*x^2-1)^2 + 500*(y^2+z^2)");
    well->addParticle(0);
    system->addForce(well);
    return system;
}

/** H-O-O-H with soft bonds, whose bonds, angles and torsion are independent. */
const double BOND_LENGTH = 0.12, BOND_SPRING = 3e4, ANGLE = 1.75, ANGLE_SPRING = 80.0, BARRIER = 5.0;
inline std::unique_ptr<OpenMM::System> makePeroxide() {
    auto system = std::make_unique<OpenMM::System>();
    for (double mass : {4.0, 16.0, 16.0, 4.0})
        system->addParticle(mass);
    auto* bonds = new OpenMM::HarmonicBondForce();
    auto* angles = new OpenMM::HarmonicAngleForce();
    auto* torsions = new OpenMM::PeriodicTorsionForce();
    for (int i = 0; i < 3; i++)
        bonds->addBond(i, i + 1, BOND_LENGTH, BOND_SPRING);
    for (int i = 0; i < 2; i++)
        angles->addAngle(i, i + 1, i + 2, ANGLE, ANGLE_SPRING);
    torsions->addTorsion(0, 1, 2, 3, 2, 0.5, BARRIER);
    system->addForce(bonds);
    system->addForce(angles);
    system->addForce(torsions);
    return system;
}
inline std::vector<double> makePeroxidePositions(int replicas) {
    const std::vector<double> one = {-0.02, 0.118, 0.0, 0.0, 0.0, 0.0, 0.12, 0.0, 0.0, 0.14, 0.05, 0.107};
    std::vector<double> positions(one.size() * replicas);
    for (size_t i = 0; i < positions.size(); i++)
        positions[i] = one[i % one.size()];
    return positions;
}

/** The average of f over the density exp(-U/kT) * volume of one coordinate, by the trapezoidal rule. */
inline double integrate(double low, double high, double temperature,
                        const std::function<double(double)>& energy,
                        const std::function<double(double)>& volume, const std::function<double(double)>& f) {
    double weight = 0, sum = 0;
    const int points = 20000;
    for (int i = 0; i <= points; i++) {
        const double x = low + (high - low) * i / points;
        const double w =
            volume(x) * std::exp(-energy(x) / (BOLTZ * temperature)) * (i % points == 0 ? 0.5 : 1);
        weight += w;
        sum += w * f(x);
    }
    return sum / weight;
}

/** The average energy of the peroxide. */
inline double getPeroxideEnergy(double temperature) {
    auto bond = [](double b) { return 0.5 * BOND_SPRING * std::pow(b - BOND_LENGTH, 2); };
    auto angle = [](double theta) { return 0.5 * ANGLE_SPRING * std::pow(theta - ANGLE, 2); };
    auto torsion = [](double phi) { return BARRIER * (1 + std::cos(2 * phi - 0.5)); };
    return 3
               * integrate(
                   0.0, 0.3, temperature, bond, [](double b) { return b * b; }, bond)
           + 2
                 * integrate(
                     0.0, M_PI, temperature, angle, [](double theta) { return std::sin(theta); }, angle)
           + integrate(
               -M_PI, M_PI, temperature, torsion, [](double) { return 1.0; }, torsion);
}

/** Averages of independent replicas: their mean, and its standard error from the differences between them. */
class ReplicaMean {
public:
    explicit ReplicaMean(int replicas) : sums(replicas) {}
    void add(int replica, double value) { sums[replica] += value; }
    /** Count what was added since the last call as one frame. */
    void nextFrame() { frames++; }
    double getMean() const {
        double mean = 0;
        for (double sum : sums)
            mean += sum / frames / (double)sums.size();
        return mean;
    }
    double getError() const {
        const double mean = getMean(), count = (double)sums.size();
        double variance = 0;
        for (double sum : sums)
            variance += std::pow(sum / frames - mean, 2) / (count - 1);
        return std::sqrt(variance / count);
    }

private:
    std::vector<double> sums;
    double frames = 0;
};

}  // namespace OpenMMFlow::tests

#endif /*OPENMMFLOW_TESTS_DYNAMICSSYSTEMS_H_*/
