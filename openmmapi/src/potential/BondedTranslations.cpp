#include <cmath>

#include "Translations.h"
#include "openmm/CMAPTorsionForce.h"
#include "openmm/HarmonicAngleForce.h"
#include "openmm/HarmonicBondForce.h"
#include "openmm/PeriodicTorsionForce.h"
#include "openmm/RBTorsionForce.h"
#include "openmm/internal/CMAPTorsionForceImpl.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

void translate(const HarmonicBondForce& force, PotentialModelBuilder& builder) {
    for (int i = 0; i < force.getNumBonds(); i++) {
        int a, b;
        double length, k;
        force.getBondParameters(i, a, b, length, k);
        builder.addBond(a, b, length, k);
    }
}

void translate(const HarmonicAngleForce& force, PotentialModelBuilder& builder) {
    for (int i = 0; i < force.getNumAngles(); i++) {
        int a, b, c;
        double angle, k;
        force.getAngleParameters(i, a, b, c, angle, k);
        builder.addAngle(a, b, c, angle, k);
    }
}

void translate(const PeriodicTorsionForce& force, PotentialModelBuilder& builder) {
    for (int i = 0; i < force.getNumTorsions(); i++) {
        int a, b, c, d, periodicity;
        double phase, k;
        force.getTorsionParameters(i, a, b, c, d, periodicity, phase, k);
        const int torsion = builder.addTorsion(a, b, c, d);
        // k (1 + cos(n phi - phase)), by the sum formula of the cosine.
        builder.addHarmonic(torsion, 0, k, 0);
        builder.addHarmonic(torsion, periodicity, k * cos(phase), k * sin(phase));
    }
}

void translate(const RBTorsionForce& force, PotentialModelBuilder& builder) {
    // Powers of cos(phi) as cosines of multiples: row p has the factors of cos(0), cos(phi), ..., cos(5 phi).
    const double powers[6][6] = {{1},
                                 {0, 1},
                                 {1.0 / 2, 0, 1.0 / 2},
                                 {0, 3.0 / 4, 0, 1.0 / 4},
                                 {3.0 / 8, 0, 1.0 / 2, 0, 1.0 / 8},
                                 {0, 5.0 / 8, 0, 5.0 / 16, 0, 1.0 / 16}};
    for (int i = 0; i < force.getNumTorsions(); i++) {
        int a, b, c, d;
        double coefficients[6];
        force.getTorsionParameters(i, a, b, c, d, coefficients[0], coefficients[1], coefficients[2],
                                   coefficients[3], coefficients[4], coefficients[5]);
        const int torsion = builder.addTorsion(a, b, c, d);
        // They are powers of cos(phi - pi), which changes the sign of the odd ones.
        for (int p = 0; p < 6; p++)
            for (int n = 0; n <= p; n++)
                builder.addHarmonic(torsion, n, (p % 2 == 0 ? 1 : -1) * coefficients[p] * powers[p][n], 0);
    }
}

void translate(const CMAPTorsionForce& force, PotentialModelBuilder& builder) {
    vector<int> maps;
    for (int i = 0; i < force.getNumMaps(); i++) {
        PotentialModel::TorsionMap map;
        vector<double> energy;
        force.getMapParameters(i, map.size, energy);
        vector<vector<double>> cells;
        CMAPTorsionForceImpl::calcMapDerivatives(map.size, energy, cells);
        for (const vector<double>& cell : cells)
            map.coefficients.insert(map.coefficients.end(), cell.begin(), cell.end());
        maps.push_back(builder.addMap(std::move(map)));
    }
    for (int i = 0; i < force.getNumTorsions(); i++) {
        int map, a[4], b[4];
        force.getTorsionParameters(i, map, a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]);
        const int first = builder.addTorsion(a[0], a[1], a[2], a[3]),
                  second = builder.addTorsion(b[0], b[1], b[2], b[3]);
        builder.addMappedTorsions(first, second, maps[map]);
    }
}

template <class ForceType>
bool tryTo(const Force& force, PotentialModelBuilder& builder) {
    auto* known = dynamic_cast<const ForceType*>(&force);
    if (known != nullptr)
        translate(*known, builder);
    return known != nullptr;
}

}  // namespace

bool translateBonded(const Force& force, PotentialModelBuilder& builder) {
    return tryTo<HarmonicBondForce>(force, builder) || tryTo<HarmonicAngleForce>(force, builder)
           || tryTo<PeriodicTorsionForce>(force, builder) || tryTo<RBTorsionForce>(force, builder)
           || tryTo<CMAPTorsionForce>(force, builder);
}

}  // namespace OpenMMFlow
