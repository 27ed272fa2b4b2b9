#ifndef OPENMMFLOW_TRAINABLEINTERNALFLOW_H_
#define OPENMMFLOW_TRAINABLEINTERNALFLOW_H_

#include "InternalFlowModule.h"
#include "TrainableFlow.h"

namespace OpenMMFlow {

/** An internal-coordinate flow, differentiated by Torch. Coordinates are standardised linear ones, and
 * circular ones in radians. */
class TrainableInternalFlow : public TrainableFlow {
public:
    TrainableInternalFlow(const InternalFlowModel& model, at::ScalarType type);
    int getNumParticles() const override { return model->getCoordinates().getNumParticles(); }
    int getNumCoordinates() const override { return model->getCoordinates().getNumCoordinates(); }
    at::ScalarType getDataType() const override { return type; }
    double measure(const double* frame, std::vector<double>& coordinates,
                   std::string& violation) const override;
    at::Tensor getParameters() const override { return module.getParameters(); }
    std::shared_ptr<const FlowModel> createModel(const at::Tensor& parameters) const override {
        return module.createModel(parameters);
    }
    double validate(const at::Tensor& parameters, const Frames& frames) const override;
    double computeGradient(at::Tensor& parameters, const Frames& frames, const std::vector<int64_t>& batch,
                           int64_t step) const override;

private:
    std::shared_ptr<const InternalFlowModel> model;
    at::ScalarType type;
    InternalFlowModule module;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TRAINABLEINTERNALFLOW_H_*/
