#ifndef OPENMMFLOW_TESTS_COUPLINGMAP_H_
#define OPENMMFLOW_TESTS_COUPLINGMAP_H_

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include <ATen/ATen.h>

#include "CouplingModuleFixture.h"

namespace OpenMMFlow::tests {

/** (P, D): an orthonormal basis of the joint configurations with the centre of x at the origin. */
inline at::Tensor makeBasis(const CouplingModel& model) {
    const int64_t n = model.getNumParticles(), augmented = model.getNumAugmentedParticles();
    const at::Tensor projector = at::eye(n, at::kDouble) - 1.0 / n;
    const at::Tensor centred = std::get<1>(at::linalg_eigh(projector)).narrow(1, 1, n - 1);
    const at::Tensor particles = at::block_diag({centred, at::eye(augmented, at::kDouble)});
    return at::kron(particles, at::eye(3, at::kDouble).narrow(1, 0, model.getParticles().dimensions));
}

/** Of joint configurations of the base, (B, N+A, 3), without bonds. */
inline at::Tensor baseLogDensity(const CouplingModel& model, const at::Tensor& base) {
    const int64_t n = model.getNumParticles(), dimensions = model.getParticles().dimensions;
    auto gaussian = [](const at::Tensor& x, double scale, int64_t count) {
        return -0.5 * (x / scale).square().sum({1, 2})
               - (double)count * (0.5 * std::log(2 * M_PI) + std::log(scale));
    };
    const at::Tensor x = base.narrow(1, 0, n);
    const at::Tensor a = base.narrow(1, n, base.size(1) - n) - x.repeat({1, model.getParticles().copies, 1});
    return gaussian(x, model.getBase().scale, dimensions * (n - 1))
           + gaussian(a, model.getBase().augmentedScale, dimensions * a.size(1));
}

/** Expect log q of what a module makes of the base to be that of the map, by its Jacobian from autodiff, in
 * an orthonormal basis. */
template <class Module>
void expectDensityOfTheMap(const Module& module, const CouplingModel& model, const at::Tensor& parameters,
                           at::Tensor base) {
    base.requires_grad_();
    const at::Tensor basis = makeBasis(model);
    const int64_t count = base.size(0);
    const auto [positions, logQ] = module.transform(parameters, base);
    const at::Tensor coordinates = at::matmul(positions.reshape({count, -1}), basis);
    std::vector<at::Tensor> rows;
    for (int64_t i = 0; i < basis.size(1); i++)
        rows.push_back(
            at::matmul(differentiate(coordinates.select(1, i).sum(), base).reshape({count, -1}), basis));
    const at::Tensor logVolume = std::get<1>(at::linalg_slogdet(at::stack(rows, 1)));
    EXPECT_LT(largest(baseLogDensity(model, base.detach()) - logVolume - logQ), 1e-8);
    EXPECT_GT((logVolume.max() - logVolume.min()).template item<double>(), 1.0)
        << "the log-determinants must differ for the test to mean anything";
}

}  // namespace OpenMMFlow::tests

#endif /*OPENMMFLOW_TESTS_COUPLINGMAP_H_*/
