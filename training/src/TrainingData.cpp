#include "TrainingData.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "BatchOrder.h"
#include "Hash.h"
#include "openmm/OpenMMException.h"

using namespace OpenMMFlow;
using OpenMM::OpenMMException;

/** Add an array to a hash in pieces, since the hash takes strings and a copy of all positions would be large.
 */
template <typename T>
static void addToHash(Hash& hash, const std::vector<T>& values) {
    const size_t pieceSize = 1 << 16, size = values.size() * sizeof(T);
    const char* bytes = (const char*)values.data();
    hash.add(std::to_string(size));
    std::string piece;
    for (size_t start = 0; start < size; start += pieceSize) {
        piece.assign(bytes + start, std::min(pieceSize, size - start));
        hash.add(piece);
    }
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

static double getWeight(size_t frame, const std::vector<double>& weights) {
    return weights.empty() ? 1.0 : weights[frame];
}

/** The block of a frame: without blocks, one of 50 pieces of equal length. */
static int64_t getBlock(size_t frame, size_t frames, const std::vector<int64_t>& blocks) {
    return blocks.empty() ? (int64_t)(frame * 50 / frames) : blocks[frame];
}

/** The blocks that are held out, of those that have so many frames each. */
static std::set<int64_t> chooseHeldOut(const std::map<int64_t, size_t>& sizes, size_t frames,
                                       const ValidationSplit& split) {
    if (sizes.size() < 2)
        throw OpenMMException(
            frames == 1
                ? "One frame is not enough to train on."
                : "All frames belong to one block, so that none can be held out for validation; give more "
                  "blocks, or none to have the trajectory cut into pieces.");
    std::set<int64_t> heldOut(split.blocks.begin(), split.blocks.end());
    for (int64_t block : heldOut)
        if (sizes.count(block) == 0)
            throw OpenMMException(
                "Block " + std::to_string(block)
                + " cannot be held out, since no frame belongs to it; name blocks of the data.");
    if (heldOut.size() == sizes.size())
        throw OpenMMException("All blocks are held out; leave some to train on.");
    if (!heldOut.empty())
        return heldOut;
    const std::vector<std::pair<int64_t, size_t>> list(sizes.begin(), sizes.end());
    size_t count = 0;
    // Stream ~0 is none of the epochs, whose orders have the same seed.
    const std::vector<int64_t> order = makePermutation((int64_t)list.size(), split.seed, ~0u);
    for (size_t i = 0; i + 1 < list.size() && count < split.fraction * frames; i++) {
        heldOut.insert(list[order[i]].first);
        count += list[order[i]].second;
    }
    return heldOut;
}

TrainingData OpenMMFlow::prepareTrainingData(const TrainableFlow& flow, const std::vector<double>& positions,
                                             const std::vector<double>& weights,
                                             const std::vector<int64_t>& blocks,
                                             const ValidationSplit& split) {
    const int N = flow.getNumParticles(), D = flow.getNumCoordinates();
    checkArrays(N, positions, weights, blocks);
    const size_t frames = positions.size() / (3 * N);
    TrainingData data;
    std::map<int64_t, size_t> sizes, usedSizes;
    for (size_t i = 0; i < frames; i++) {
        const int64_t block = getBlock(i, frames, blocks);
        sizes[block]++;
        usedSizes[block] += getWeight(i, weights) > 0;
    }
    const std::set<int64_t> heldOutBlocks = chooseHeldOut(sizes, frames, split);
    data.numBlocks = (int64_t)sizes.size();
    data.heldOutBlocks.assign(heldOutBlocks.begin(), heldOutBlocks.end());
    size_t numUsed = 0, numHeldOut = 0;
    for (const auto& [block, size] : usedSizes) {
        numUsed += size;
        numHeldOut += heldOutBlocks.count(block) != 0 ? size : 0;
    }
    const size_t stride = std::max<size_t>(1, (numHeldOut + split.maxFrames - 1) / split.maxFrames);
    data.training.reserve(numUsed - numHeldOut, D);
    data.validation.reserve((numHeldOut + stride - 1) / stride, D);

    size_t validationIndex = 0;
    std::vector<double> coordinates;
    std::string violation;
    for (size_t i = 0; i < frames; i++) {
        const double weight = getWeight(i, weights);
        if (weight == 0)
            continue;
        const double* frame = &positions[3 * N * i];
        if (!std::all_of(frame, frame + 3 * N, [](double x) { return std::isfinite(x); }))
            throw OpenMMException("Frame " + std::to_string(i)
                                  + " has a position that is not a finite number.");
        coordinates.clear();
        violation.clear();
        const double logJacobian = flow.measure(frame, coordinates, violation);
        if (!violation.empty())
            throw OpenMMException("Frame " + std::to_string(i)
                                  + " is outside the support of the flow: " + violation + ".");
        const bool heldOut = heldOutBlocks.count(getBlock(i, frames, blocks)) != 0;
        if (heldOut && validationIndex++ % stride != 0)
            continue;
        TrainingData::Part& part = heldOut ? data.validation : data.training;
        part.coordinates.insert(part.coordinates.end(), coordinates.begin(), coordinates.end());
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
        part->logJacobian /= sum;
    }
    Hash hash;
    addToHash(hash, positions);
    addToHash(hash, weights);
    addToHash(hash, blocks);
    data.hash = hash.toString();
    return data;
}
