#ifndef OPENMMFLOW_OBJECTIVE_H_
#define OPENMMFLOW_OBJECTIVE_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace OpenMMFlow {

struct TrainingState;

/** What training makes small. */
class Objective {
public:
    /** Facts by name, each as JSON. */
    using Facts = std::vector<std::pair<std::string, std::string>>;
    virtual ~Objective() = default;
    /** Get what the result depends on besides the flow to start from and the schedule. */
    virtual std::map<std::string, std::string> getIdentity() const = 0;
    /** Get what the metadata of the trained flow say of it. */
    virtual Facts describe() const = 0;
    /** Get how many steps a run has. */
    virtual int64_t countSteps() const = 0;
    /** Get how many samples one pass through the data has; 0 where there are no data. */
    virtual int64_t getEpochSize() const { return 0; }
    /** Get the temperature in K of the target at a step; NaN if there is none. */
    virtual double getTemperature(int64_t step) const = 0;
    /**
     * Set the gradient of the parameters of a state to that of the objective on a batch, which depends on the
     * state only, or to this process's part of it: those of all processes add up to it. Count the energies
     * that took, of all processes.
     *
     * @return the objective on the whole batch
     */
    virtual double computeGradient(TrainingState& state) = 0;
    /** Get whether the schedule may run ahead of the steps, so that it ends with the time budget. */
    virtual bool canHurry() const { return true; }
    /** Get whether validate() tells better weights from worse; the last ones are the result otherwise. */
    virtual bool hasBest() const = 0;
    /** Get whether validate() may get worse in the long run without overfitting, for path gradients of data.
     */
    virtual bool canDrift() const { return false; }
    /** Get whether the averaged weights of a state, which have just been validated, are as good as was asked
     * for. */
    virtual bool isReached(const TrainingState&) const { return false; }
    /** Compute the objective for the averaged weights of a state, which counts the energies that took. */
    virtual double validate(TrainingState& state) const = 0;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_OBJECTIVE_H_*/
