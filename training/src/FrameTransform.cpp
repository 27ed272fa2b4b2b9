#include "FrameTransform.h"

#include <cmath>

#include <ATen/ATen.h>

#include "AffineComposition.h"

using namespace OpenMMFlow;
using at::Tensor;

namespace {

/** As on the platforms, so that a point on the origin or on an axis of a frame is no special case. */
const double tinySquare = 1e-30;

Tensor innerProduct(const Tensor& a, const Tensor& b) {
    return (a * b).sum(-1, true);
}

Tensor normalize(const Tensor& v) {
    return v / at::sqrt(innerProduct(v, v));
}

/** The rows of (M, D, D): axes x, y and z on the vectors (M, A, D). */
Tensor makeFrames(const Tensor& vectors) {
    const Tensor first = vectors.select(1, 0);
    if (vectors.size(2) == 2) {
        const Tensor x = normalize(first);
        return at::stack({x, at::stack({-x.select(1, 1), x.select(1, 0)}, 1)}, 1);
    }
    const Tensor second = vectors.select(1, 1), z = normalize(first);
    const Tensor x = normalize(second - innerProduct(second, z) * z);
    return at::stack({x, at::linalg_cross(z, x), z}, 1);
}

/** The angle of (x, y), whose derivative at the origin is 0. */
Tensor angleOf(const Tensor& y, const Tensor& x, const Tensor& square) {
    const Tensor isOrigin = square.detach() == 0;
    return at::atan2(y.masked_fill(isOrigin, 0.0), x.masked_fill(isOrigin, 1.0));
}

/** Distance, angle to z in three dimensions, and angle around the origin or z, with the log of the volume
 * element. */
std::pair<std::vector<Tensor>, Tensor> toSpherical(const std::vector<Tensor>& c) {
    const Tensor inPlane = c[0].square() + c[1].square(), planar = inPlane + tinySquare;
    const Tensor angle = angleOf(c[1], c[0], inPlane);
    if (c.size() == 2)
        return {{at::sqrt(planar), angle}, 0.5 * at::log(planar)};
    const Tensor square = planar + c[2].square();
    return {{at::sqrt(square), at::atan2(at::sqrt(planar), c[2]), angle},
            0.5 * (at::log(planar) + at::log(square))};
}

std::pair<std::vector<Tensor>, Tensor> fromSpherical(const std::vector<Tensor>& s) {
    const Tensor angle = s.back(), sine = s.size() == 3 ? at::sin(s[1]) : Tensor();
    const Tensor planar = s.size() == 3 ? s[0] * sine : s[0];
    std::vector<Tensor> c = {planar * at::cos(angle), planar * at::sin(angle)};
    if (s.size() == 2)
        return {c, at::log(s[0])};
    c.push_back(s[0] * at::cos(s[1]));
    return {c, 2 * at::log(s[0]) + at::log(sine)};
}

}  // namespace

FrameTransform::FrameTransform(const EquivariantCouplingModel& model)
    : kind(model.getOptions().transform),
      dimensions(model.getParticles().dimensions),
      numAxes(model.getVectorsPerFrame() - 1),
      numParameters(model.getParametersPerCoordinate()),
      odd(-1) {
    const auto& options = model.getOptions();
    const bool isCartesian = kind == Kind::CartesianAffine || kind == Kind::CartesianSpline;
    const double range = options.range / options.lengthUnit;
    shapes = {options.bins, options.minBinFraction, options.minDerivative, {}};
    if (options.reflections && kind != Kind::Vector)
        odd = isCartesian ? 1 : dimensions - 1;
    for (int c = 0; c < model.getNumCoordinates(); c++) {
        SplineDomain domain{0, range, SplineEnds::Free};
        if (!isCartesian && c > 0)
            domain.upper = M_PI;
        const bool isCircular = !isCartesian && c > 0 && c == dimensions - 1 && c != odd;
        if (isCircular)
            domain.ends = SplineEnds::Circular;
        if (isCircular || (isCartesian && c != odd))
            domain.lower = -domain.upper;
        shapes.domains.push_back(domain);
    }
}

/** Values are (M) for each coordinate, parameters (rows, coordinates, M); the logs of derivatives are added.
 */
std::pair<std::vector<Tensor>, Tensor> FrameTransform::applyFunctions(SplineDirection direction,
                                                                      std::vector<Tensor> values,
                                                                      const Tensor& parameters) const {
    if (kind == Kind::CartesianAffine) {
        Tensor given = parameters;
        if (odd >= 0) {
            // An odd function has no shift.
            Tensor isUsed = at::ones({2, parameters.size(1), 1}, parameters.options());
            isUsed[1][odd] = 0;
            given = parameters * isUsed;
        }
        const auto [results, logScales] =
            evaluateAffine(direction, at::stack(values), given, shapes.minDerivative);
        return {results.unbind(0), logScales.sum(0)};
    }
    const int last = (int)values.size() - 1;
    const bool isCircular = shapes.domains[last].ends == SplineEnds::Circular;
    const Tensor phase = parameters.select(0, 3 * shapes.bins).select(0, last);
    Tensor sign;
    if (odd >= 0) {
        sign = at::where(values[odd] < 0, -at::ones_like(values[odd]), at::ones_like(values[odd]));
        values[odd] = sign * values[odd];
    }
    if (isCircular && direction == SplineDirection::Inverse)
        values[last] = wrapAngles(values[last] - phase);
    const auto [results, logDerivative] = evaluateSplines(direction, at::stack(values), parameters, shapes);
    values = results.unbind(0);
    if (isCircular && direction == SplineDirection::Forward)
        values[last] = wrapAngles(values[last] + phase);
    if (odd >= 0)
        values[odd] = sign * values[odd];
    return {values, logDerivative.sum(0)};
}

/** Map the distance from the origin, and keep the direction. */
std::pair<Tensor, Tensor> FrameTransform::mapAlong(SplineDirection direction, const Tensor& points,
                                                   const Tensor& parameters) const {
    const Tensor distance = at::sqrt(points.square().sum(1) + tinySquare);
    const auto [values, logDerivative] = applyFunctions(direction, {distance}, parameters);
    const Tensor ratio = values[0] / distance;
    return {ratio.unsqueeze(1) * points, logDerivative + (dimensions - 1.0) * at::log(ratio)};
}

std::pair<Tensor, Tensor> FrameTransform::map(SplineDirection direction, const Tensor& points,
                                              const Tensor& axes, const Tensor& parameters) const {
    const int64_t numCoordinates = (int64_t)shapes.domains.size();
    const Tensor u = points.reshape({-1, dimensions});
    // (rows, coordinates, M)
    const Tensor p = parameters.reshape({-1, numCoordinates, numParameters}).permute({2, 1, 0}).contiguous();
    Tensor mapped, logVolume;
    if (kind == Kind::Vector)
        std::tie(mapped, logVolume) = mapAlong(direction, u, p);
    else {
        const Tensor frames = makeFrames(axes.reshape({-1, numAxes, dimensions}));
        std::vector<Tensor> values = (frames * u.unsqueeze(1)).sum(2).unbind(1);
        Tensor logBefore, logAfter;
        if (kind == Kind::Spherical)
            std::tie(values, logBefore) = toSpherical(values);
        std::tie(values, logVolume) = applyFunctions(direction, values, p);
        if (kind == Kind::Spherical) {
            std::tie(values, logAfter) = fromSpherical(values);
            logVolume = logVolume + logAfter - logBefore;
        }
        mapped = (frames * at::stack(values, 1).unsqueeze(2)).sum(1);
    }
    return {mapped.view(points.sizes()), logVolume.view({points.size(0), -1}).sum(1)};
}

Tensor OpenMMFlow::computeCollinearity(const Tensor& axes) {
    const Tensor first = axes.select(-2, 0), second = axes.select(-2, 1);
    auto lengthOf = [](const Tensor& v) { return at::sqrt(innerProduct(v, v) + tinySquare); };
    const Tensor cosine = (innerProduct(first, second) / (lengthOf(first) * lengthOf(second))).squeeze(-1);
    const Tensor room = 1 - cosine.abs();
    return -at::log(room.masked_fill(room.detach() < 1e-4, 1.0));
}
