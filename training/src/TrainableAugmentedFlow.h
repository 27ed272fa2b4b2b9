#ifndef OPENMMFLOW_TRAINABLEAUGMENTEDFLOW_H_
#define OPENMMFLOW_TRAINABLEAUGMENTEDFLOW_H_

#include "GradientKernel.h"
#include "TrainableFlow.h"
#include "openmmflow/internal/EquivariantCouplingModel.h"

namespace OpenMMFlow {

/**
 * An augmented flow, differentiated by the kernels of the CPU platform. Coordinates are positions (3N) with
 * their centre at the origin, and their density is q(x,a)/pi(a|x) with an a that is drawn anew each time: its
 * negative logarithm is, on average, not less than that of the marginal density q(x).
 */
class TrainableAugmentedFlow : public TrainableFlow {
public:
    TrainableAugmentedFlow(const Flow& flow, const EquivariantCouplingModel& model,
                           const FlowTrainerOptions& options);
    int getNumParticles() const override { return model->getNumParticles(); }
    int getNumCoordinates() const override { return 3 * model->getNumParticles(); }
    /** Positions, since single precision is left to the kernels, which take off the centre first. */
    at::ScalarType getDataType() const override { return at::kDouble; }
    double measure(const double* frame, std::vector<double>& coordinates,
                   std::string& violation) const override;
    at::Tensor getParameters() const override;
    std::shared_ptr<const FlowModel> createModel(const at::Tensor& parameters) const override;
    double validate(const at::Tensor& parameters, const Frames& frames) const override;
    double computeGradient(at::Tensor& parameters, const Frames& frames, const std::vector<int64_t>& batch,
                           int64_t step) const override;

private:
    std::map<std::string, std::string> getProperties() const;
    std::shared_ptr<const EquivariantCouplingModel> createOwnModel(const at::Tensor& parameters) const;
    std::shared_ptr<const EquivariantCouplingModel> model;
    FlowTrainerOptions options;
    mutable GradientKernel kernel;
    /** Kept from step to step, since new memory of this size comes from the operating system each time. */
    mutable std::vector<double> parameterValues, gradient;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TRAINABLEAUGMENTEDFLOW_H_*/
