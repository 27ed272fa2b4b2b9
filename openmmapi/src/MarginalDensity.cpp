#include "MarginalDensity.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "openmm/OpenMMException.h"
#include "shared/DoubleMath.h"
#include "shared/noise.h"

namespace OpenMMFlow {

using std::vector;

namespace {

/** Joint configurations in memory at a time. */
const long long maxChunk = 4096;

}  // namespace

void drawConditional(const AugmentedFlowModel& model, const double* x, uint64_t seed, uint64_t configuration,
                     int draw, double* joint) {
    const int n = model.getNumParticles(), dimensions = model.getParticles().dimensions;
    const int numNormals = model.getNumAugmentedParticles() * dimensions, numBlocks = (numNormals + 1) / 2;
    std::copy_n(x, 3 * n, joint);
    std::fill_n(joint + 3 * n, 3 * model.getNumAugmentedParticles(), 0.0);
    shared::NormalPair pair{};
    for (int k = 0; k < numNormals; k++) {
        if (k % 2 == 0) {
            const shared::UniformPair u =
                shared::uniformPair(seed, configuration, shared::NoiseStream::Augmented,
                                    (uint32_t)draw * (uint32_t)numBlocks + k / 2);
            pair = shared::boxMuller(u.first, u.second);
        }
        const int particle = k / dimensions, axis = k % dimensions;
        joint[3 * (n + particle) + axis] =
            x[3 * (particle % n) + axis]
            + model.getParticles().augmentedScale * (k % 2 == 0 ? pair.first : pair.second);
    }
}

MarginalDensity::MarginalDensity(const AugmentedFlowModel& model, FlowKernel& kernel)
    : model(model),
      kernel(kernel),
      size(3 * model.getNumParticles()),
      jointSize(size + 3 * model.getNumAugmentedParticles()) {}

void MarginalDensity::sample(long long count, uint64_t seed, uint64_t first, double* positions,
                             double* logQ) {
    for (long long start = 0; start < count; start += maxChunk) {
        const long long length = std::min(maxChunk, count - start);
        joint.resize(length * jointSize);
        kernel.sample(length, seed, first + start, joint.data(), logQ + start);
        for (long long k = 0; k < length; k++) {
            const double* sample = &joint[k * jointSize];
            std::copy_n(sample, size, positions + (start + k) * size);
            if (std::isfinite(logQ[start + k]))
                logQ[start + k] -= model.computeLogConditional(sample);
        }
    }
}

void MarginalDensity::estimate(long long count, const double* positions, int draws, uint64_t seed,
                               uint64_t first, double* logQ, double* gradient) {
    if (draws < 1 || draws > 1000000)
        throw OpenMM::OpenMMException("The number of draws must lie in 1 to 1000000.");
    const long long chunk = std::max(1ll, maxChunk / draws);
    for (long long start = 0; start < count; start += chunk)
        estimateChunk(first + start, std::min(chunk, count - start), positions + start * size, draws, seed,
                      logQ + start, gradient == nullptr ? nullptr : gradient + start * size);
}

void MarginalDensity::estimateChunk(uint64_t first, long long count, const double* positions, int draws,
                                    uint64_t seed, double* logQ, double* gradient) {
    const long long numJoint = count * draws;
    joint.resize(numJoint * jointSize);
    jointLogQ.resize(numJoint);
    for (long long k = 0; k < numJoint; k++)
        drawConditional(model, positions + k / draws * size, seed, first + k / draws, (int)(k % draws),
                        &joint[k * jointSize]);
    if (gradient == nullptr)
        kernel.computeLogDensity(numJoint, joint.data(), jointLogQ.data());
    else {
        jointGradient.resize(numJoint * jointSize);
        kernel.computeLogDensityGradient(numJoint, joint.data(), jointLogQ.data(), jointGradient.data());
        std::fill_n(gradient, count * size, 0.0);
    }
    for (long long c = 0; c < count; c++) {
        double* terms = &jointLogQ[c * draws];
        for (int k = 0; k < draws; k++)
            terms[k] -= model.computeLogConditional(&joint[(c * draws + k) * jointSize]);
        const double largest = *std::max_element(terms, terms + draws);
        double sum = 0;
        for (int k = 0; k < draws; k++)
            sum += std::exp(terms[k] - largest);
        // Where no draw has a density the estimate is 0. A position that is not finite makes all terms NaN.
        const bool isZero = largest == -std::numeric_limits<double>::infinity();
        logQ[c] = isZero ? largest : largest + std::log(sum / draws);
        if (gradient == nullptr)
            continue;
        for (int k = 0; k < draws; k++) {
            const double weight = std::exp(terms[k] - largest) / sum;
            const double* part = &jointGradient[(c * draws + k) * jointSize];
            // A draw of no weight may lie where there is no gradient.
            if (weight != 0)
                for (size_t i = 0; i < jointSize; i++)
                    gradient[c * size + i % size] += weight * part[i];
        }
        if (!std::isfinite(logQ[c]))
            std::fill_n(gradient + c * size, size, std::numeric_limits<double>::quiet_NaN());
    }
}

}  // namespace OpenMMFlow
