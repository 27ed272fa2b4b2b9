#include "CoordinateModuleKernel.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "CoordinateSamples.h"

using namespace OpenMMFlow;
using at::Tensor;

/** Call work(first, count) for all samples, in blocks. */
template <class Work>
static void forBlocks(long long count, const Work& work) {
    // What Torch keeps of a sample takes a megabyte.
    const int64_t most = 1024;
    for (int64_t first = 0; first < count; first += most)
        work(first, std::min<int64_t>(most, count - first));
}

void CoordinateModuleKernel::initialize(const Flow& flow,
                                        const std::map<std::string, std::string>& properties) {
    model = std::make_shared<InternalFlowModel>(dynamic_cast<const InternalFlowModel&>(flow.getModel()));
    parameters = std::make_unique<ModuleParameters>(properties);
    numParticles = model->getNumParticles();
    numCoordinates = model->getCoordinates().getNumCoordinates();
    numParameters = (int64_t)model->getParameters().size();
    std::vector<double> numbers(numParameters);
    std::iota(numbers.begin(), numbers.end(), 1.0);
    order = InternalFlowModule(model->withParameters(numbers), at::kDouble).getParameters().to(at::kLong);
    module = std::make_unique<const InternalFlowModule>(model, at::kDouble);
    setParameters(model->getParameters());
}

void CoordinateModuleKernel::setParameters(const std::vector<double>& values) {
    std::vector<double> counted{0}, ordered;
    counted.insert(counted.end(), values.begin(), values.end());
    const int64_t* numbers = order.data_ptr<int64_t>();
    for (int64_t i = 0; i < order.numel(); i++)
        ordered.push_back(counted[numbers[i]]);
    parameters->set(ordered);
}

Tensor CoordinateModuleKernel::load(const double* coordinates, int64_t count) const {
    return parameters->load(coordinates, count, numCoordinates).t().contiguous();
}

void CoordinateModuleKernel::store(const Tensor& coordinates, double* values) const {
    storeTensor(coordinates.t(), values);
}

template <class Work>
void CoordinateModuleKernel::addGradients(long long count, double* gradient, const Work& work) const {
    Tensor sum = at::zeros_like(parameters->get());
    forBlocks(count, [&](int64_t first, int64_t size) { sum += work(first, size); });
    std::vector<double> ordered(order.numel());
    storeTensor(sum, ordered.data());
    const int64_t* numbers = order.data_ptr<int64_t>();
    std::fill_n(gradient, numParameters, 0.0);
    for (size_t i = 0; i < ordered.size(); i++)
        if (numbers[i] > 0)
            gradient[numbers[i] - 1] = ordered[i];
}

void CoordinateModuleKernel::sample(long long count, uint64_t seed, uint64_t first, double* positions,
                                    double* coordinates, double* logQ, double* gradient, double* adjoints) {
    std::fill_n(adjoints, count * (long long)model->getCouplings().size() * numCoordinates, 0.0);
    forBlocks(count, [&](int64_t start, int64_t size) {
        std::vector<double> base;
        std::vector<std::array<double, 4>> orientations;
        for (int64_t k = 0; k < size; k++) {
            const uint64_t index = first + start + k;
            const std::vector<double> z = drawCoordinateBase(*model, seed, index);
            base.insert(base.end(), z.begin(), z.end());
            orientations.push_back(drawSampleOrientation(*model, seed, index));
        }
        double* own = coordinates + start * numCoordinates;
        Tensor c;
        {
            c10::NoGradGuard noGradient;
            c = module->fromBase(parameters->get(), module->orderBase(load(base.data(), size)));
        }
        store(c, own);
        evaluate(c, own, orientations, positions + 3 * numParticles * start, logQ + start,
                 gradient + start * numCoordinates);
    });
}

void CoordinateModuleKernel::evaluate(long long count, const double* coordinates, double* positions,
                                      double* logQ, double* gradient, double* adjoints) {
    if (adjoints != nullptr)
        std::fill_n(adjoints, count * (long long)model->getCouplings().size() * numCoordinates, 0.0);
    forBlocks(count, [&](int64_t start, int64_t size) {
        const double* own = coordinates + start * numCoordinates;
        const std::vector<std::array<double, 4>> orientations(size, {1, 0, 0, 0});
        evaluate(load(own, size), own, orientations, positions + 3 * numParticles * start, logQ + start,
                 gradient + start * numCoordinates);
    });
}

void CoordinateModuleKernel::evaluate(const Tensor& moduleCoordinates, const double* coordinates,
                                      const std::vector<std::array<double, 4>>& orientations,
                                      double* positions, double* logQ, double* gradient) const {
    const Tensor slope = differentiate(moduleCoordinates, [&](const Tensor& point) {
        const Tensor density = module->logDensity(parameters->get(), point);
        storeTensor(density, logQ);
        return density.sum();
    });
    store(slope, gradient);
    std::vector<double> byVolume(numCoordinates);
    for (size_t k = 0; k < orientations.size(); k++) {
        const double* c = coordinates + k * numCoordinates;
        logQ[k] -= computeCoordinateVolume(*model, c, byVolume.data());
        if (!placeSample(*model, {c, c + numCoordinates}, orientations[k], positions + 3 * numParticles * k))
            logQ[k] = std::numeric_limits<double>::infinity();
        for (int64_t j = 0; j < numCoordinates; j++)
            gradient[k * numCoordinates + j] -= byVolume[j];
    }
}

void CoordinateModuleKernel::computeLogDensity(long long count, const double* coordinates, double* logQ) {
    c10::NoGradGuard noGradient;
    forBlocks(count, [&](int64_t first, int64_t size) {
        storeTensor(module->logDensity(parameters->get(), load(coordinates + first * numCoordinates, size)),
                    logQ + first);
    });
}

Tensor CoordinateModuleKernel::getLikelihoodGradient(const Tensor& coordinates, const Tensor& worth,
                                                     double* logQ) const {
    return differentiate(parameters->get(), [&](const Tensor& variable) {
        const Tensor density = module->logDensity(variable, coordinates);
        if (logQ != nullptr)
            storeTensor(density, logQ);
        return (density * worth).sum();
    });
}

void CoordinateModuleKernel::computeLikelihoodGradient(long long count, const double* coordinates,
                                                       const double* worth, double* logQ, double* gradient) {
    addGradients(count, gradient, [&](int64_t first, int64_t size) {
        return getLikelihoodGradient(load(coordinates + first * numCoordinates, size),
                                     parameters->load(worth + first, 1, size).squeeze(0), logQ + first);
    });
}

Tensor CoordinateModuleKernel::getPathGradient(const Tensor& coordinates, const Tensor& difference) const {
    Tensor base;
    {
        c10::NoGradGuard noGradient;
        base = module->toBase(parameters->get(), coordinates).first;
    }
    // With g the inverse of f, w . df/dtheta is -(w^T dg/dz^-1) . dg/dtheta, where the bracket is what is
    // given.
    return differentiate(parameters->get(), [&](const Tensor& variable) {
        return (module->fromBase(variable, base) * difference).sum();
    });
}

void CoordinateModuleKernel::computePathGradient(long long count, const double* coordinates,
                                                 const double* difference, double* gradient) {
    addGradients(count, gradient, [&](int64_t first, int64_t size) {
        const int64_t start = first * numCoordinates;
        return getPathGradient(load(coordinates + start, size), load(difference + start, size));
    });
}

void CoordinateModuleKernel::computeBalancedPathGradient(long long count, const double* coordinates,
                                                         const double* difference, const double*,
                                                         const double* worth, double* gradient) {
    addGradients(count, gradient, [&](int64_t first, int64_t size) {
        const int64_t start = first * numCoordinates;
        const Tensor c = load(coordinates + start, size);
        return getPathGradient(c, load(difference + start, size))
               + getLikelihoodGradient(c, parameters->load(worth + first, 1, size).squeeze(0), nullptr);
    });
}
