#ifndef OPENMMFLOW_CONTEXTPOOL_H_
#define OPENMMFLOW_CONTEXTPOOL_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "openmm/Platform.h"
#include "openmm/System.h"

namespace OpenMMFlow {

/** Energies and forces from OpenMM itself: Contexts of one System, one for each thread. */
class ContextPool {
public:
    /**
     * @param system       the System; it must outlive the pool
     * @param platform     the Platform of the Contexts
     * @param properties   "Threads": the number of Contexts (by default one where they do not compute on the
     * processor); all others go to them
     */
    ContextPool(const OpenMM::System& system, OpenMM::Platform& platform,
                const std::map<std::string, std::string>& properties);
    ~ContextPool();
    int getNumThreads() const;
    const std::map<std::string, double>& getParameters() const;
    void setParameter(const std::string& name, double value);
    void setForceGroups(int groups);
    /**
     * Compute energies and forces.
     *
     * @param positions   (count, N, 3) in nm; those of virtual sites are computed, whatever is given for them
     * @param energies    (count): on exit, in kJ/mol; NaN where OpenMM refuses the configuration
     * @param forces      (count, N, 3): on exit, in kJ/mol/nm; null if they are not wanted
     */
    void compute(long long count, const double* positions, double* energies, double* forces);

private:
    class Replica;
    std::vector<std::unique_ptr<Replica>> replicas;
    size_t numCoordinates;
};

/** Choose the Platform that is fastest for one copy of a System: Reference, which has little overhead, or
 * CPU. */
OpenMM::Platform& choosePoolPlatform(const OpenMM::System& system);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CONTEXTPOOL_H_*/
