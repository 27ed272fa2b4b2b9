#include "SplineComposition.h"
#include "shared/SplineOffset.h"

#include <cmath>
#include <vector>

#include <ATen/ATen.h>

using namespace OpenMMFlow;
using at::Tensor;

static Tensor column(const std::vector<double>& values, const Tensor& like) {
    return at::tensor(values, at::kDouble).to(like.scalar_type()).unsqueeze(1);
}

std::pair<Tensor, Tensor> OpenMMFlow::invertSplines(const Tensor& y, const Tensor& parameters,
                                                    const SplineLayout& layout) {
    const int64_t K = layout.bins, n = layout.numCoordinates(), batch = y.size(1);
    std::vector<double> boundValues(n, layout.tailBound), shiftValues(n, 1);
    std::fill(boundValues.begin(), boundValues.begin() + layout.circular, M_PI);
    std::fill(shiftValues.begin(), shiftValues.begin() + layout.circular, 0);
    const Tensor bound = column(boundValues, y);

    Tensor unshifted = y;
    if (layout.circular > 0) {
        Tensor turned = y.narrow(0, 0, layout.circular) - parameters.narrow(0, 3 * K * n, layout.circular);
        turned = turned - 2 * M_PI * at::round(turned.detach() / (2 * M_PI));
        unshifted = at::cat({turned, y.narrow(0, layout.circular, layout.linear)});
    }
    // From here on in units where the square of the spline is (0, 1) x (0, 1); slopes are the same in these.
    const Tensor inside = at::clamp(unshifted / (2 * bound) + 0.5, 0.0, 1.0);

    // Bin sizes and their left edges, of widths (0) and heights (1) at once: (2, K, n, B).
    const double range = 1 - K * layout.minBinFraction;
    const Tensor fractions = at::softmax(parameters.narrow(0, 0, 2 * K * n).view({2, K, n * batch}), 1);
    const Tensor before = at::tril(at::ones({K, K}, y.options()), -1);
    const Tensor floor = layout.minBinFraction * at::arange(K, y.options()).unsqueeze(1);
    const Tensor sizes = (layout.minBinFraction + range * fractions).view({2, K, n, batch});
    const Tensor edges = (at::matmul(range * before, fractions) + floor).view({2, K, n, batch});

    const Tensor bin = (inside.detach().unsqueeze(0) >= edges[1].detach()).sum(0, true) - 1;
    const Tensor bins = bin.unsqueeze(0).expand({2, 1, n, batch});
    const Tensor size = sizes.gather(1, bins).squeeze(1), edge = edges.gather(1, bins).squeeze(1);
    // Row k of the derivatives is knot k of a circular spline, and knot k+1 of a linear one, whose end knots
    // have slope 1.
    const Tensor shift = column(shiftValues, y).to(at::kLong);
    const Tensor left = bin - shift, right = left + 1;
    const Tensor raw = parameters.narrow(0, 2 * K * n, K * n).view({K, n, batch});
    const Tensor isEnd = at::cat({left < 0, (right == K - 1) & (shift > 0)});
    Tensor unconstrained = at::cat({raw.gather(0, left.remainder(K)), raw.gather(0, right.remainder(K))});
    unconstrained = unconstrained.masked_fill(isEnd, 0.0);
    const double offset = getSplineDerivativeOffset(layout.minDerivative);
    const Tensor derivative = layout.minDerivative + at::softplus(unconstrained + offset, 1, 40);

    const Tensor width = size[0], height = size[1], d0 = derivative[0], d1 = derivative[1];
    const Tensor slope = height / width;
    const Tensor dy = inside - edge[1];
    const Tensor curvature = d1 + d0 - 2 * slope;
    const Tensor a = height * (slope - d0) + dy * curvature;
    const Tensor b = height * d0 - dy * curvature;
    const Tensor discriminant = at::clamp_min(b * b + 4 * a * slope * dy, 0.0);
    const Tensor t = at::clamp_max(2 * slope * dy / (b + at::sqrt(discriminant)), 1.0);
    const Tensor u = t * (1 - t);
    const Tensor denominator = slope + curvature * u;
    const Tensor numerator = d1 * t * t + 2 * slope * u + d0 * (1 - t) * (1 - t);
    Tensor x = (edge[0] + t * width - 0.5) * (2 * bound);
    Tensor logDerivative = 2 * at::log(denominator / slope) - at::log(numerator);

    // Linear splines are the identity outside of (-bound, bound).
    Tensor linearTail = (y.detach().abs() >= bound) & (shift > 0);
    x = at::where(linearTail, y, x);
    logDerivative = logDerivative.masked_fill(linearTail, 0.0);
    return {x, logDerivative.sum(0)};
}
