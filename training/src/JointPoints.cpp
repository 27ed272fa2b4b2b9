#include "JointPoints.h"

#include <ATen/ATen.h>

#include "shared/SplineOffset.h"

using namespace OpenMMFlow;
using at::Tensor;

JointPoints::JointPoints(const CouplingModel& model, const CouplingModel::Configuration& configuration)
    : numParticles(model.getNumParticles()),
      numClouds(model.getNumClouds()),
      dimensions(model.getParticles().dimensions),
      lengthUnit(configuration.lengthUnit),
      augmentedScale(model.getBase().augmentedScale / lengthUnit),
      minDerivative(configuration.minDerivative),
      logNormalization(model.getLogNormalization()),
      precision(at::tensor(model.getPrecision()).view({numParticles, numParticles})
                * (lengthUnit * lengthUnit)) {}

Tensor JointPoints::load(const Tensor& joint, const Tensor& like) const {
    const Tensor points = joint.to(like.options())
                              .reshape({-1, numClouds, numParticles, 3})
                              .narrow(3, 0, dimensions)
                              .transpose(1, 2)
                          / lengthUnit;
    return points - points.narrow(2, 0, 1).mean(1, true);
}

Tensor JointPoints::store(const Tensor& points) const {
    const Tensor centred = lengthUnit * (points - points.narrow(2, 0, 1).mean(1, true));
    return at::constant_pad_nd(centred.transpose(1, 2), {0, 3 - dimensions})
        .reshape({-1, numClouds * numParticles, 3});
}

Tensor JointPoints::baseLogDensity(const Tensor& points) const {
    const Tensor x = points.select(2, 0);
    const Tensor displacements = points.narrow(2, 1, numClouds - 1) - points.narrow(2, 0, 1);
    return logNormalization - 0.5 * (x * at::matmul(precision.to(x.options()), x)).sum({1, 2})
           - 0.5 / (augmentedScale * augmentedScale) * displacements.square().sum({1, 2, 3});
}

void JointPoints::scale(SplineDirection direction, const Tensor& logits, Tensor& points,
                        Tensor& logDensity) const {
    const Tensor factors =
        minDerivative + at::softplus(logits + getSplineDerivativeOffset(minDerivative), 1, 40);
    // Of the sizes of clouds, and of the distances of their centres from that of x, which is its own.
    const Tensor sizes = factors.narrow(0, 0, numClouds);
    const Tensor distances = at::constant_pad_nd(factors.narrow(0, numClouds, numClouds - 1), {1, 0}, 1.0);
    const Tensor logVolume = (dimensions * (numParticles - 1.0)) * at::log(sizes).sum()
                             + (double)dimensions * at::log(distances).sum();
    auto apply = [&](const Tensor& lengths, const Tensor& by) {
        return direction == SplineDirection::Forward ? lengths * by.unsqueeze(1) : lengths / by.unsqueeze(1);
    };
    const Tensor centers = points.mean(1, true), origin = centers.narrow(2, 0, 1);
    points = origin + apply(centers - origin, distances) + apply(points - centers, sizes);
    logDensity = logDensity - logVolume;
}
