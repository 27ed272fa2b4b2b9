#ifndef OPENMMFLOW_FLOWTRAINER_H_
#define OPENMMFLOW_FLOWTRAINER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "openmm/System.h"
#include "openmmflow/Flow.h"

namespace OpenMMFlow {

/** How a Flow is trained. The defaults suit a molecule of a few dozen atoms and some 100,000 frames. */
struct FlowTrainerOptions {
    /** The number of frames in one step of the optimiser. */
    int batchSize = 512;
    /** The largest learning rate of Adam, reached after the warm-up. */
    double learningRate = 1e-3;
    /** The number of steps over which the learning rate rises linearly from the initial one. */
    int warmupSteps = 200;
    double initialLearningRate = 0;
    /** The learning rate after the last step. */
    double finalLearningRate = 0;
    /** How many frames to train on, each counted as often as it is used. The learning rate follows a cosine
     * to the final one at the end of these. */
    long long maxSamples = 1000000;
    /** How often to go through the data at most; 0 for no such limit. */
    double maxEpochs = 0;
    /** Stop after this many seconds (of this call; a resumed run starts anew), with a last checkpoint from
     * which another call continues; 0 for no such limit. */
    double timeBudget = 0;
    /** Gradients with a larger norm are scaled down to it. */
    double maxGradientNorm = 10;
    /** Gradients with a norm that is larger than the median of the last 100 by more than this factor are
     * scaled down to that; 0 for never. */
    double gradientClipFactor = 0;
    /** The same of gradients that are ignored, in steps that are counted as skipped; 0 for never. */
    double gradientSkipFactor = 0;
    /** The weight of a penalty on learned frames whose two vectors are nearly collinear: the average of
     * -log(1 - |cos|) of the angle between them. Of effect on flows in three dimensions that have such
     * frames. */
    double frameLossWeight = 0;
    /** The decay, per step, of the exponential moving average of the weights. The average is what is
     * validated and returned. */
    double averagingDecay = 0.998;
    /** The fraction of the frames that are held out: whole blocks, since neighbouring frames are correlated.
     * Of no effect when train() is told which blocks to hold out. */
    double validationFraction = 0.1;
    /** Validate on no more frames than this, evenly spread over those held out. */
    int maxValidationFrames = 16384;
    /** The number of steps between validations. */
    int validationInterval = 200;
    /** Stop when so many validations in a row have brought no improvement; 0 for never. */
    int patience = 20;
    /** The number of seconds between checkpoints. Checkpoints do not change the result. */
    double checkpointInterval = 60;
    /** The number of steps between estimates of the effective sample size, if there is a target. */
    int targetInterval = 1000;
    /** The number of proposals in each of these estimates. */
    int targetSamples = 4096;
    /** "single" or "double". */
    std::string precision = "single";
    /** The number of threads, also of the proposals; 0 for one per core. Another number of threads changes
     * the result by round-off. */
    int threads = 0;
    /** Determines the order of the frames and which blocks are held out. */
    unsigned int seed = 0;
};

/** How far training has come. Negative log likelihoods (NLL) are averages of -log q, in the units of Flow; of
 * log pi(a|x) - log q(x,a) for augmented flows, whose average is not less than that of -log q(x). */
struct FlowTrainerProgress {
    long long step = 0, totalSteps = 0;
    /** The number of frames trained on so far, counted as often as used, and how often that is the whole
     * data. */
    long long samples = 0;
    double epoch = 0;
    double learningRate = 0;
    /** The average over the steps since the last validation; NaN if there were none. */
    double trainingNLL = 0;
    /** Of the averaged weights; the best may be that of the flow which training started from. */
    double validationNLL = 0, bestValidationNLL = 0;
    /** Of proposals of the averaged weights at the latest estimate; NaN without a target, and before the
     * first estimate. */
    double effectiveSampleFraction = 0, paretoK = 0;
    /** Steps that were skipped because the gradient was not finite, or too large. */
    long long skippedSteps = 0;
    double samplesPerSecond = 0;
    /** Until all samples are used or the time budget is; early stopping cannot be foreseen. */
    double secondsLeft = 0;
};

/**
 * A FlowTrainer fits a Flow to configurations by maximum likelihood, with Adam (Kingma and Ba 2015, arXiv
 * 1412.6980).
 *
 * Some of the data are held out, in whole blocks, and the result is the exponential moving average of the
 * weights at the step where its likelihood of these was best: never worse, on these, than the flow to start
 * from. A run which writes a checkpoint and is killed
 * continues from there when train() is called again with the same arguments, and ends with exactly the
 * weights that an uninterrupted run would have had (on the same number of threads).
 */
class FlowTrainer {
public:
    /** Called about once a second and after each validation but that of the flow to start from. Returning
     * false ends training after a last checkpoint. */
    using Progress = std::function<bool(const FlowTrainerProgress&)>;
    /**
     * Create a FlowTrainer.
     *
     * @param flow      the Flow to start from, as FlowBuilder makes it or trained before. Its coordinates are
     * kept
     * @param options   how to train
     * @throws OpenMM::OpenMMException if an option makes no sense, or this family of flows cannot be trained
     */
    explicit FlowTrainer(const Flow& flow, const FlowTrainerOptions& options = {});
    ~FlowTrainer();
    FlowTrainer(const FlowTrainer&) = delete;
    FlowTrainer& operator=(const FlowTrainer&) = delete;
    const FlowTrainerOptions& getOptions() const;
    /** Get the number of particles, N. */
    int getNumParticles() const;
    /**
     * Report the effective sample size of the flow against a System during training, and note that of the
     * trained flow in its metadata. This changes nothing else.
     *
     * @param system        the System
     * @param temperature   the temperature in K
     */
    void setTarget(const OpenMM::System& system, double temperature);
    /**
     * Train.
     *
     * @param positions    (count, N, 3) in nm. Centre and orientation do not matter
     * @param weights      (count): the weight of each frame in the likelihood; empty for equal weights. A
     * frame of weight zero is ignored, even where it makes no sense
     * @param blocks       (count): which trajectory, or part of one, each frame belongs to: any integer.
     * Blocks are held out as a whole. Empty for one trajectory, which is then cut into 50 blocks
     * @param checkpoint   the file to which checkpoints are written, and from which training resumes if it
     * exists; empty for none
     * @param progress     called during training
     * @param heldOutBlocks   the blocks to hold out (of those 50, numbered from 0, if `blocks` is empty);
     * empty: chosen at random, as many as make up the validation fraction
     * @return the trained Flow; its metadata say how it was made ("training", as JSON)
     * @throws OpenMM::OpenMMException if the data make no sense (wrong number of particles, NaN, outside the
     * flow's support), if the blocks to hold out do not exist or are all there are, if the checkpoint is of
     * another flow, other data or other options, or if training diverges
     */
    Flow train(const std::vector<double>& positions, const std::vector<double>& weights = {},
               const std::vector<int64_t>& blocks = {}, const std::string& checkpoint = "",
               const Progress& progress = {}, const std::vector<int64_t>& heldOutBlocks = {});

private:
    struct Implementation;
    std::unique_ptr<Implementation> impl;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_FLOWTRAINER_H_*/
