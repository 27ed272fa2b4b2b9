#ifndef OPENMMFLOW_TRAINABLEINTERNALFLOW_H_
#define OPENMMFLOW_TRAINABLEINTERNALFLOW_H_

#include "TrainableFlow.h"
#include "TrainingKernel.h"
#include "openmmflow/internal/InternalFlowModel.h"

namespace OpenMMFlow {

/** An internal-coordinate flow, differentiated by the kernels of the CPU platform. Coordinates are
 * standardised linear ones, and circular ones in radians. */
class TrainableInternalFlow : public TrainableFlow {
public:
    /** @param flow   one whose model is an InternalFlowModel */
    TrainableInternalFlow(const Flow& flow, const FlowTrainerOptions& options);
    int getNumParticles() const override { return model.getNumParticles(); }
    int getNumCoordinates() const override { return model.getCoordinates().getNumCoordinates(); }
    at::ScalarType getDataType() const override { return type; }
    double measure(const double* frame, std::vector<double>& coordinates,
                   std::string& violation) const override;
    at::Tensor getParameters() const override;
    std::vector<LayerPlace> getLayers() const override;
    std::shared_ptr<const FlowModel> createModel(const at::Tensor& parameters) const override;
    double validate(const at::Tensor& parameters, const Frames& frames, int64_t first) const override;
    double computeGradient(at::Tensor& parameters, const Frames& frames, const std::vector<int64_t>& batch,
                           int64_t first) const override;
    PathSamples samplePaths(const at::Tensor& parameters, long long count, uint64_t seed,
                            uint64_t first) const override;
    PathSamples evaluatePaths(const at::Tensor& parameters, const std::vector<double>& coordinates,
                              bool forBalance) const override;
    std::vector<double> toCoordinateGradient(const double* positions, const double* gradient) const override;
    double computeLogVolume(const double* coordinates, double* gradient) const override;
    void computePathGradient(at::Tensor& parameters, const std::vector<double>& coordinates,
                             const std::vector<double>& difference) const override;
    void computeBalancedPathGradient(at::Tensor& parameters, const std::vector<double>& coordinates,
                                     const std::vector<double>& difference,
                                     const std::vector<double>& adjoints,
                                     const std::vector<double>& worth) const override;

private:
    CoordinateTrainingKernel& getKernel(const at::Tensor& parameters) const;
    Flow flow;
    const InternalFlowModel& model;
    at::ScalarType type;
    mutable TrainingKernel<CoordinateTrainingKernel> kernel;
    /** Kept from step to step, since new memory of this size comes from the operating system each time. */
    mutable std::vector<double> parameterValues, gradient;
    /** The parameters that the kernel has, if it was given any. */
    mutable at::Tensor current;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TRAINABLEINTERNALFLOW_H_*/
