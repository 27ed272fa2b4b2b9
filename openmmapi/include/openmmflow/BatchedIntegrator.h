#ifndef OPENMMFLOW_BATCHEDINTEGRATOR_H_
#define OPENMMFLOW_BATCHEDINTEGRATOR_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "openmm/System.h"
#include "openmmflow/BatchedPotential.h"

namespace OpenMM {
class ThreadPool;
}

namespace OpenMMFlow {

class TensorFile;

/**
 * A BatchedIntegrator propagates many independent copies of a System, called replicas, together, each at a
 * temperature of its own. It is to a BatchedPotential what an OpenMM::Integrator is to a Context, and holds
 * the state of the replicas itself.
 *
 * **Random numbers** are a function of the seed, the number of the replica and the number of the step. A
 * replica's trajectory therefore depends neither on how many replicas there are nor on the number of threads,
 * and replicas can be shared among objects or machines by `firstReplica`. It is the same bit by bit where the
 * energies and forces are, on processors with the same vector instructions.
 *
 * **Centre of mass.** Every particle keeps its three degrees of freedom: 3N in all, no momentum is removed.
 * The motion of the centre of mass then decouples from all others, in the dynamics as in the distribution.
 * Where all Forces are known to depend on relative positions only, the centre of geometry is moved to the
 * origin with every step. That changes neither energies nor velocities, and keeps the molecule from diffusing
 * away to where single precision is coarse. Other Systems (such as one with a CustomExternalForce) are never
 * moved.
 *
 * CMMotionRemovers and thermostats in the System are ignored. When parameters or force groups of the
 * BatchedPotential change, energies and forces follow before they are next used.
 */
class BatchedIntegrator {
public:
    virtual ~BatchedIntegrator();
    BatchedIntegrator(const BatchedIntegrator&) = delete;
    BatchedIntegrator& operator=(const BatchedIntegrator&) = delete;
    int getNumReplicas() const { return (int)temperatures.size(); }
    int getNumParticles() const { return (int)masses.size(); }
    uint64_t getRandomNumberSeed() const { return seed; }
    /** Get the number, among all that share a seed, of the first replica here. */
    uint64_t getFirstReplica() const { return firstReplica; }
    /** Get the temperature of each replica in K. */
    const std::vector<double>& getTemperatures() const { return temperatures; }
    /**
     * Set the temperature of each replica in K. Where there are velocities, those of a replica are scaled by
     * the square root of the ratio of temperatures, so that they stay distributed as they should be.
     */
    virtual void setTemperatures(const std::vector<double>& temperatures);
    /** Get the step size in ps. */
    double getStepSize() const { return stepSize; }
    /** Set the step size in ps. */
    void setStepSize(double size);
    /** Get the positions, (replicas, N, 3) in nm. */
    const std::vector<double>& getPositions() const { return positions; }
    /**
     * Set the positions, (replicas, N, 3) in nm. This must be done before the first step.
     *
     * @throws OpenMM::OpenMMException if the potential energy of a replica is not finite
     */
    void setPositions(const std::vector<double>& positions);
    /** Get the potential energy of each replica in kJ/mol. */
    const std::vector<double>& getPotentialEnergies();
    /** Propagate all replicas by a number of steps. */
    virtual void step(long long steps) = 0;
    /** Get the number of steps made so far. */
    long long getStepCount() const { return stepCount; }
    /** Get the name of the integrator. */
    virtual std::string getName() const = 0;
    /** Get a description for records, such as "LangevinMiddle, 0.002 ps, friction 1/ps". */
    virtual std::string getDescription() const = 0;
    /**
     * Get everything that is needed to go on bit by bit as if there had been no interruption: the bytes of a
     * safetensors file.
     */
    std::string createCheckpoint();
    /**
     * Go on from a checkpoint. Seed, temperatures, step size and all other settings become those of the
     * checkpoint.
     *
     * @throws OpenMM::OpenMMException if these are no checkpoint of as many replicas of the same masses, or
     * if its energies are not those of the BatchedPotential; then nothing has changed
     */
    void loadCheckpoint(const std::string& bytes);
    /** Write what createCheckpoint() does into a file that may hold more. For internal use. */
    virtual void save(TensorFile& file);
    /** Read what save() wrote. For internal use. */
    void load(const TensorFile& file);

protected:
    BatchedIntegrator(const OpenMM::System& system, BatchedPotential& potential,
                      const std::vector<double>& temperatures, double stepSize, uint64_t seed,
                      uint64_t firstReplica, const std::map<std::string, std::string>& properties);
    /** Read what save() of the derived class wrote. If it is refused, nothing has changed. */
    virtual void loadOwn(const TensorFile& file) = 0;
    /** Throw an exception unless all are positive and finite. */
    static void checkTemperatures(const std::vector<double>& temperatures);
    /** Throw an exception unless a number is positive and finite. */
    static void checkPositive(double value, const std::string& name);
    /** Check the arguments of step(), and bring energies and forces up to date. */
    void prepare(long long steps);
    /** Run a task for every replica, on all threads. Replicas of different threads are far apart. */
    void forEachReplica(const std::function<void(int replica)>& task);
    /** Draw velocities in nm/ps from the Maxwell-Boltzmann distribution of a replica's temperature. */
    void drawVelocities(int replica, uint64_t step, double* velocities) const;
    /** Move the particles of a replica for a time in ps. */
    void drift(int replica, double time, const double* velocities);
    /** Move the centre of geometry of a replica to the origin, if the energy does not depend on it. */
    void center(int replica);
    /** Compute energies and forces at the positions. */
    void evaluate() { potential.computeEnergiesAndForces(positions, energies, forces); }
    /** Get the place of a replica's first coordinate in the arrays. */
    size_t offset(int replica) const { return 3 * masses.size() * replica; }

    BatchedPotential& potential;
    uint64_t seed, firstReplica;
    std::vector<double> masses, temperatures, positions, forces, energies;
    /** 1/m, and the thermal velocity of a coordinate at 1 K, sqrt(k/m). */
    std::vector<double> inverseMasses, thermalVelocities;
    /** The keys of the replicas' random numbers. */
    std::vector<uint64_t> keys;
    double stepSize;
    long long stepCount = 0;

private:
    /** Compute energies and forces again if the potential has changed. */
    void update();
    bool isTranslationInvariant;
    /** That of the potential which energies and forces are from. */
    long long generation = 0;
    std::unique_ptr<OpenMM::ThreadPool> threads;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_BATCHEDINTEGRATOR_H_*/
