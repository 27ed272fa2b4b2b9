#ifndef OPENMMFLOW_TRAINABLEFLOW_H_
#define OPENMMFLOW_TRAINABLEFLOW_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "openmmflow/FlowTrainer.h"
#include "openmmflow/internal/FlowModel.h"
#include "openmmflow/internal/ParameterLayout.h"

namespace OpenMMFlow {

/** Frames of one part of the data as tensors. */
struct Frames {
    /** (frames, D): as TrainableFlow::measure() makes them. */
    at::Tensor coordinates;
    /** (frames): of data, average 1. */
    at::Tensor weights;
    /** log q(x) minus the log density of the coordinates, averaged over the frames by weight. */
    double logJacobian = 0;

    int64_t size() const { return weights.size(0); }
};

/** Samples of a flow, in the coordinates that it learns from. */
struct PathSamples {
    /** (samples, N, 3) in nm, (samples, D) and (samples); as for CoordinateTrainingKernel. */
    std::vector<double> positions, coordinates, logQ;
    /** (samples, D): of log q(x) by the coordinates. */
    std::vector<double> gradient;
    /** (samples, A): what computeBalancedPathGradient() needs besides; empty if nobody asked. */
    std::vector<double> adjoints;

    /** Get some of them, without their positions and adjoints. */
    PathSamples select(const std::vector<int64_t>& samples) const;
};

/** What FlowTrainer needs to know of a family of flows. */
class TrainableFlow {
public:
    /** @throws OpenMM::OpenMMException if flows of this family cannot be trained */
    static std::unique_ptr<TrainableFlow> create(const Flow& flow, const FlowTrainerOptions& options);
    virtual ~TrainableFlow() = default;
    virtual int getNumParticles() const = 0;
    /** Get the precision in which coordinates are kept. */
    virtual at::ScalarType getDataType() const = 0;
    /** Get D. */
    virtual int getNumCoordinates() const = 0;
    /**
     * Append the coordinates (D) that the flow learns from.
     *
     * @param frame       (N, 3), finite, in nm
     * @param violation   set to what is wrong with the frame, as part of a sentence, if it is outside the
     * flow's support; what is appended makes no sense then
     * @return log q(x) minus the log density of the coordinates
     */
    virtual double measure(const double* frame, std::vector<double>& coordinates,
                           std::string& violation) const = 0;
    /** Get the parameters of the flow, as one flat tensor. */
    virtual at::Tensor getParameters() const = 0;
    /** Get the places of the weight matrices among them. */
    virtual std::vector<LayerPlace> getLayers() const = 0;
    virtual std::shared_ptr<const FlowModel> createModel(const at::Tensor& parameters) const = 0;
    /**
     * Compute the average over frames of the negative log density of their coordinates, by weight.
     *
     * @param first   the number of the first frame, on which random numbers depend
     */
    virtual double validate(const at::Tensor& parameters, const Frames& frames, int64_t first) const = 0;
    /**
     * Set the gradient of the parameters to that of the objective on a batch: the average of the negative log
     * density of coordinates, by weight, and whatever else the options ask for.
     *
     * @param batch   the frames
     * @param first   how many frames were trained on before, on which random numbers depend
     * @return that average
     */
    virtual double computeGradient(at::Tensor& parameters, const Frames& frames,
                                   const std::vector<int64_t>& batch, int64_t first) const = 0;
    /**
     * Draw samples with the gradient of their log density.
     *
     * @throws OpenMM::OpenMMException if this family of flows cannot be trained on its own samples
     */
    virtual PathSamples samplePaths(const at::Tensor& parameters, long long count, uint64_t seed,
                                    uint64_t first) const = 0;
    /**
     * The same of samples that are given by their coordinates (samples, D).
     *
     * @param forBalance   whether to compute what computeBalancedPathGradient() needs
     */
    virtual PathSamples evaluatePaths(const at::Tensor& parameters, const std::vector<double>& coordinates,
                                      bool forBalance = false) const = 0;
    /** Get the gradient by the coordinates (D) of an energy, from that by the positions (N, 3) of a sample.
     */
    virtual std::vector<double> toCoordinateGradient(const double* positions,
                                                     const double* gradient) const = 0;
    /**
     * Compute log |dx/dc|: the log density of coordinates minus log q(x).
     *
     * @param coordinates   (D)
     * @param gradient      (D): on exit, its gradient by the coordinates
     */
    virtual double computeLogVolume(const double* coordinates, double* gradient) const = 0;
    /** Set the gradient of the parameters to a path gradient; as CoordinateTrainingKernel has it. */
    virtual void computePathGradient(at::Tensor& parameters, const std::vector<double>& coordinates,
                                     const std::vector<double>& difference) const = 0;
    /** The same plus the gradient of the sum of worth (samples) times log q. */
    virtual void computeBalancedPathGradient(at::Tensor& parameters, const std::vector<double>& coordinates,
                                             const std::vector<double>& difference,
                                             const std::vector<double>& adjoints,
                                             const std::vector<double>& worth) const = 0;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TRAINABLEFLOW_H_*/
