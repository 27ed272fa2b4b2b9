#ifndef OPENMMFLOW_TESTS_TRAININGRUNS_H_
#define OPENMMFLOW_TESTS_TRAININGRUNS_H_

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "RandomFlow.h"
#include "openmmflow/FlowContext.h"
#include "openmmflow/FlowTrainer.h"

/** Training runs on a flow of four atoms, short enough for tests: data of known density, a network, options.
 */
namespace OpenMMFlow::tests {

constexpr int N = 4;

struct Sample {
    std::vector<double> positions, logQ;
};

/** Frames of a flow that lie inside its support. */
inline Sample draw(const Flow& flow, int64_t count, uint64_t seed) {
    FlowContext context(flow, OpenMM::Platform::getPlatformByName("Reference"));
    Sample all, inside;
    context.sample(count, all.positions, all.logQ, seed);
    for (int64_t i = 0; i < count; i++)
        if (std::isfinite(all.logQ[i])) {
            inside.positions.insert(inside.positions.end(), &all.positions[3 * N * i],
                                    &all.positions[3 * N * (i + 1)]);
            inside.logQ.push_back(all.logQ[i]);
        }
    return inside;
}

/** A random flow, smooth enough that a small network can learn it. */
inline const Flow& getTruth() {
    static const Flow truth = [] {
        const Flow random = makeRandomFlow(N, InternalFlowModel::Activation::SiLU, 21);
        const auto& model = dynamic_cast<const InternalFlowModel&>(random.getModel());
        std::vector<SplineCoupling> couplings = model.getCouplings();
        for (SplineCoupling& coupling : couplings)
            for (std::vector<double>* values : {&coupling.output.weight, &coupling.output.bias})
                for (double& value : *values)
                    value *= 0.5;
        return Flow(
            std::make_shared<InternalFlowModel>(model.getCoordinates(), model.getOptions(), couplings));
    }();
    return truth;
}

inline Flow makeUntrained(unsigned seed = 1) {
    InternalFlowModel::Configuration configuration;
    configuration.couplings = 6;
    configuration.hidden = 32;
    configuration.blocks = 1;
    InternalCoordinates coordinates =
        dynamic_cast<const InternalFlowModel&>(getTruth().getModel()).getCoordinates();
    return Flow(std::make_shared<InternalFlowModel>(coordinates, configuration, seed), {{"title", "test"}});
}

inline FlowTrainerOptions makeShortOptions() {
    FlowTrainerOptions options;
    options.batchSize = 64;
    options.maxSamples = 64 * 120;
    options.warmupSteps = 10;
    options.validationInterval = 25;
    options.threads = 1;
    return options;
}

/** So many steps, as large as these, that training on 100 frames stops early. */
inline FlowTrainerOptions makeOverfittingOptions() {
    FlowTrainerOptions options = makeShortOptions();
    options.maxSamples = 64 * 4000;
    options.learningRate = 5e-3;
    options.averagingDecay = 0.9;
    options.patience = 4;
    return options;
}

/** The path of a file that is not there at first, and not any more at the end. */
class TemporaryFile {
public:
    TemporaryFile()
        : path(std::filesystem::temp_directory_path() / ("openmmflow-training-" + std::to_string(getpid()))) {
        remove();
    }
    ~TemporaryFile() { remove(); }
    operator std::string() const { return path; }

private:
    void remove() { std::filesystem::remove(path); }
    std::filesystem::path path;
};

}  // namespace OpenMMFlow::tests

#endif /*OPENMMFLOW_TESTS_TRAININGRUNS_H_*/
