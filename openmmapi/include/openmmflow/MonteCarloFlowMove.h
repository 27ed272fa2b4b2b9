#ifndef OPENMMFLOW_MONTECARLOFLOWMOVE_H_
#define OPENMMFLOW_MONTECARLOFLOWMOVE_H_

#include <string>
#include <vector>

#include "openmm/Context.h"
#include "openmm/Force.h"
#include "openmmflow/Flow.h"
#include "openmmflow/FlowMoveStatistics.h"

namespace OpenMMFlow {

/**
 * A MonteCarloFlowMove replaces the configuration of some particles by one that a Flow proposes, every so
 * many steps, and accepts it such that the Boltzmann distribution exp(-U/kT) stays stationary exactly. Like a
 * MonteCarloBarostat it is added to the System as a Force, has no energy itself, and works with any
 * constant-temperature integrator that updates the state of its Context: a CustomIntegrator must call
 * addUpdateContextState(), once a step. The mixture of moves and dynamics keeps the time-step error of the
 * integrator.
 *
 * With w = exp(-U/kT) / q(x), where U is the potential energy of the integrator's force groups and q the
 * flow's density, a single proposal is accepted with probability min(1, w_new/w_old) (Metropolis and
 * Hastings). With K > 1 proposals a move (setNumProposals()), one of the K and the old configuration is
 * chosen with probability proportional to w (iterated sampling-importance-resampling; Andrieu, Lee and Vihola
 * 2018, Bernoulli 24, 842).
 *
 * The particles may be all of the System or a part of it, such as one molecule in solvent. They keep their
 * centre of geometry. When a move is accepted, their velocities are drawn anew from the Maxwell distribution,
 * given their total momentum, which is kept, so that the momentum that a CMMotionRemover took away does not
 * come back; the velocities of all others stay. (For a leapfrog integrator, that is the velocities at the
 * time of the positions. With LangevinMiddle stiff motions get a little less, as they do in its own steps of
 * finite length, so that moves do not spoil the accuracy of its positions.) When it
 * is rejected nothing changes.
 *
 * Flows with augmented particles bring their own: w is then exp(-U/kT) pi(a|x) / q(x,a), with the a of each
 * proposal, and one drawn from pi(a|x) for the old configuration in each move. The System has no such
 * particles, or the move does not use them. Flows in two dimensions leave z as it is.
 *
 * Proposals whose energy is NaN or infinite are rejected, and counted. A current configuration without a
 * finite energy, or outside the flow's support, throws an OpenMMException: no move could lead back there. In
 * a periodic System the particles must be one whole molecule, and not wrapped into the box: bonded particles
 * in different periodic images throw one too.
 *
 * A line on standard error says so, once, when fewer than one in a thousand moves is accepted.
 *
 * Proposals are drawn ahead, in batches. So are their energies, where the particles are all of the System,
 * and a BatchedPotential can compute it without the help of Contexts, and it does not depend on where the
 * molecule is; otherwise the Context itself computes them one at a time. In either case everything that
 * enters one decision comes from the same evaluator, and changes of Context parameters, force groups or, by
 * updateParametersInContext(), Forces take effect at once.
 *
 * log q is computed in single precision, on every platform, if that agrees for samples of the flow with
 * double precision to 5e-4 (root mean square; it acts as an energy of so many kT would), and else in double.
 *
 * The random numbers of a move are a function of the seed, the index of this Force in the System and the
 * Context's step count, so that a simulation that is continued from a checkpoint makes the same moves. A move
 * takes place at the beginning of the steps numbered frequency, 2*frequency, ... (counted from 1).
 */
class MonteCarloFlowMove : public OpenMM::Force {
public:
    /** Get the name of the Context parameter that is the temperature, in K, at which the moves are made. */
    static const std::string& Temperature() {
        static const std::string key = "MonteCarloFlowTemperature";
        return key;
    }
    /**
     * Create a MonteCarloFlowMove.
     *
     * @param flow                 the Flow that proposes
     * @param defaultTemperature   the temperature of the simulation, in K
     * @param frequency            the number of steps from one move to the next; 0 for no moves
     * @param particles            the indices of the N particles in the System, in the order of the flow's;
     *                             empty for all particles of the System
     * @throws OpenMM::OpenMMException if the temperature is not positive or the frequency negative. When a
     * Context is created: if the particles are not as many as the flow's, or one is not in the System, named
     * twice, without mass, a virtual site or constrained, if the temperature is not the integrator's, or if a
     * CustomIntegrator does not update the Context's state once a step
     */
    MonteCarloFlowMove(const Flow& flow, double defaultTemperature, int frequency,
                       const std::vector<int>& particles = {});
    const Flow& getFlow() const { return flow; }
    /** Get the indices of the particles, in the order of the flow's; empty for all particles of the System.
     */
    const std::vector<int>& getParticles() const { return particles; }
    /** Get the temperature that a new Context begins with, in K. */
    double getDefaultTemperature() const { return defaultTemperature; }
    /** Set the temperature that a new Context begins with, in K. */
    void setDefaultTemperature(double temperature);
    /** Get the number of steps from one move to the next. */
    int getFrequency() const { return frequency; }
    /** Set the number of steps from one move to the next; 0 for no moves. New Contexts use it. */
    void setFrequency(int frequency);
    /** Get the number of proposals in each move. */
    int getNumProposals() const { return numProposals; }
    /** Set the number of proposals in each move (1 by default). New Contexts use it. */
    void setNumProposals(int count);
    /** Get the seed of the random numbers. */
    int getRandomNumberSeed() const { return randomNumberSeed; }
    /**
     * Set the seed of the random numbers. With 0, the default, each new Context draws a seed of its own: set
     * another one for moves that can be repeated, and continued from a checkpoint in another Context.
     */
    void setRandomNumberSeed(int seed) { randomNumberSeed = seed; }
    /** Get whether the temperature must be that of the integrator or thermostat. */
    bool getRequiresMatchingTemperature() const { return requiresMatchingTemperature; }
    /**
     * Set whether the temperature must be that of the integrator (LangevinMiddleIntegrator and others with a
     * public temperature) or of an AndersenThermostat; true by default. It is compared when a Context is
     * created and at every move. False allows what is wrong except for special purposes, such as sampling
     * each part of a System at its own temperature.
     */
    void setRequiresMatchingTemperature(bool isRequired) { requiresMatchingTemperature = isRequired; }
    /** Get what became of the moves in a Context since it was created. */
    const FlowMoveStatistics& getStatistics(OpenMM::Context& context) const;
    bool usesPeriodicBoundaryConditions() const override { return false; }

protected:
    OpenMM::ForceImpl* createImpl() const override;

private:
    Flow flow;
    std::vector<int> particles;
    double defaultTemperature = 0;
    int frequency = 0, numProposals = 1, randomNumberSeed = 0;
    bool requiresMatchingTemperature = true;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_MONTECARLOFLOWMOVE_H_*/
