#include "AugmentedModuleKernel.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "AugmentedCouplingModule.h"
#include "EquivariantCouplingModule.h"

using namespace OpenMMFlow;
using at::Tensor;

/** The model of a flow, if it is of this kind, to keep. */
template <class Model>
static std::shared_ptr<const Model> getModel(const Flow& flow) {
    const auto* model = dynamic_cast<const Model*>(&flow.getModel());
    return model == nullptr ? nullptr : std::make_shared<const Model>(*model);
}

void AugmentedModuleKernel::initialize(const Flow& flow,
                                       const std::map<std::string, std::string>& properties) {
    numPositions = flow.getNumParticles() + flow.getNumAugmentedParticles();
    parameters = std::make_unique<ModuleParameters>(properties);
    if (const auto model = getModel<EquivariantCouplingModel>(flow))
        logDensity = [module = EquivariantCouplingModule(model, at::kDouble)](
                         const Tensor& values, const Tensor& joint, Tensor* penalty) {
            return module.logDensity(values, joint, penalty);
        };
    else
        logDensity = [module = AugmentedCouplingModule(getModel<AugmentedCouplingModel>(flow), at::kDouble)](
                         const Tensor& values, const Tensor& joint, Tensor* penalty) {
            if (penalty != nullptr)
                *penalty = at::zeros({joint.size(0)}, joint.options());
            return module.logDensity(values, joint);
        };
    setParameters(dynamic_cast<const CouplingModel&>(flow.getModel()).getParameters());
}

void AugmentedModuleKernel::setParameters(const std::vector<double>& values) {
    parameters->set(values);
}

void AugmentedModuleKernel::compute(long long count, const double* positions, const double* worth,
                                    double penaltyWorth, double* logQ, double* penalty, double* gradient) {
    // What Torch keeps of a sample of the largest networks takes a quarter of a gigabyte.
    const int64_t most = 32;
    const bool penalises = penaltyWorth != 0;
    std::fill_n(penalty, count, 0.0);
    Tensor sum = at::zeros_like(parameters->get());
    for (int64_t first = 0; first < count; first += most) {
        const int64_t size = std::min<int64_t>(most, count - first);
        const Tensor joint = parameters->load(positions + 3 * numPositions * first, size, 3 * numPositions)
                                 .view({size, numPositions, 3});
        sum += differentiate(parameters->get(), [&](const Tensor& variable) {
            Tensor penalties;
            const Tensor density = logDensity(variable, joint, penalises ? &penalties : nullptr);
            storeTensor(density, logQ + first);
            Tensor total = (density * parameters->load(worth + first, 1, size).squeeze(0)).sum();
            if (penalises) {
                storeTensor(penalties, penalty + first);
                total = total + penaltyWorth * penalties.sum();
            }
            return total;
        });
    }
    storeTensor(sum, gradient);
}
