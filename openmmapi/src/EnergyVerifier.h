#ifndef OPENMMFLOW_ENERGYVERIFIER_H_
#define OPENMMFLOW_ENERGYVERIFIER_H_

#include <limits>
#include <memory>
#include <vector>

#include "openmm/System.h"
#include "openmmflow/BatchedPotential.h"

namespace OpenMMFlow {

/** Compares a part of the energies that a BatchedPotential computes with those of OpenMM Contexts. */
class EnergyVerifier {
public:
    /**
     * @param system        the System of the potential
     * @param potential     what computes the energies. Those that come from Contexts anyway are not compared
     * @param temperature   the temperature at which energies are judged, in K
     * @param fraction      how many of the energies to compare, from 0 (none) to 1 (all)
     * @throws OpenMM::OpenMMException if the fraction is none
     */
    EnergyVerifier(const OpenMM::System& system, const BatchedPotential& potential, double temperature,
                   double fraction);
    /** Whether any energies are compared. */
    bool isActive() const { return contexts != nullptr; }
    /**
     * Compare every so many energies, counted on from the last call.
     *
     * @param positions   (count, N, 3) in nm
     * @param energies    (count) in kJ/mol
     * @throws OpenMM::OpenMMException if one differs by more than 0.01 kT and 1e-5 of itself. Energies above
     * 10^4 kT may differ from each other
     */
    void verify(const std::vector<double>& positions, const std::vector<double>& energies);

private:
    double kT, fraction, notYetVerified = 0;
    /** The lowest energy seen: weights depend on differences to it, not on where zero is. */
    double lowest = std::numeric_limits<double>::infinity();
    std::unique_ptr<BatchedPotential> contexts;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ENERGYVERIFIER_H_*/
