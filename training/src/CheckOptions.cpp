#include "CheckOptions.h"

#include <cmath>

#include "TrainingDevice.h"
#include "openmm/OpenMMException.h"

using namespace OpenMMFlow;
using OpenMM::OpenMMException;

static void require(bool condition, const char* sentence) {
    if (!condition)
        throw OpenMMException(sentence);
}

/** Those of training from the energy alone. */
static void checkEnergyOptions(const FlowTrainerOptions& options) {
    const bool bootstrap = options.objective == "bootstrap";
    require(bootstrap || options.objective == "path-gradient" || options.objective == "annealed-importance"
                || options.objective == "mass-transport",
            "The objective must be \"path-gradient\", \"annealed-importance\", \"mass-transport\" or "
            "\"bootstrap\".");
    require(
        !bootstrap || !options.pathGradients,
        "Samples of the objective \"bootstrap\" have no path gradients; choose a pathGradientShare to mix "
        "these in.");
    for (double fraction : {options.pathGradientShare, options.pretrainingFraction})
        require(fraction >= 0 && fraction <= 1,
                "The share of path gradients and the fraction of pretraining must lie in [0, 1].");
    require(options.bufferSize > 0, "The size of the buffer must be positive.");
    require(!bootstrap || options.bufferSize >= options.batchSize,
            "The buffer of the objective \"bootstrap\" must be as large as a batch at least.");
    require(options.stageSteps > 0 && options.bootstrapInterval > 0,
            "The number of steps in a stage, or between additions to the buffer, must be positive.");
    require(options.trustRegion > 0 && std::isfinite(options.trustRegion),
            "The bound of the trust region must be positive.");
    require(options.entropyDecay >= 0 && std::isfinite(options.entropyDecay),
            "The bound on the decay of entropy must be positive, or 0 for none.");
    require(options.annealingDensities > 0 && options.leapfrogSteps > 0,
            "The numbers of annealing densities and of leapfrog steps must be positive.");
    require(options.initialStepSize > 0 && std::isfinite(options.initialStepSize),
            "The initial step size must be positive.");
    require(options.targetAcceptance > 0 && options.targetAcceptance < 1,
            "The acceptance that step sizes adapt to must lie between 0 and 1.");
}

void OpenMMFlow::checkOptions(const FlowTrainerOptions& options) {
    checkEnergyOptions(options);
    require(options.batchSize > 0, "The batch size must be positive.");
    require(options.learningRate > 0 && std::isfinite(options.learningRate),
            "The learning rate must be positive.");
    require(options.optimizer == "adam" || options.optimizer == "soap",
            "The optimiser must be \"adam\" or \"soap\".");
    require(options.warmupSteps >= 0, "The number of warm-up steps must not be negative.");
    require(options.maxSamples > 0, "The number of training samples must be positive.");
    require(options.maxEpochs >= 0 && options.timeBudget >= 0,
            "The limits on epochs and time must be positive, or 0 for none.");
    require(options.maxGradientNorm > 0, "The largest gradient norm must be positive.");
    for (double rate : {options.initialLearningRate, options.finalLearningRate})
        require(rate >= 0 && rate <= options.learningRate,
                "The initial and the final learning rate must lie between 0 and the learning rate.");
    for (double factor : {options.gradientClipFactor, options.gradientSkipFactor})
        require(factor == 0 || (factor >= 1 && std::isfinite(factor)),
                "The factors that clip and skip gradients must be at least 1, or 0 for never.");
    require(options.frameLossWeight >= 0 && std::isfinite(options.frameLossWeight),
            "The weight of the frame loss must not be negative.");
    require(options.initialTemperature > 0 && std::isfinite(options.initialTemperature),
            "The initial temperature must be positive.");
    for (double fraction :
         {options.annealingFraction, options.massCovering, options.targetEffectiveSampleFraction})
        require(fraction >= 0 && fraction <= 1,
                "The fraction of annealing, the share of the forward divergence and the effective sample "
                "fraction to reach must lie in [0, 1].");
    require(options.minEffectiveFraction >= 0 && options.minEffectiveFraction < 1,
            "The effective fraction of a batch must be in [0, 1).");
    require(options.massBalancing >= 0 && std::isfinite(options.massBalancing),
            "The weight of mass balancing must not be negative.");
    require(options.forceClipFactor == 0
                || (options.forceClipFactor >= 1 && std::isfinite(options.forceClipFactor)),
            "The factor that clips forces must be at least 1, or 0 for never.");
    require(options.averagingDecay >= 0 && options.averagingDecay < 1,
            "The decay of the average must be in [0, 1).");
    require(options.validationFraction > 0 && options.validationFraction < 1,
            "The validation fraction must be between 0 and 1.");
    require(options.maxValidationFrames > 0, "The number of validation frames must be positive.");
    require(options.validationInterval > 0 && options.targetInterval > 0 && options.targetSamples > 0,
            "The intervals of validation and of the effective sample size must be positive.");
    require(options.patience >= 0, "The patience must not be negative.");
    require(options.checkpointInterval >= 0, "The interval between checkpoints must not be negative.");
    require(options.threads >= 0, "The number of threads must not be negative.");
    require(options.precision == "single" || options.precision == "double",
            "The precision of training must be \"single\" or \"double\".");
    require(isTrainingDevice(options.device),
            "The device of training must be \"cpu\", \"cuda\", one such as \"cuda:0\", or \"torch-cpu\".");
}
