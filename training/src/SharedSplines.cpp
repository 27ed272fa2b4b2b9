#include "SharedSplines.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "SplineKernels.h"

using namespace OpenMMFlow;
using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <typename Scalar>
static const SplineKernels<Scalar>& kernelsFor() {
    if constexpr (std::is_same_v<Scalar, float>)
        return getSplineKernels().single;
    else
        return getSplineKernels().wide;
}

template <typename Scalar>
static void invert(const SplineLayout& layout, const Tensor& y, const Tensor& parameters, Tensor& x,
                   Tensor& logDerivative) {
    SplineArrays<Scalar> arrays{};
    arrays.layout = layout;
    arrays.batch = y.size(1);
    arrays.y = y.data_ptr<Scalar>();
    arrays.parameters = parameters.data_ptr<Scalar>();
    arrays.x = x.data_ptr<Scalar>();
    arrays.logDerivative = logDerivative.data_ptr<Scalar>();
    const SplineKernels<Scalar>& kernels = kernelsFor<Scalar>();
    at::parallel_for(0, layout.numCoordinates(), 1,
                     [&](int64_t first, int64_t last) { kernels.invert(arrays, first, last); });
}

template <typename Scalar>
static void backpropagate(const SplineLayout& layout, const Tensor& y, const Tensor& parameters,
                          const Tensor& xAdjoint, const Tensor& logAdjoint, Tensor& yAdjoint,
                          Tensor& parameterAdjoint) {
    SplineArrays<Scalar> arrays{};
    arrays.layout = layout;
    arrays.batch = y.size(1);
    arrays.y = y.data_ptr<Scalar>();
    arrays.parameters = parameters.data_ptr<Scalar>();
    arrays.xAdjoint = xAdjoint.data_ptr<Scalar>();
    arrays.logAdjoint = logAdjoint.data_ptr<Scalar>();
    arrays.yAdjoint = yAdjoint.data_ptr<Scalar>();
    arrays.parameterAdjoint = parameterAdjoint.data_ptr<Scalar>();
    const SplineKernels<Scalar>& kernels = kernelsFor<Scalar>();
    at::parallel_for(0, layout.numCoordinates(), 1,
                     [&](int64_t first, int64_t last) { kernels.backpropagate(arrays, first, last); });
}

namespace {

struct InvertSplines : torch::autograd::Function<InvertSplines> {
    static variable_list forward(AutogradContext* context, const Tensor& y, const Tensor& parameters,
                                 const SplineLayout& layout) {
        context->save_for_backward({y, parameters});
        context->saved_data["circular"] = layout.circular;
        context->saved_data["linear"] = layout.linear;
        context->saved_data["bins"] = layout.bins;
        context->saved_data["tailBound"] = layout.tailBound;
        context->saved_data["minBinFraction"] = layout.minBinFraction;
        context->saved_data["minDerivative"] = layout.minDerivative;
        Tensor x = at::empty_like(y), logDerivative = at::empty_like(y);
        if (y.scalar_type() == at::kFloat)
            invert<float>(layout, y, parameters, x, logDerivative);
        else
            invert<double>(layout, y, parameters, x, logDerivative);
        return {x, logDerivative.sum(0)};
    }
    static variable_list backward(AutogradContext* context, const variable_list& adjoints) {
        auto& data = context->saved_data;
        const SplineLayout layout{(int)data["circular"].toInt(),     (int)data["linear"].toInt(),
                                  (int)data["bins"].toInt(),         data["tailBound"].toDouble(),
                                  data["minBinFraction"].toDouble(), data["minDerivative"].toDouble()};
        const variable_list saved = context->get_saved_variables();
        const Tensor &y = saved[0], &parameters = saved[1];
        const Tensor xAdjoint = adjoints[0].contiguous(), logAdjoint = adjoints[1].contiguous();
        Tensor yAdjoint = at::empty_like(y), parameterAdjoint = at::empty_like(parameters);
        if (y.scalar_type() == at::kFloat)
            backpropagate<float>(layout, y, parameters, xAdjoint, logAdjoint, yAdjoint, parameterAdjoint);
        else
            backpropagate<double>(layout, y, parameters, xAdjoint, logAdjoint, yAdjoint, parameterAdjoint);
        return {yAdjoint, parameterAdjoint, Tensor()};
    }
};

}  // namespace

std::pair<Tensor, Tensor> OpenMMFlow::invertSharedSplines(const Tensor& y, const Tensor& parameters,
                                                          const SplineLayout& layout) {
    TORCH_CHECK(y.size(1) % SPLINE_BATCH_MULTIPLE == 0);
    variable_list result = InvertSplines::apply(y.contiguous(), parameters.contiguous(), layout);
    return {result[0], result[1]};
}
