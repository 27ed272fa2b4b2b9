#ifndef OPENMMFLOW_FLOWMOVESTATISTICS_H_
#define OPENMMFLOW_FLOWMOVESTATISTICS_H_

#include <string>
#include <vector>

namespace OpenMMFlow {

/**
 * What became of the flow moves in one Context since it was created.
 *
 * The log ratio of a proposal is log w_new - log w_old, where w = exp(-U/kT) / q is the importance weight: a
 * single proposal is accepted with probability min(1, exp(log ratio)). It is -infinity for a proposal that
 * lies outside the flow's support or whose energy is not finite.
 */
class FlowMoveStatistics {
public:
    /** The largest number of log ratios that are kept. */
    static constexpr int MOST_LOG_RATIOS = 10000;
    /** Get the number of moves. */
    long long getNumAttempts() const { return numAttempts; }
    /** Get the number of moves that changed the configuration. */
    long long getNumAcceptances() const { return numAcceptances; }
    /** Get the fraction of moves that changed the configuration; 0 if there were none. */
    double getAcceptance() const {
        return numAttempts == 0 ? 0 : (double)numAcceptances / (double)numAttempts;
    }
    /** Get the number of proposals whose potential energy was NaN or infinite. */
    long long getNumNotFinite() const { return numNotFinite; }
    /** Get the number of proposals outside the flow's support. */
    long long getNumOffSupport() const { return numOffSupport; }
    /** Get the log ratios of the latest proposals, at most MOST_LOG_RATIOS, in no particular order. */
    const std::vector<double>& getLogRatios() const { return logRatios; }
    /**
     * Get a quantile of the log ratios of the latest proposals.
     *
     * @param fraction   between 0 and 1: 0.5 for the median
     * @return the smallest log ratio that at least this fraction of them does not exceed; NaN if there are
     * none
     * @throws OpenMM::OpenMMException if the fraction is not between 0 and 1
     */
    double getLogRatioQuantile(double fraction) const;
    /** Get a description in words. */
    std::string toString() const;
    /** Add a move. For the implementation of MonteCarloFlowMove, as what follows is. */
    void addAttempt(bool isAccepted);
    /** Add a proposal of positive weight. */
    void addLogRatio(double logRatio);
    /** Add a proposal whose energy is not finite. */
    void addNotFinite();
    /** Add a proposal outside the flow's support. */
    void addOffSupport();

private:
    long long numAttempts = 0, numAcceptances = 0, numNotFinite = 0, numOffSupport = 0;
    std::vector<double> logRatios;
    int oldest = 0;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_FLOWMOVESTATISTICS_H_*/
