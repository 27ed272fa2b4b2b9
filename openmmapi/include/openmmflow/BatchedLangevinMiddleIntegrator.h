#ifndef OPENMMFLOW_BATCHEDLANGEVINMIDDLEINTEGRATOR_H_
#define OPENMMFLOW_BATCHEDLANGEVINMIDDLEINTEGRATOR_H_

#include "openmmflow/BatchedIntegrator.h"

namespace OpenMMFlow {

/**
 * Langevin dynamics of many replicas, each at its own temperature, with the discretisation of OpenMM's
 * LangevinMiddleIntegrator: the LFMiddle scheme of Zhang et al. 2019 (J. Phys. Chem. A 123, 6056). A step is
 *
 *     v <- v + dt F(x)/m
 *     x <- x + dt/2 v
 *     v <- a v + sqrt(1 - a^2) sqrt(kT/m) R      a = exp(-friction dt), R standard normal
 *     x <- x + dt/2 v
 *
 * so that velocities belong to half a step before the positions. Its positions are those of BAOAB (Leimkuhler
 * and Matthews 2013): their distribution differs from exp(-U/kT) by a term of order dt^2, which vanishes for
 * harmonic potentials. Where the distribution has to be exact, use a BatchedHMCIntegrator.
 */
class BatchedLangevinMiddleIntegrator : public BatchedIntegrator {
public:
    /**
     * Create an integrator. Velocities are drawn from the Maxwell-Boltzmann distribution.
     *
     * @param system         the System, from which the masses are taken
     * @param potential      the energies and forces; it must outlive this object
     * @param temperatures   (replicas): the temperature of each replica in K
     * @param friction       the friction coefficient in 1/ps; 0 for dynamics of constant energy
     * @param stepSize       the step size in ps
     * @param seed           the seed of the random numbers
     * @param firstReplica   the number, among all that share a seed, of the first replica
     * @param properties     "Threads": the number of threads of all but the forces (default: as many as the
     * CPU platform would use)
     * @throws OpenMM::OpenMMException for a System with constraints, virtual sites, massless particles or a
     * barostat
     */
    BatchedLangevinMiddleIntegrator(const OpenMM::System& system, BatchedPotential& potential,
                                    const std::vector<double>& temperatures, double friction, double stepSize,
                                    uint64_t seed = 0, uint64_t firstReplica = 0,
                                    const std::map<std::string, std::string>& properties = {});
    /** Get the friction coefficient in 1/ps. */
    double getFriction() const { return friction; }
    /** Get the velocities, (replicas, N, 3) in nm/ps. */
    const std::vector<double>& getVelocities() const { return velocities; }
    /** Set the velocities, (replicas, N, 3) in nm/ps. */
    void setVelocities(const std::vector<double>& velocities);
    void setTemperatures(const std::vector<double>& temperatures) override;
    /**
     * Propagate all replicas by a number of steps.
     *
     * @throws OpenMM::OpenMMException which names the replica whose energy is no longer finite; the replicas
     *         are of no use then
     */
    void step(long long steps) override;
    std::string getName() const override;
    std::string getDescription() const override;
    void save(TensorFile& file) override;

private:
    void loadOwn(const TensorFile& file) override;
    void advance(int replica);
    void checkEnergies() const;
    double friction;
    std::vector<double> velocities;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_BATCHEDLANGEVINMIDDLEINTEGRATOR_H_*/
