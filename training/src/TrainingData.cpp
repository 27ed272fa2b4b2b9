#include "TrainingData.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "BatchOrder.h"
#include "Hash.h"
#include "openmm/OpenMMException.h"

using namespace OpenMMFlow;
using OpenMM::OpenMMException;

template <typename T>
static std::string getBytes(const std::vector<T>& values) {
    return std::string((const char*)values.data(), values.size() * sizeof(T));
}

static void checkArrays(int N, const std::vector<double>& positions, const std::vector<double>& weights,
                        const std::vector<int64_t>& blocks) {
    if (positions.empty())
        throw OpenMMException("There are no frames to train on.");
    if (positions.size() % (3 * N) != 0)
        throw OpenMMException("The positions must be an array (frames, " + std::to_string(N)
                              + ", 3), since the flow has " + std::to_string(N) + " particles, but they hold "
                              + std::to_string(positions.size()) + " numbers.");
    const size_t frames = positions.size() / (3 * N);
    for (const auto& [name, size] : {std::pair{"weights", weights.size()}, {"blocks", blocks.size()}})
        if (size != 0 && size != frames)
            throw OpenMMException("There are " + std::to_string(frames) + " frames, but "
                                  + std::to_string(size) + " " + name + "; give one for each frame.");
    double sum = 0;
    for (size_t i = 0; i < weights.size(); i++) {
        if (!std::isfinite(weights[i]) || weights[i] < 0)
            throw OpenMMException("The weight of frame " + std::to_string(i) + " is "
                                  + std::to_string(weights[i])
                                  + "; weights must be finite and not negative.");
        sum += weights[i];
    }
    if (!weights.empty() && sum == 0)
        throw OpenMMException("All weights are zero.");
}

/** Choose which frames are held out. */
static std::vector<char> chooseHeldOut(size_t frames, const std::vector<int64_t>& blocks, double fraction,
                                       uint32_t seed, int64_t& numBlocks) {
    const size_t defaultBlocks = 50;
    std::map<int64_t, std::vector<size_t>> members;
    for (size_t i = 0; i < frames; i++)
        members[blocks.empty() ? (int64_t)(i * defaultBlocks / frames) : blocks[i]].push_back(i);
    numBlocks = (int64_t)members.size();
    if (numBlocks < 2)
        throw OpenMMException(
            frames == 1
                ? "One frame is not enough to train on."
                : "All frames belong to one block, so that none can be held out for validation; give more "
                  "blocks, or none to have the trajectory cut into pieces.");
    std::vector<const std::vector<size_t>*> list;
    for (const auto& block : members)
        list.push_back(&block.second);
    std::vector<char> heldOut(frames, 0);
    size_t count = 0;
    // Stream ~0 is none of the epochs, whose orders have the same seed.
    const std::vector<int64_t> order = makePermutation(numBlocks, seed, ~0u);
    for (int64_t i = 0; i < numBlocks - 1 && count < fraction * frames; i++) {
        for (size_t frame : *list[order[i]])
            heldOut[frame] = 1;
        count += list[order[i]]->size();
    }
    return heldOut;
}

TrainingData OpenMMFlow::prepareTrainingData(const InternalFlowModel& model,
                                             const std::vector<double>& positions,
                                             const std::vector<double>& weights,
                                             const std::vector<int64_t>& blocks, double validationFraction,
                                             int64_t maxValidationFrames, uint32_t seed) {
    const InternalCoordinates& internal = model.getCoordinates();
    const int N = internal.getNumParticles(), D = internal.getNumCoordinates();
    checkArrays(N, positions, weights, blocks);
    const size_t frames = positions.size() / (3 * N);
    TrainingData data;
    const std::vector<char> heldOut = chooseHeldOut(frames, blocks, validationFraction, seed, data.numBlocks);
    const size_t numHeldOut = std::count(heldOut.begin(), heldOut.end(), 1);
    const size_t stride = std::max<size_t>(1, (numHeldOut + maxValidationFrames - 1) / maxValidationFrames);

    size_t validationIndex = 0;
    for (size_t i = 0; i < frames; i++) {
        const double* frame = &positions[3 * N * i];
        if (!std::all_of(frame, frame + 3 * N, [](double x) { return std::isfinite(x); }))
            throw OpenMMException("Frame " + std::to_string(i)
                                  + " has a position that is not a finite number.");
        std::vector<double> values = internal.measure(frame);
        if (!internal.isInSupport(values))
            throw OpenMMException("Frame " + std::to_string(i) + " is outside the support of the flow: "
                                  + internal.describeViolation(frame));
        const double weight = weights.empty() ? 1.0 : weights[i];
        if (weight == 0 || (heldOut[i] && validationIndex++ % stride != 0))
            continue;
        TrainingData::Part& part = heldOut[i] ? data.validation : data.training;
        double logJacobian = 0;
        for (int j = 0; j < N - 1; j++)
            logJacobian -= 2 * std::log(values[j]);
        for (int j = N - 1; j < 2 * N - 3; j++)
            logJacobian -= std::log(std::sin(values[j]));
        for (int j = 0; j < D; j++)
            part.coordinates.push_back(
                internal.circular[j] ? values[j] : (values[j] - internal.center[j]) / internal.scale[j]);
        part.weights.push_back(weight);
        part.logJacobian += weight * logJacobian;
        part.numFrames++;
    }
    for (TrainingData::Part* part : {&data.training, &data.validation}) {
        double sum = 0;
        for (double weight : part->weights)
            sum += weight;
        if (part->numFrames == 0)
            throw OpenMMException(
                "All frames that have a weight are in the blocks held out for validation, or none of "
                "them is; give more blocks.");
        for (double& weight : part->weights)
            weight *= part->numFrames / sum;
        part->logJacobian = part->logJacobian / sum + model.getLogDensityConstant();
    }
    data.hash = Hash().add(getBytes(positions)).add(getBytes(weights)).add(getBytes(blocks)).toString();
    return data;
}
