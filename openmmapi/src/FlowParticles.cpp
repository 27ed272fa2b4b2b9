#include "FlowParticles.h"

#include <cmath>

#include "openmm/OpenMMException.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

void checkFlowParticles(const Flow& flow, const vector<int>& particles, const System& system, bool isJoint,
                        const string& name) {
    const int augmented = isJoint ? flow.getNumAugmentedParticles() : 0;
    if ((int)particles.size() != flow.getNumParticles() + augmented)
        throw OpenMMException("The " + name + " is for " + to_string(particles.size())
                              + " particles and its flow has " + to_string(flow.getNumParticles())
                              + (augmented > 0 ? " and " + to_string(augmented) + " augmented ones" : "")
                              + ": name the particles of the System that the flow describes, in its order"
                              + (augmented > 0 ? ", then the augmented ones" : "") + ".");
    vector<bool> isUsed(system.getNumParticles());
    for (int particle : particles) {
        if (particle < 0 || particle >= system.getNumParticles())
            throw OpenMMException("The " + name + " is for particle " + to_string(particle)
                                  + ", but the particles of the System are numbered from 0 to "
                                  + to_string(system.getNumParticles() - 1) + ".");
        if (isUsed[particle])
            throw OpenMMException("The " + name + " names particle " + to_string(particle)
                                  + " twice: name each particle of the flow once.");
        isUsed[particle] = true;
    }
}

vector<double> gatherPositions(const vector<Vec3>& positions, const vector<int>& particles) {
    vector<double> gathered;
    gathered.reserve(3 * particles.size());
    for (int particle : particles)
        for (int j = 0; j < 3; j++)
            gathered.push_back(positions[particle][j]);
    return gathered;
}

string describeNoDensity(double logQ, const string& name) {
    if (isnan(logQ))
        return "A particle of the " + name
               + " has a position that is not a finite number: use a smaller time step or minimise the energy "
                 "first.";
    return "The particles of the " + name
           + " are outside the flow's support, where its density is zero: start from the hand and from the cis or "
             "trans form that the flow describes (an equivariant coupling flow has none where particles are arranged "
             "exactly symmetrically), or use a flow that describes these positions.";
}

unique_ptr<FlowContext> createDoublePrecisionContext(const Flow& flow, const string& threads) {
    try {
        return make_unique<FlowContext>(flow,
                                        map<string, string>{{"Precision", "double"}, {"Threads", threads}});
    } catch (const OpenMMException&) {
        // Reference has no threads to count. Whatever else is wrong is found again, and said.
        return make_unique<FlowContext>(flow, map<string, string>{{"Precision", "double"}});
    }
}

}  // namespace OpenMMFlow
