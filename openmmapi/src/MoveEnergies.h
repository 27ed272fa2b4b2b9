#ifndef OPENMMFLOW_MOVEENERGIES_H_
#define OPENMMFLOW_MOVEENERGIES_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "openmm/System.h"
#include "openmmflow/BatchedPotential.h"

namespace OpenMMFlow {

/** The potential energies of proposals for all particles of a System, in batches and in double precision. */
class MoveEnergies {
public:
    /**
     * Create it where that is possible: for a System whose energy is translated (see BatchedPotential) and
     * does not depend on where the molecule is.
     *
     * @param system      the System; Forces without energy are left out
     * @param particles   the particle of the System that is each of the flow's
     * @param threads     the number of threads
     * @return null where it is not possible
     */
    static std::unique_ptr<MoveEnergies> create(const OpenMM::System& system,
                                                const std::vector<int>& particles,
                                                const std::string& threads);
    MoveEnergies(const OpenMM::System& system, const std::vector<int>& particles, const std::string& threads);
    /**
     * Take over the parameters and the integrator's force groups of a Context.
     *
     * @return whether any of them has changed
     */
    bool update(const std::map<std::string, double>& parameters, int groups);
    /**
     * Compute energies.
     *
     * @param positions   (count, N, 3) in nm, in the order of the flow
     * @return (count) in kJ/mol
     */
    std::vector<double> compute(const std::vector<double>& positions);

private:
    std::vector<int> particles;
    BatchedPotential potential;
    int groups = -1;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_MOVEENERGIES_H_*/
