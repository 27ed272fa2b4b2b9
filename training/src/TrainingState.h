#ifndef OPENMMFLOW_TRAININGSTATE_H_
#define OPENMMFLOW_TRAININGSTATE_H_

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "SampleBuffer.h"
#include "Target.h"
#include "openmmflow/internal/TensorFile.h"

namespace OpenMMFlow {

/** Everything that the rest of a training run depends on. */
struct TrainingState {
    /** Flat tensors: the weights, the two moments of the optimiser, the average of the weights, and the best
     * such average. */
    at::Tensor parameters, firstMoment, secondMoment, average, best;
    /** Flat tensors: the averages that KroneckerBases takes, and its bases. */
    at::Tensor curvature, bases;
    /** Of the gradients of the latest steps. */
    std::vector<double> gradientNorms;
    int64_t step = 0, skippedSteps = 0, skippedInARow = 0, bestStep = 0, validationsSinceBest = 0;
    double validationNLL = std::numeric_limits<double>::quiet_NaN();
    double bestValidationNLL = std::numeric_limits<double>::quiet_NaN();
    double bestTrainingNLL = std::numeric_limits<double>::quiet_NaN();
    /** What each validation and each estimate of the effective sample size found, in the order of
     * historyColumns. */
    std::vector<double> history;
    static constexpr const char* historyColumns[] = {"step",      "energy_evaluations",        "seconds",
                                                     "objective", "effective_sample_fraction", "pareto_k"};
    /** Over the steps since the last validation. */
    double trainingNLLSum = 0;
    int64_t trainingNLLCount = 0;
    int64_t energyEvaluations = 0;
    /** The steps that Adam has in its moments. */
    int64_t optimizerSteps = 0;
    /** For Optimizer::guard(): what the objective is as a rule, and how often it was far above in a row; and
     * how often the weights went back, for limitDrift() too. */
    double usualObjective = std::numeric_limits<double>::quiet_NaN();
    int64_t highInARow = 0, relapses = 0;
    /** The latest, of the average at its time. */
    TargetEstimate target;
    /** Of objectives that keep samples; empty with others. */
    SampleBuffer buffer;
    double seconds = 0;
    bool finished = false;
    /** By how many steps the schedule is ahead, where the time budget is too short for all. */
    double lead = 0;

    static TrainingState begin(const at::Tensor& parameters, int64_t numBases);
    /** Get where in its schedule the run is, in steps. */
    double getPosition() const { return (double)step + lead; }
    /**
     * Set the gradient to what the optimiser leaves out, where a batch has no valid sample; it goes back, or
     * gives up, if that happens again and again.
     *
     * @return the objective of such a batch
     */
    double leaveOut();
    /** The average over the steps since the last validation; NaN if there were none. */
    double getTrainingNLL() const { return trainingNLLSum / (double)trainingNLLCount; }
    /** Note the objective of the averaged weights, and keep these if they are the best so far, or
     * if it does not tell what is best and nothing seems to be wrong. */
    void recordValidation(double objective, bool hasBest);
    /** Add a row to the history; without an estimate of this step, its columns are NaN. */
    void recordHistory(bool estimated);
    /**
     * Write to a file, atomically.
     *
     * @param identity   what this run is: a run can only be continued by one with the same identity
     */
    void save(const std::string& path, const std::map<std::string, std::string>& identity) const;
    /**
     * Read from a file.
     *
     * @param begun        the state that the run began in
     * @param totalSteps   how many steps the run has at most
     * @throws OpenMM::OpenMMException if the file is damaged, or its identity another one: the message names
     * what differs
     */
    static TrainingState load(const std::string& path, const std::map<std::string, std::string>& identity,
                              const TrainingState& begun, int64_t totalSteps);
    /**
     * Take the state of the first process.
     *
     * @throws OpenMM::OpenMMException if the identity of its run is another one: the message names what
     * differs
     */
    void share(const ProcessGroup& group, const std::map<std::string, std::string>& identity,
               int64_t totalSteps);

private:
    TensorFile toFile(const std::map<std::string, std::string>& identity) const;
    /** Read from a file of a run with the same identity. */
    void read(const TensorFile& file, int64_t totalSteps);
    bool isConsistent(int64_t totalSteps) const;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TRAININGSTATE_H_*/
