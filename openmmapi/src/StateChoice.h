#ifndef OPENMMFLOW_STATECHOICE_H_
#define OPENMMFLOW_STATECHOICE_H_

#include <vector>

namespace OpenMMFlow {

/**
 * Choose the next state of a Markov chain among independent proposals and the old state, such that the
 * distribution with the importance weights w stays stationary.
 *
 * One proposal is accepted with probability min(1, w_new/w_old) (Metropolis). Of several, or the old state,
 * one is chosen with probability proportional to w (iterated sampling-importance-resampling).
 *
 * @param logRatios   log w_new - log w_old of each proposal; -infinity for weight zero
 * @param uniform     the random number, uniform on (0, 1)
 * @return the index of the proposal, or -1 for the old state
 */
int chooseState(const std::vector<double>& logRatios, double uniform);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_STATECHOICE_H_*/
