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

/** What the network of a coupling makes of the samples of a block, as far as the way back needs it. */
struct CouplingRecord {
    /**
     * @param hasParameters   whether there is room for the parameters of all splines
     * @param forGradient     whether there is room for what a gradient by coordinates needs
     * @param forWeights      whether there is room for what a gradient by weights needs besides
     */
    CouplingRecord(const InternalFlow& flow, bool hasParameters, bool forGradient, bool forWeights);
    Rows features, hidden, parameters;
    /** The derivatives of the activations. */
    std::vector<Rows> slopes;
    /** What each block was given, and what the first layer of each made of it. */
    std::vector<Rows> states, inners;
};

/** A block of samples on their way through an InternalFlow. `count` below is a multiple of TILE in private
 * methods. */
class InternalFlowBlock : public CpuFlowBlock {
public:
    static constexpr int COLUMNS = 128;
    explicit InternalFlowBlock(const InternalFlow& flow);
    ~InternalFlowBlock();
    int getBlockSize() const override { return COLUMNS; }
    int getTileSize() const override { return TILE; }
    void sample(int count, uint64_t seed, uint64_t first, double* positions, double* logQ) override;
    void computeLogDensity(int count, const double* positions, double* logQ, double* gradient) override;
    double computeLogDensityOfOne(const double* positions, double* gradient) override;

protected:
    void drawBase(int count, uint64_t seed, uint64_t first);
    void addBaseLogDensity(int count);
    void computeFeatures(const Coupling& coupling, int count);
    /** From the conditioning coordinates to the last hidden layer. */
    void computeHidden(const Coupling& coupling, int count);
    void applyCoupling(const Coupling& coupling, int count);
    void invertCoupling(const Coupling& coupling, int count);
    /** All of them; what revisitSplines() needs is kept if `isKept`. */
    void invertCouplings(int count, bool isKept);
    /**
     * After computeHidden(), call visit(j, s, shape, ends, parameters, adjoint) for each transformed
     * coordinate j and vector of samples s: with the parameters of its spline, and where what they are worth
     * has its place in `reverse`, if it is there. Both have the stride of Rows.
     *
     * @param isRepeated   whether the parameters are in the record already
     */
    template <class Visit>
    void forEachSpline(const Coupling& coupling, int count, const Visit& visit, bool isRepeated = false) {
        const bool isRecorded = record->parameters.getNumRows() > 0;
        Rows& numbers = isRecorded ? record->parameters : parameters;
        int offset = 0;
        for (size_t i = 0; i < coupling.transformed.size(); i++) {
            const int j = coupling.transformed[i], first = isRecorded ? offset : 0;
            if (!isRepeated)
                coupling.outputs[i].multiply(record->hidden, count,
                                             [&](int k, int s, Lanes y) { numbers.at(first + k, s) = y; });
            withConstants(flow.shapes[j], flow.coordinates.circular[j],
                          [&](SplineShape shape, auto bins, auto ends) {
                              shape.bins = bins;
                              for (int s = 0; s < count; s += LANES)
                                  visit(j, s, shape, ends, &numbers.at(first, s),
                                        reverse ? &reverse->parameterAdjoint.at(offset, s) : nullptr);
                          });
            offset += flow.numParameters[j];
        }
    }
    /** Get back to what a coupling was given by invertCouplings(), in z and in the record, and call
     * forEachSpline(). */
    template <class Visit>
    void revisitSplines(size_t l, int count, const Visit& visit) {
        z.copyFrom(reverse->given[l], count);
        const bool isRecorded = !records.empty();
        if (isRecorded)
            record = &records[l];
        else
            computeHidden(flow.couplings[l], count);
        forEachSpline(flow.couplings[l], count, visit, isRecorded);
    }
    /** What the base is worth: the derivative of its log density. */
    void startFromBase(int count);
    /**
     * After invertCouplings(), from what the base is worth to what the coordinates are.
     *
     * @param worths     what the log density of each sample is worth; null where that is 1
     * @param gradient   what the weights are worth is added to it, unless it is null
     */
    void backpropagateCouplings(int count, const Rows* worths = nullptr, WeightGradient* gradient = nullptr);
    /** The same of one coupling, from what it takes from the base to what it gives. */
    void backpropagateCoupling(size_t l, int count, const Rows* worths = nullptr,
                               WeightGradient* gradient = nullptr);
    /** From what the parameters of the splines of a coupling are worth to what the conditioning coordinates
     * are; what the weights are worth is added to `gradient` unless it is null. */
    void backpropagateParameters(size_t l, int count, WeightGradient* gradient = nullptr);
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

    /** Make room for what a gradient needs, if there is none yet. */
    void prepareReverse(bool forWeights);
    /** Make a record for each coupling, unless they would be too large. */
    void prepareRecords();
    /** What the gradient needs besides, made on first use. */
    struct Reverse {
        explicit Reverse(const InternalFlow& flow);
        /** The coordinates that each coupling was given. */
        std::vector<Rows> given;
        /** What each quantity is worth: the derivative of log q with respect to it. */
        Rows adjoint, parameterAdjoint, hiddenAdjoint, innerAdjoint, featureAdjoint, gradient;
    };

    const InternalFlow& flow;
    const int numParticles;
    Rows z, values, logDensity, support, finite, inner, parameters, positions;
    const int numNormals, numUniforms;
    /** (numNormals, COLUMNS) and (numUniforms, COLUMNS) */
    std::vector<double> normals, uniforms;
    std::unique_ptr<Reverse> reverse;
    /** Of the coupling that is at work; and of all of them, unless they are too large to be kept. */
    std::unique_ptr<CouplingRecord> passing;
    std::vector<CouplingRecord> records;
    /** The one of the two that is in use. */
    CouplingRecord* record;
    std::unique_ptr<OneSampleCouplings> one;
    std::vector<double> coordinatesOfOne;
};

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CPUINTERNALFLOW_H_*/
