#include "SplineComposition.h"
#include "shared/SplineOffset.h"

#include <cmath>

#include <ATen/ATen.h>

using namespace OpenMMFlow;
using at::Tensor;

namespace {

/** (n, 1): a number for each coordinate. */
template <typename Value>
Tensor column(const SplineShapes& shapes, const at::TensorOptions& options, const Value& value) {
    std::vector<double> values;
    for (const SplineDomain& domain : shapes.domains)
        values.push_back(value(domain));
    return at::tensor(values, at::kDouble).to(options).unsqueeze(1);
}

/** The bins that hold the values, in units where the square of each spline is (0, 1) x (0, 1); slopes are the
 * same in these. */
struct Bins {
    /** (1, n, B) */
    Tensor index;
    /** Widths (0) and heights (1), and where the bins begin: (2, n, B). */
    Tensor size, edge;
    /** At both knots: (2, n, B). */
    Tensor derivative;
};

Tensor findDerivatives(const Tensor& bin, const Tensor& parameters, const SplineShapes& shapes) {
    const int K = shapes.bins;
    const at::TensorOptions integers = bin.options();
    // The first row is that of knot 1 where the derivatives at the ends are fixed, and that of knot 0
    // elsewhere.
    const Tensor first =
        column(shapes, integers, [](const auto& domain) { return domain.ends == SplineEnds::Identity; });
    const Tensor rows =
        column(shapes, integers, [K](const auto& domain) { return K + (domain.ends == SplineEnds::Free); });
    const Tensor left = bin - first, right = left + 1;
    const Tensor isEnd = at::cat({left < 0, (right == K - 1) & (first > 0)});
    const Tensor knots = at::cat({left.remainder(rows), right.remainder(rows)});
    const Tensor raw = parameters.narrow(0, 2 * K, parameters.size(0) - 2 * K);
    const Tensor unconstrained = raw.gather(0, knots).masked_fill(isEnd, 0.0);
    const double offset = getSplineDerivativeOffset(shapes.minDerivative);
    return shapes.minDerivative + at::softplus(unconstrained + offset, 1, 40);
}

Bins findBins(const Tensor& inside, int axis, const Tensor& parameters, const SplineShapes& shapes) {
    const int64_t K = shapes.bins, n = inside.size(0), batch = inside.size(1);
    // Of widths and heights at once: (2, K, n, B).
    const double range = 1 - K * shapes.minBinFraction;
    const Tensor fractions = at::softmax(parameters.narrow(0, 0, 2 * K).reshape({2, K, n * batch}), 1);
    const Tensor before = at::tril(at::ones({K, K}, inside.options()), -1);
    const Tensor floor = shapes.minBinFraction * at::arange(K, inside.options()).unsqueeze(1);
    const Tensor sizes = (shapes.minBinFraction + range * fractions).view({2, K, n, batch});
    const Tensor edges = (at::matmul(range * before, fractions) + floor).view({2, K, n, batch});

    Bins bins;
    // What is not a number is in no bin, and must not be looked for outside them.
    bins.index = ((inside.detach().unsqueeze(0) >= edges[axis].detach()).sum(0, true) - 1).clamp_min(0);
    const Tensor both = bins.index.unsqueeze(0).expand({2, 1, n, batch});
    bins.size = sizes.gather(1, both).squeeze(1);
    bins.edge = edges.gather(1, both).squeeze(1);
    bins.derivative = findDerivatives(bins.index, parameters, shapes);
    return bins;
}

/** The fraction of a bin at which the spline has the value y: equations 6 to 8 of Durkan et al. */
Tensor invertBins(const Bins& bins, const Tensor& y) {
    const Tensor width = bins.size[0], height = bins.size[1];
    const Tensor d0 = bins.derivative[0], d1 = bins.derivative[1];
    const Tensor slope = height / width, dy = y - bins.edge[1];
    const Tensor curvature = d1 + d0 - 2 * slope;
    const Tensor a = height * (slope - d0) + dy * curvature;
    const Tensor b = height * d0 - dy * curvature;
    const Tensor discriminant = at::clamp_min(b * b + 4 * a * slope * dy, 0.0);
    return at::clamp_max(2 * slope * dy / (b + at::sqrt(discriminant)), 1.0);
}

}  // namespace

std::pair<Tensor, Tensor> OpenMMFlow::evaluateSplines(SplineDirection direction, const Tensor& values,
                                                      const Tensor& parameters, const SplineShapes& shapes) {
    const bool isInverse = direction == SplineDirection::Inverse;
    const at::TensorOptions options = values.options();
    const Tensor lower = column(shapes, options, [](const auto& domain) { return domain.lower; });
    const Tensor upper = column(shapes, options, [](const auto& domain) { return domain.upper; });
    const Tensor length = upper - lower;
    const Tensor clamped = at::clamp(values, lower, upper);
    const Tensor inside = (clamped - lower) / length;
    const Bins bins = findBins(inside, isInverse, parameters, shapes);
    const Tensor d0 = bins.derivative[0], d1 = bins.derivative[1], slope = bins.size[1] / bins.size[0];
    const Tensor t = isInverse ? invertBins(bins, inside) : (inside - bins.edge[0]) / bins.size[0];

    // Equations 4 and 5.
    const Tensor u = t * (1 - t);
    const Tensor denominator = slope + (d1 + d0 - 2 * slope) * u;
    const Tensor numerator = d1 * t * t + 2 * slope * u + d0 * (1 - t) * (1 - t);
    const Tensor fraction = isInverse ? bins.edge[0] + t * bins.size[0]
                                      : bins.edge[1] + bins.size[1] * (slope * t * t + d0 * u) / denominator;
    const Tensor logSlope = at::log(numerator) - 2 * at::log(denominator / slope);

    const Tensor hasTails =
        column(shapes, options, [](const auto& domain) { return domain.ends != SplineEnds::Circular; });
    const Tensor isAbove = values.detach() >= upper;
    const Tensor isTail = (isAbove | (values.detach() <= lower)) & (hasTails > 0);
    const Tensor isIdentity =
        column(shapes, options, [](const auto& domain) { return domain.ends == SplineEnds::Identity; });
    const Tensor tail = at::where(isAbove, d1, d0).masked_fill(isIdentity > 0, 1.0);
    const Tensor end = clamped.detach(), beyond = values - end;
    const Tensor result =
        at::where(isTail, end + (isInverse ? beyond / tail : beyond * tail), lower + length * fraction);
    const Tensor logDerivative = at::where(isTail, at::log(tail), logSlope);
    return {result, isInverse ? -logDerivative : logDerivative};
}

Tensor OpenMMFlow::wrapAngles(const Tensor& angles) {
    return angles - 2 * M_PI * at::round(angles.detach() / (2 * M_PI));
}

std::pair<Tensor, Tensor> OpenMMFlow::mapSplines(SplineDirection direction, const Tensor& values,
                                                 const Tensor& parameters, const SplineLayout& layout) {
    const int64_t n = layout.numCoordinates(), rows = 3 * layout.bins;
    SplineShapes shapes{layout.bins, layout.minBinFraction, layout.minDerivative, {}};
    shapes.domains.assign(n, {-layout.tailBound, layout.tailBound, SplineEnds::Identity});
    std::fill_n(shapes.domains.begin(), layout.circular, SplineDomain{-M_PI, M_PI, SplineEnds::Circular});
    // By their phases; what is not circular stays.
    auto shift = [&](const Tensor& angles, double sign) {
        if (layout.circular == 0)
            return angles;
        const Tensor phases = parameters.narrow(0, rows * n, layout.circular);
        return at::cat({wrapAngles(angles.narrow(0, 0, layout.circular) + sign * phases),
                        angles.narrow(0, layout.circular, layout.linear)});
    };
    const bool isForward = direction == SplineDirection::Forward;
    const auto [result, logDerivative] =
        evaluateSplines(direction, isForward ? values : shift(values, -1),
                        parameters.narrow(0, 0, rows * n).view({rows, n, values.size(1)}), shapes);
    return {isForward ? shift(result, 1) : result, logDerivative.sum(0)};
}
