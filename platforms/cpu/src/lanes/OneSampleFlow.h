#ifndef OPENMMFLOW_ONESAMPLEFLOW_H_
#define OPENMMFLOW_ONESAMPLEFLOW_H_

#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "VectorMatrix.h"
#include "openmmflow/internal/InternalFlowModel.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

/** The transformed coordinates of a coupling whose splines are of one kind, one in each lane. */
struct SplineGroup {
    std::vector<int> coordinates;
    /** Their number in SplineCoupling::transformed, and where its parameters begin in the output there. */
    std::vector<int> firstOutputs;
    int circular, numParameters, numVectors;
    SplineShape shape;
};

/** The layers of a coupling, or with the transposed of them those of the way back. */
struct OneSampleLayers {
    VectorMatrix input;
    std::vector<std::pair<VectorMatrix, VectorMatrix>> blocks;
    /** For each group the parameters of its splines: parameter k of coordinate c at (k*numVectors)*LANES + c.
     */
    std::vector<VectorMatrix> outputs;
};

/**
 * The couplings of an internal-coordinate spline flow for one sample at a time, as a simulation asks for
 * them: the outputs of layers lie in the lanes, and the transformed coordinates, where many samples would lie
 * else. The weights are packed again for that, those of the way back when they are first needed.
 */
class OneSampleFlow {
public:
    explicit OneSampleFlow(const InternalFlowModel& model);
    const std::vector<OneSampleLayers>& getTransposed() const;

    const InternalFlowModel& model;
    std::vector<std::vector<SplineGroup>> groups;
    std::vector<std::vector<InternalFlowModel::FeatureProduct>> products;
    std::vector<OneSampleLayers> layers;

private:
    mutable std::once_flag isTransposed;
    mutable std::vector<OneSampleLayers> transposed;
};

/** One sample on its way through the couplings of a OneSampleFlow, and the memory that takes. */
class OneSampleCouplings {
public:
    explicit OneSampleCouplings(const OneSampleFlow& flow);
    /**
     * Take the coordinates back to the base, through the inverse of all couplings.
     *
     * @param z   the standardised coordinates; on exit those of the base
     * @return the log of the absolute value of the Jacobian determinant of this map
     */
    double invert(std::vector<double>& z);
    /**
     * Take the derivative of log q with respect to the coordinates of the base, as the last invert() gave
     * them, to that with respect to the coordinates that it was given.
     */
    void backpropagate(std::vector<double>& adjoint);

private:
    /** What the way back needs of one coupling. */
    struct Record {
        std::vector<Scalar> features;
        /** The derivatives of the activations, by layer. */
        std::vector<std::vector<Lanes>> slopes;
        /** For each group the values that the splines were given, and their parameters. */
        std::vector<std::vector<Lanes>> given, parameters;
    };
    void computeHidden(const OneSampleLayers& layers, Record& record);
    void backpropagateLayers(const OneSampleLayers& transposed, const Record& record,
                             const std::vector<std::vector<Lanes>>& parameterAdjoint);

    const OneSampleFlow& flow;
    const InternalFlowModel::Activation activation;
    std::vector<Record> records;
    std::vector<Lanes> hidden, inner, features;
    std::vector<std::vector<Lanes>> parameterAdjoint;
};

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ONESAMPLEFLOW_H_*/
