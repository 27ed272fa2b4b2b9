#ifndef OPENMMFLOW_TRAINABLEAUGMENTEDFLOW_H_
#define OPENMMFLOW_TRAINABLEAUGMENTEDFLOW_H_

#include "TrainableFlow.h"
#include "TrainingKernel.h"
#include "openmmflow/internal/CouplingModel.h"

namespace OpenMMFlow {

/**
 * An augmented flow, differentiated by the kernels of the CPU platform. Coordinates are positions (3N) with
 * their centre at the origin, and their density is q(x,a)/pi(a|x) with an a that is drawn anew each time: its
 * negative logarithm is, on average, not less than that of the marginal density q(x). Where the density of a
 * flow depends on orientation, each frame gets a random one each time, so that the flow learns all of them.
 */
class TrainableAugmentedFlow : public TrainableFlow {
public:
    /** @param flow   one whose model is a CouplingModel */
    TrainableAugmentedFlow(const Flow& flow, const FlowTrainerOptions& options);
    int getNumParticles() const override { return model.getNumParticles(); }
    int getNumCoordinates() const override { return 3 * model.getNumParticles(); }
    /** Positions, since single precision is left to the kernels, which take off the centre first. */
    at::ScalarType getDataType() const override { return at::kDouble; }
    double measure(const double* frame, std::vector<double>& coordinates,
                   std::string& violation) const override;
    at::Tensor getParameters() const override;
    std::vector<LayerPlace> getLayers() const override { return model.getLayout().getLayers(); }
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
    [[noreturn]] void failWithoutPaths() const;
    /** Turn a frame (N, 3), which is centred, if orientation matters to the flow. */
    void orient(double* frame, uint64_t draw) const;
    Flow flow;
    const CouplingModel& model;
    FlowTrainerOptions options;
    mutable TrainingKernel<FlowGradientKernel> kernel;
    /** Kept from step to step, since new memory of this size comes from the operating system each time. */
    mutable std::vector<double> parameterValues, gradient;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TRAINABLEAUGMENTEDFLOW_H_*/
