#ifndef OPENMMFLOW_TRAININGDATA_H_
#define OPENMMFLOW_TRAININGDATA_H_

#include <cstdint>
#include <string>
#include <vector>

#include "openmmflow/internal/InternalFlowModel.h"

namespace OpenMMFlow {

/** Frames as a flow sees them: in internal coordinates, standardised, and split into those to learn from and
 * those held out. */
struct TrainingData {
    /** Some of the frames. */
    struct Part {
        /** (frames, D): standardised linear coordinates and circular ones in radians. */
        std::vector<double> coordinates;
        /** (frames): average 1. */
        std::vector<double> weights;
        /** log q(x) minus the log density of the coordinates, averaged over the frames by weight. */
        double logJacobian = 0;
        int64_t numFrames = 0;
    };
    Part training, validation;
    int64_t numBlocks = 0;
    /** A hash of everything that was given. */
    std::string hash;
};

/**
 * Measure and check frames, and hold out about `validationFraction` of them: whole blocks, chosen at random.
 *
 * @throws OpenMM::OpenMMException, a sentence which names the frame, for data that make no sense for this
 * model
 */
TrainingData prepareTrainingData(const InternalFlowModel& model, const std::vector<double>& positions,
                                 const std::vector<double>& weights, const std::vector<int64_t>& blocks,
                                 double validationFraction, int64_t maxValidationFrames, uint32_t seed);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TRAININGDATA_H_*/
