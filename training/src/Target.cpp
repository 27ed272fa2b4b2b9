#include "Target.h"

#include <cmath>

#include "KernelOptions.h"
#include "openmmflow/FlowSampler.h"
#include "openmmflow/internal/ContextMutex.h"

using namespace OpenMMFlow;

Target::Target(const OpenMM::System& system, double temperature, const Flow& flow,
               const FlowTrainerOptions& options)
    : system(cloneSystem(system)), temperature(temperature), options(options) {
    // Creating a sampler checks that they belong together.
    FlowSampler(*this->system, flow, temperature, getThreadProperties(options));
}

TargetEstimate Target::estimate(const Flow& flow, int64_t step, const ProcessGroup& group) const {
    FlowSampler sampler(*system, flow, temperature, getThreadProperties(options));
    const ProcessGroup::Share share = group.getShare(options.targetSamples);
    const WeightedEnsemble part =
        sampler.sample(share.count, options.seed, step * options.targetSamples + share.first);
    const std::vector<double> logQ = group.gather(part.getLogQ()).values;
    const std::vector<double> reducedPotentials = group.gather(part.getReducedPotentials()).values;
    const WeightedEnsemble ensemble(part.getNumParticles(), temperature, {}, logQ, reducedPotentials);
    double sum = 0;
    int count = 0;
    for (double logWeight : ensemble.getLogWeights())
        if (std::isfinite(logWeight)) {
            sum -= logWeight;
            count++;
        }
    return {options.targetSamples, ensemble.getEffectiveSampleFraction(), ensemble.getParetoK(), sum / count};
}
