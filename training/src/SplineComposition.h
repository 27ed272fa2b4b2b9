#ifndef OPENMMFLOW_SPLINECOMPOSITION_H_
#define OPENMMFLOW_SPLINECOMPOSITION_H_

#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "SplineLayout.h"

namespace OpenMMFlow {

/** What becomes of a spline at its ends: the identity beyond them, one that closes on itself, or straight
 * lines with the derivatives that its ends have. */
enum class SplineEnds { Identity, Circular, Free };

/** The domain of the spline of one coordinate, which is also its range. */
struct SplineDomain {
    double lower, upper;
    SplineEnds ends;
};

/** What the splines of n coordinates have in common, and the domain of each. */
struct SplineShapes {
    int bins;
    double minBinFraction, minDerivative;
    std::vector<SplineDomain> domains;
};

enum class SplineDirection { Forward, Inverse };

/**
 * Monotonic rational-quadratic splines or their inverses, composed of Torch operations: equations 4 to 8 of
 * Durkan et al. 2019 (arXiv 1906.04032).
 *
 * @param values       (n, B): where to evaluate them; those of circular splines lie in their domains
 * @param parameters   (rows, n, B): K widths, K heights, then the derivatives at knots 1 ... K-1 of identity
 * ends, 0 ... K-1 of circular ones, and 0 ... K of free ones, all unconstrained. There are at least K rows of
 * derivatives, and what a coordinate does not need is ignored
 * @return the values, and the logs of their derivatives, (n, B) each
 */
std::pair<at::Tensor, at::Tensor> evaluateSplines(SplineDirection direction, const at::Tensor& values,
                                                  const at::Tensor& parameters, const SplineShapes& shapes);

/** Bring angles in radians to [-pi, pi]. */
at::Tensor wrapAngles(const at::Tensor& angles);

/**
 * A coupling's splines or their inverses, with the circular variant of Rezende et al. 2020 (arXiv
 * 2002.02428).
 *
 * @param values       (n, B)
 * @param parameters   (SplineLayout::numParameters(), B): unconstrained
 * @return the results (n, B), and the sum over coordinates of the logarithms of their derivatives by the
 * values (B)
 */
std::pair<at::Tensor, at::Tensor> mapSplines(SplineDirection direction, const at::Tensor& values,
                                             const at::Tensor& parameters, const SplineLayout& layout);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_SPLINECOMPOSITION_H_*/
