#ifndef OPENMMFLOW_REFERENCEINTERNALFLOW_H_
#define OPENMMFLOW_REFERENCEINTERNALFLOW_H_

#include <array>
#include <vector>

#include "ReferenceFlowKernel.h"
#include "openmmflow/internal/InternalFlowModel.h"
#include "shared/DoubleMath.h"

namespace OpenMMFlow {

/** The internal-coordinate spline flow, one sample at a time. Vectors of coordinates are in the order of the
 * model. */
class ReferenceInternalFlow : public ReferenceFlow {
public:
    explicit ReferenceInternalFlow(const Flow& flow);
    double sample(uint64_t seed, uint64_t index, double* positions) const override;
    double computeLogDensity(const double* positions, double* gradient) const override;
    /**
     * The flow as a map: from a point z of the base and an orientation (a quaternion of any length) to
     * positions.
     *
     * @return log q of the positions, or +infinity outside the support
     */
    double transform(std::vector<double> z, const std::array<double, 4>& orientation,
                     double* positions) const;
    /** The base distribution: noise for a sample, and the log density of a point. */
    std::vector<double> drawBase(uint64_t seed, uint64_t index) const;
    double computeBaseLogDensity(const std::vector<double>& z) const;

private:
    /** The parameters of a coupling's splines. `hidden` receives what the reverse pass needs. */
    std::vector<double> computeParameters(const SplineCoupling& coupling, const std::vector<double>& z,
                                          std::vector<std::vector<double>>* hidden = nullptr) const;
    /** Given what the parameters are worth, add to what the conditioning coordinates are worth. */
    void backpropagateParameters(const SplineCoupling& coupling, const std::vector<double>& z,
                                 const std::vector<std::vector<double>>& hidden,
                                 const std::vector<double>& parameterAdjoint,
                                 std::vector<double>& zAdjoint) const;
    /** The sum of 2 log b + log sin(theta): what internal coordinates add to log q, with the sign reversed.
     */
    double computeLogVolume(const std::vector<double>& values) const;
    /** Given what the coordinates are worth, set what the positions are worth. */
    void backpropagateCoordinates(const double* positions, const std::vector<double>& valueAdjoint,
                                  double* gradient) const;
    shared::SplineShape getShape(int coordinate) const;
    int getNumParameters(int coordinate) const;

    Flow flow;
    const InternalFlowModel& model;
    const InternalCoordinates& coordinates;
    int numParticles;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_REFERENCEINTERNALFLOW_H_*/
