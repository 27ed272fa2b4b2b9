#ifndef OPENMMFLOW_TRAININGDATA_H_
#define OPENMMFLOW_TRAININGDATA_H_

#include <cstdint>
#include <string>
#include <vector>

#include "TrainableFlow.h"

namespace OpenMMFlow {

/** Frames in the coordinates that a flow learns from, split into those to learn from and those held out. */
struct TrainingData {
    /** Some of the frames. */
    struct Part {
        /** (frames, D): as TrainableFlow::measure() makes them. */
        std::vector<double> coordinates;
        /** (frames): average 1. */
        std::vector<double> weights;
        /** log q(x) minus the log density of the coordinates, averaged over the frames by weight. */
        double logJacobian = 0;
        int64_t numFrames = 0;

        void reserve(size_t frames, size_t numCoordinates) {
            coordinates.reserve(frames * numCoordinates);
            weights.reserve(frames);
        }
    };
    Part training, validation;
    int64_t numBlocks = 0;
    /** In ascending order. */
    std::vector<int64_t> heldOutBlocks;
    /** A hash of everything that was given. */
    std::string hash;
};

/** Which blocks are held out, and how many of their frames are used. */
struct ValidationSplit {
    /** About this fraction of the frames, in blocks chosen at random: if `blocks` is empty. */
    double fraction;
    int64_t maxFrames;
    uint32_t seed;
    std::vector<int64_t> blocks = {};
};

/**
 * Measure and check frames, and hold some of them out: whole blocks. Frames of weight zero are ignored.
 *
 * @throws OpenMM::OpenMMException, a sentence which names the frame, for data that make no sense for this
 * flow
 */
TrainingData prepareTrainingData(const TrainableFlow& flow, const std::vector<double>& positions,
                                 const std::vector<double>& weights, const std::vector<int64_t>& blocks,
                                 const ValidationSplit& split);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TRAININGDATA_H_*/
