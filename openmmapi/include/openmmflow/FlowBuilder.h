#ifndef OPENMMFLOW_FLOWBUILDER_H_
#define OPENMMFLOW_FLOWBUILDER_H_

#include <string>
#include <vector>

#include "openmm/System.h"
#include "openmmflow/Flow.h"
#include "openmmflow/Molecule.h"

namespace OpenMMFlow {

/** What an internal-coordinate spline flow looks like. The defaults suit one molecule of up to a few dozen
 * atoms. */
struct InternalFlowOptions {
    /** The number of coupling layers. */
    int couplings = 12;
    /** The width of the conditioner networks. */
    int hidden = 128;
    /** The number of residual blocks in each conditioner. */
    int blocks = 2;
    /** The number of bins in each spline. */
    int bins = 8;
    /** "silu" (smooth) or "relu". */
    std::string activation = "silu";
    /** The seed of the masks and of the initial weights. */
    unsigned int seed = 0;
};

/** Functions that create Flows, one for each family. What they create is untrained. */
class FlowBuilder {
public:
    /**
     * Create an internal-coordinate spline flow ("internal") for a molecule. Its coordinates are chosen from
     * the bonds; its splines are the identity, so that it proposes independent Gaussian bonds, angles and
     * planar torsions around the data (or around the reference conformation) and uniform free torsions.
     *
     * @param molecule    the molecule
     * @param positions   (count, N, 3) in nm: data from which the center and scale of each coordinate are
     * taken; may be empty
     * @param weights     (count): weights of the data; may be empty
     * @param options     the size of the network
     * @throws OpenMM::OpenMMException if the molecule cannot be described, or if data lie outside of the
     * support that the reference conformation implies (another hand, cis instead of trans)
     */
    static Flow createInternal(const Molecule& molecule, const std::vector<double>& positions = {},
                               const std::vector<double>& weights = {},
                               const InternalFlowOptions& options = {});
    /**
     * Check that a System is something a flow can sample: no constraints, no virtual sites and no massless
     * particles, and no periodic boundary conditions.
     *
     * @throws OpenMM::OpenMMException which says what to rebuild
     */
    static void checkSystem(const OpenMM::System& system);
    /** Get a hash of everything in a System that determines its potential energy, as 16 hexadecimal digits.
     */
    static std::string hashSystem(const OpenMM::System& system);
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_FLOWBUILDER_H_*/
