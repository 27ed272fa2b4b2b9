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
    /** "adam" (Kingma and Ba 2015, arXiv 1412.6980), or "soap" (Vyas et al. 2024, arXiv 2409.11321): Adam in
     * the bases where the entries of the gradient of each weight matrix are nearly uncorrelated. */
    std::string optimizer = "adam";
    /** The number of frames or proposals in one step of the optimiser. */
    int batchSize = 512;
    /** The largest learning rate, reached after the warm-up. */
    double learningRate = 1e-3;
    /** The number of steps over which the learning rate rises linearly from the initial one. */
    int warmupSteps = 200;
    double initialLearningRate = 0;
    /** The learning rate after the last step. */
    double finalLearningRate = 0;
    /** How many frames or proposals to train on at most, each counted as often as it is used. The learning
     * rate follows a cosine to the final one at the end of these. */
    long long maxSamples = 1000000;
    /** How often to go through the data at most; 0 for no such limit. Of no effect without data. */
    double maxEpochs = 0;
    /** Train for about this many seconds, those of the calls that a run resumes from included; 0 for no
     * limit. Where that is too short for all samples, what is left of the schedule, of the learning rate and
     * the temperature, is spread over the time that is left, and training is complete when it is over. Only
     * objectives that keep samples, whose stages are counted in steps, just stop then, with a last checkpoint
     * from which a call with a larger budget goes on. */
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
    /** Whether training on data uses the forces of the target at them (path gradients; Vaitl et al. 2024,
     * arXiv 2403.15881): for data that are samples of the target, or nearly, of internal-coordinate flows.
     * The gradient has less noise then, and none where the flow is the target. Where the average of -log q of
     * the held-out frames rises above its best by more than 1, the weights go back to the best ones and the
     * learning rate is halved. In training from the energy alone, the same for the samples of
     * "annealed-importance" and "mass-transport". */
    bool pathGradients = false;
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
    /** Stop when so many validations in a row have brought no improvement; 0 for never. Of no effect on
     * training from the energy alone. */
    int patience = 20;
    /** The number of seconds between checkpoints. Checkpoints do not change the result. */
    double checkpointInterval = 60;
    /** The number of steps between estimates of the effective sample size, if there is a target; of no effect
     * on training from the energy alone, where each validation is one. */
    int targetInterval = 1000;
    /** The number of proposals in each of these estimates, and in each validation of training from the energy
     * alone. */
    int targetSamples = 4096;
    /**
     * What training from the energy alone makes small:
     * - "path-gradient": the reverse and the forward Kullback-Leibler divergence on fresh samples, by path
     *   gradients (Vaitl et al. 2024, arXiv 2403.15881), while the temperature falls.
     * - "annealed-importance": stage by stage, the likelihood of samples of the flow that are weighted
     * towards the target at the next lower temperature (Schopmans and Friederich 2025, arXiv 2501.19077).
     * - "mass-transport": the same, weighted towards q^a p^b, where q is the flow at the beginning of the
     *   stage, p the target, and a and b follow from bounds on how far this is from q and on how much less
     *   entropy it has (von Klitzing et al. 2025, arXiv 2510.18460).
     * - "bootstrap": the divergence of order 2, on samples of p^2/q by annealed importance sampling, which
     * are drawn from a buffer in proportion to their weights (Midgley et al. 2023, arXiv 2208.01893). All but
     * the first, and the options that say so, are for internal-coordinate flows. Of no effect on training on
     * data.
     */
    std::string objective = "path-gradient";
    /** The share of path gradients on fresh samples in the gradient of each step of the objectives that keep
     * samples, for the same density; of those for the target in "bootstrap". */
    double pathGradientShare = 0;
    /** The fraction of the steps, at the beginning, of path gradients alone at the initial temperature,
     * before objectives that keep samples draw the first (as arXiv 2501.19077 begins). */
    double pretrainingFraction = 0.1;
    /** How many samples are drawn at the beginning of each stage; of "bootstrap", how many are kept. */
    int bufferSize = 50000;
    /** The number of steps in a stage of "annealed-importance" and "mass-transport". */
    int stageSteps = 250;
    /** For "mass-transport": the largest Kullback-Leibler divergence, in nats, of the density that a stage is
     * for from the flow at its beginning, by the weights of the samples (epsilon of the trust region in arXiv
     * 2510.18460). */
    double trustRegion = 0.3;
    /** For "mass-transport": by how much, in nats, the entropy of that density, in positions, may be below
     * that of the flow; 0 for no bound. From one temperature to a lower one the entropy of a molecule falls
     * by about half the logarithm of their ratio for each coordinate, so that this bounds the number of
     * stages from below. */
    double entropyDecay = 2;
    /** For "bootstrap": the number of steps between additions to the buffer, each of a batch. */
    int bootstrapInterval = 8;
    /** For "bootstrap": the number of densities between the flow and p^2/q that a sample moves at. */
    int annealingDensities = 8;
    /** For "bootstrap": the leapfrog steps in each move, a trajectory of Hamiltonian Monte Carlo. */
    int leapfrogSteps = 4;
    /** For "bootstrap": the step size of the first moves, in the flow's standardised coordinates with momenta
     * of unit mass. That of each density adapts to the acceptance. */
    double initialStepSize = 0.1;
    /** For "bootstrap": the average acceptance probability that step sizes adapt to. */
    double targetAcceptance = 0.65;
    /** Training from the energy alone begins with the target at this temperature in K, which falls
     * geometrically to that of the target over the first part of the steps, this fraction of them. With a
     * lower one it begins at that of the target. "mass-transport" and "bootstrap" have this temperature in
     * pretraining only, and no annealing. */
    double initialTemperature = 1200;
    double annealingFraction = 0.5;
    /** The share of the forward Kullback-Leibler divergence, which asks for proposals wherever the target is,
     * beside the reverse one. Its importance weights are truncated at the root of the batch size times their
     * average; this acts in training only. */
    double massCovering = 0.5;
    /** How much is added of the forward divergence by the likelihood of the samples, each times its
     * importance weight minus the average one, truncated as above: path gradients hardly see how much of a
     * conformation there is; 0 for none. Path gradients of data have so much of the likelihood's gradient
     * added: without it they drift away after some hundred thousand frames. */
    double massBalancing = 0.5;
    /** Importance weights of fresh samples are raised to a power, less than 1, at which this fraction of
     * those in a batch is effective (before they are truncated), where fewer are; 0 for never. It keeps a few
     * samples from deciding where a flow goes that is still far from the target. Of effect on what has
     * importance weights, mass covering and balancing; this acts in training only. */
    double minEffectiveFraction = 0;
    /** The gradient of log q + U/kT by the coordinates of a sample is scaled down where it is longer than
     * the median of the batch by more than this factor; 0 for never. This goes for path gradients of data
     * too. */
    double forceClipFactor = 10;
    /** Training from the energy alone ends when the effective sample fraction of a validation reaches this,
     * at the temperature of the target; 0 for never. */
    double targetEffectiveSampleFraction = 0;
    /** "single" or "double": of the weights and of the kernels that differentiate the flow. Energies and the
     * proposals of estimates are in single precision. */
    std::string precision = "single";
    /**
     * What differentiates the flow: "cpu" (kernels of OpenMM's CPU platform), or Torch operations on "cuda",
     * "cuda:0", "cuda:1" ... (which need a Torch for CUDA with all it depends on) or, to compare,
     * "torch-cpu". Another device changes each step by round-off, which training makes grow; on CUDA devices
     * each run may. The optimiser, energies, estimates and the validation of coupling flows stay on the CPU.
     * Of several processes on a machine that torchrun starts, each has a device of its own with "cuda".
     */
    std::string device = "cpu";
    /** The number of threads, also of the proposals; 0 for one per core, which processes that torchrun starts
     * on one machine share. Another number of threads changes the result by round-off. */
    int threads = 0;
    /** Determines the order of the frames and which blocks are held out, and the proposals. */
    unsigned int seed = 0;
};

/** How far training has come. Negative log likelihoods (NLL) are averages of -log q, in the units of Flow; of
 * log pi(a|x) - log q(x,a) for augmented flows, whose average is not less than that of -log q(x). In training
 * from the energy alone they are averages over proposals of log q + U/kT instead, which is the reverse
 * Kullback-Leibler divergence minus log Z; in training the median of a batch at the temperature of its step,
 * in validation the average at that of the target. Objectives that keep samples have the weighted average of
 * -log q over these in training. */
struct FlowTrainerProgress {
    long long step = 0, totalSteps = 0;
    /** The number of frames or proposals trained on so far, counted as often as used, and how often that is
     * the whole data. */
    long long samples = 0;
    double epoch = 0;
    double learningRate = 0;
    /** The average over the steps since the last validation; NaN if there were none. */
    double trainingNLL = 0;
    /** Of the averaged weights; the best may be that of the flow which training started from, and is the
     * latest in training from the energy alone. */
    double validationNLL = 0, bestValidationNLL = 0;
    /** Of proposals of the averaged weights at the latest estimate; NaN without a target, and before the
     * first estimate. */
    double effectiveSampleFraction = 0, paretoK = 0;
    /** How many energies were needed so far, and the temperature in K of the target at this step; NaN when
     * training on data. */
    long long energyEvaluations = 0;
    double temperature = 0;
    /** Steps that were skipped because the gradient was not finite, or too large. */
    long long skippedSteps = 0;
    /** How often training from the energy alone, or by path gradients of data, went wrong, so that it went
     * back to the weights of the last validation, or the best ones, and goes on with half of the learning
     * rate. */
    long long relapses = 0;
    double samplesPerSecond = 0;
    /** Until all samples are used or the time budget is; early stopping cannot be foreseen. */
    double secondsLeft = 0;
};

/**
 * A FlowTrainer fits a Flow to configurations by maximum likelihood, or to a System without any.
 *
 * On data, some of these are held out, in whole blocks, and the result is the exponential moving average of
 * the weights at the step where its likelihood of these was best: never worse, on these, than the flow to
 * start from. A run which writes a checkpoint and is killed continues from there when train() is called again
 * with the same arguments, and ends with exactly the weights that an uninterrupted run would have had (on the
 * same number of threads and processes).
 *
 * Processes that torchrun starts (RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT in the environment) share
 * each batch, each validation and each estimate when all call train() or trainOnEnergy() with the same
 * arguments, and return the same flow. What one process would give it is but for round-off, since gradients
 * are added up in another order. The first process reads and writes checkpoints, which any number of
 * processes can continue. When one ends early the others throw an exception, or after
 * OPENMMFLOW_PROCESS_TIMEOUT seconds (1800) if it hangs.
 */
class FlowTrainer {
public:
    /** Called about once a second and after each validation but that of the flow to start from. Returning
     * false ends training after a last checkpoint; of several processes, it is called in each, and any may
     * end training. */
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
     * Set the target: what trainOnEnergy() trains for. train() reports the effective sample size of the flow
     * against it, and notes that of the trained flow in its metadata; this changes nothing else.
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
    /**
     * Train from the energy of the target alone, which setTarget() has set, without any data: on samples of
     * the flow itself, by the objective that the options name. The weights returned are the averaged ones at
     * the end.
     *
     * @param checkpoint   as for train()
     * @param progress     as for train()
     * @return the trained Flow; its metadata say how it was made ("training", as JSON)
     * @throws OpenMM::OpenMMException if there is no target, if flows of this family cannot be trained this
     * way, if the checkpoint is of another flow, another target or other options, or if training diverges
     */
    Flow trainOnEnergy(const std::string& checkpoint = "", const Progress& progress = {});

private:
    struct Implementation;
    std::unique_ptr<Implementation> impl;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_FLOWTRAINER_H_*/
