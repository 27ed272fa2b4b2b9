#ifndef OPENMMFLOW_CPUINTERNALFLOW_H_
#define OPENMMFLOW_CPUINTERNALFLOW_H_

#include <memory>
#include <mutex>
#include <vector>

#include "CpuFlow.h"
#include "LaneWeightGradient.h"
#include "OneSampleFlow.h"
#include "PackedLayers.h"
#include "Rows.h"
#include "SplineShapes.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

/** A dense layer, and its transpose for the way back. */
struct Dense {
    explicit Dense(const LayerView& layer);
    void assign(const LayerView& layer);
    PanelMatrix weight, transposed;
};

struct Coupling {
    std::vector<int> transformed, conditioning;
    std::vector<InternalFlowModel::FeatureProduct> products;
    Dense input;
    std::vector<std::pair<Dense, Dense>> blocks;
    /** The last layer, in one part for each transformed coordinate, whose parameters are used at once. */
    std::vector<PanelMatrix> outputs;
    PanelMatrix outputTransposed;
};

/** The internal-coordinate spline flow in one precision. */
class InternalFlow : public CpuFlow {
public:
    explicit InternalFlow(const InternalFlowModel& model);
    std::unique_ptr<CpuFlowBlock> createBlock() const override;
    std::unique_ptr<CpuTrainingBlock> createTrainingBlock() const override;
    void setParameters(const double* parameters) override;
    /** Get the weights of the model as one sample at a time reads them, packed when that is first needed. */
    const OneSampleFlow& getOneSampleFlow() const;

    const InternalFlowModel& model;
    InternalCoordinates coordinates;
    InternalFlowModel::Activation activation;
    std::vector<Coupling> couplings;
    std::vector<SplineShape> shapes;
    std::vector<int> numParameters;
    int numCoordinates, numLinear, numFeatures, numOutputs, numHidden, numBlocks;
    double logDensityConstant;
    /** Where the layers of each coupling stand among the parameters. */
    std::vector<InternalFlowModel::CouplingPlace> places;

private:
    /** Call visit(i, layer) with the part of the last layer that belongs to the i-th transformed coordinate.
     */
    template <class Visit>
    void forEachOutput(const std::vector<int>& transformed, const LayerView& output,
                       const Visit& visit) const;
    const size_t numWeights;
    mutable std::once_flag isPacked;
    mutable std::unique_ptr<OneSampleFlow> oneSampleFlow;
};

/** A block of samples on their way through an InternalFlow. `count` below is a multiple of TILE in private
 * methods. */
class InternalFlowBlock : public CpuFlowBlock {
public:
    static constexpr int COLUMNS = 128;
    explicit InternalFlowBlock(const InternalFlow& flow);
    ~InternalFlowBlock();
    int getBlockSize() const override { return COLUMNS; }
    void sample(int count, uint64_t seed, uint64_t first, double* positions, double* logQ) override;
    void computeLogDensity(int count, const double* positions, double* logQ, double* gradient) override;
    double computeLogDensityOfOne(const double* positions, double* gradient) override;

protected:
    void drawBase(int count, uint64_t seed, uint64_t first);
    void addBaseLogDensity(int count);
    void computeFeatures(const Coupling& coupling, int count);
    /** From the conditioning coordinates to the last hidden layer. */
    void computeHidden(const Coupling& coupling, int count);
    /** From there to the parameters of the spline of the i-th transformed coordinate. */
    void computeParameters(const Coupling& coupling, size_t i, int count);
    void applyCoupling(const Coupling& coupling, int count);
    void invertCoupling(const Coupling& coupling, int count);
    /**
     * After computeHidden(), call visit(j, s, shape, ends, parameters, adjoint) for each transformed
     * coordinate j and vector of samples s: with the parameters of its spline, and where what they are worth
     * has its place in `reverse`, if it is there. Both have the stride of Rows.
     */
    template <class Visit>
    void forEachSpline(const Coupling& coupling, int count, const Visit& visit) {
        int offset = 0;
        for (size_t i = 0; i < coupling.transformed.size(); i++) {
            const int j = coupling.transformed[i];
            computeParameters(coupling, i, count);
            withConstants(flow.shapes[j], flow.coordinates.circular[j],
                          [&](SplineShape shape, auto bins, auto ends) {
                              shape.bins = bins;
                              for (int s = 0; s < count; s += LANES)
                                  visit(j, s, shape, ends, &parameters.at(0, s),
                                        reverse ? &reverse->parameterAdjoint.at(offset, s) : nullptr);
                          });
            offset += flow.numParameters[j];
        }
    }
    /** What the base is worth: the derivative of its log density. */
    void startFromBase(int count);
    /** From what the inverse of a coupling gave to what it was given, for all that is in `reverse`. */
    void backpropagateCoupling(const Coupling& coupling, int count);
    /** From what the parameters of the splines are worth to what the conditioning coordinates are; what the
     * weights are worth is added to `gradient` unless it is null. */
    void backpropagateParameters(const Coupling& coupling, int count,
                                 const InternalFlowModel::CouplingPlace* place = nullptr,
                                 WeightGradient* gradient = nullptr);
    void computeLogDensity(int count, int columns, bool isOne, const double* positions, double* logQ,
                           double* gradient);
    /** All couplings, and their way back, for the sample in lane 0, whose values fill the other lanes. */
    void invertCouplingsOfOne();
    void backpropagateCouplingsOfOne();

    // InternalFlowGeometry.cpp: between coordinates and positions.
    void placeAtoms(int count);
    void measureCoordinates(int count);
    void backpropagateCoordinates(int count);
    void storePositions(int count, double* positions) const;
    void loadPositions(int count, int columns, const double* positions);
    void storeGradient(int count, double* gradient) const;

    /** What the gradient needs besides, made on first use. */
    struct Reverse {
        explicit Reverse(const InternalFlow& flow);
        /** The coordinates that each coupling was given, and the derivatives of the activations of one
         * coupling. */
        std::vector<Rows> given, slopes;
        /** What each block was given and the first layer of each made of it, for the gradient of weights
         * only. */
        std::vector<Rows> states, inners;
        /** What each quantity is worth: the derivative of log q with respect to it. */
        Rows adjoint, parameterAdjoint, hiddenAdjoint, innerAdjoint, featureAdjoint, gradient;
    };

    const InternalFlow& flow;
    const int numParticles;
    Rows z, values, logDensity, support, finite, features, hidden, inner, parameters, positions;
    const int numNormals, numUniforms;
    /** (numNormals, COLUMNS) and (numUniforms, COLUMNS) */
    std::vector<double> normals, uniforms;
    bool recording = false;
    std::unique_ptr<Reverse> reverse;
    std::unique_ptr<OneSampleCouplings> one;
    std::vector<double> coordinatesOfOne;
};

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CPUINTERNALFLOW_H_*/
