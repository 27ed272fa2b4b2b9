#ifndef OPENMMFLOW_TESTS_HANDMADEFLOW_H_
#define OPENMMFLOW_TESTS_HANDMADEFLOW_H_

#include <cmath>
#include <memory>
#include <random>

#include "openmmflow/Flow.h"
#include "openmmflow/internal/InternalFlowModel.h"

namespace OpenMMFlow::tests {

/** Internal coordinates of a chain of atoms 0-1-2-..., written down by hand. Every other torsion is circular.
 */
inline InternalCoordinates makeChain(int numParticles) {
    InternalCoordinates chain;
    for (int i = 0; i < numParticles; i++) {
        chain.placements.push_back({i, i > 0 ? i - 1 : -1, i > 1 ? i - 2 : -1, i > 2 ? i - 3 : -1});
        chain.atomNames.push_back("C" + std::to_string(i));
    }
    for (int i = 0; i < numParticles - 1; i++) {
        chain.center.push_back(0.15 + 0.001 * i);
        chain.scale.push_back(0.003);
    }
    for (int i = 0; i < numParticles - 2; i++) {
        chain.center.push_back(1.9 + 0.01 * i);
        chain.scale.push_back(0.05);
    }
    chain.circular.assign(chain.center.size(), false);
    for (int i = 0; i < numParticles - 3; i++) {
        bool circular = i % 2 == 0;
        chain.circular.push_back(circular);
        chain.center.push_back(circular ? 0 : 2.5);
        chain.scale.push_back(circular ? 1 : 0.2);
        chain.torsionLower.push_back(circular ? -M_PI : 2.5 - M_PI);
        chain.torsionUpper.push_back(circular ? M_PI : 2.5 + M_PI);
        chain.torsionKinds.push_back(circular ? InternalCoordinates::TorsionKind::Free
                                              : InternalCoordinates::TorsionKind::Planar);
    }
    return chain;
}

/** A model of such a chain with a small network, all of whose weights are random: no spline is the identity.
 */
inline std::shared_ptr<const InternalFlowModel> makeRandomModel(int numParticles, unsigned seed,
                                                                int couplings = 4) {
    InternalFlowModel::Configuration configuration;
    configuration.couplings = couplings;
    configuration.hidden = 6;
    configuration.blocks = 1;
    configuration.bins = 4;
    // As in the files of tests/serialization.
    configuration.harmonics = 1;
    configuration.products = false;
    InternalFlowModel untrained(makeChain(numParticles), configuration, seed);
    std::vector<SplineCoupling> layers = untrained.getCouplings();
    std::mt19937 generator(seed + 1);
    std::normal_distribution<double> normal;
    for (SplineCoupling& layer : layers)
        for (double& value : layer.output.weight)
            value = normal(generator);
    return std::make_shared<InternalFlowModel>(untrained.getCoordinates(), configuration, layers);
}

}  // namespace OpenMMFlow::tests

#endif /*OPENMMFLOW_TESTS_HANDMADEFLOW_H_*/
