#ifndef OPENMMFLOW_FLOWSAMPLER_H_
#define OPENMMFLOW_FLOWSAMPLER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "openmm/Platform.h"
#include "openmm/System.h"
#include "openmmflow/AnnealingOptions.h"
#include "openmmflow/AnnealingSchedule.h"
#include "openmmflow/Flow.h"
#include "openmmflow/WeightedEnsemble.h"

namespace OpenMMFlow {

/**
 * A FlowSampler draws configurations from a Flow and weights them against the potential energy of a System,
 * so that the weighted ensemble is exactly the Boltzmann distribution exp(-U/kT) (over the flow's support).
 */
class FlowSampler {
public:
    /**
     * Called after each block of samples with the number done so far and the number asked for. Returning
     * false stops early: what was done is returned, and is valid.
     */
    using Progress = std::function<bool(long long done, long long total)>;
    /**
     * Create a FlowSampler on the fastest Platforms that work: that of the flow (see FlowContext) and that of
     * the energies (see BatchedPotential) are chosen independently.
     *
     * @param properties    "Precision" and "Threads" of both, and "Implementation" of the energies (see
     * BatchedPotential)
     */
    FlowSampler(const OpenMM::System& system, const Flow& flow, double temperature,
                const std::map<std::string, std::string>& properties = {});
    /**
     * Create a FlowSampler on a particular Platform.
     *
     * @param system        the System that defines the target; it must have exactly the flow's particles, no
     * constraints and no virtual sites
     * @param flow          the Flow that proposes
     * @param temperature   the temperature of the target, in K
     * @param platform      the Platform, for the flow and for the energies
     * @param properties    "Precision", "Threads" and "Implementation", and, for energies from Contexts,
     * whatever else the Platform knows
     */
    FlowSampler(const OpenMM::System& system, const Flow& flow, double temperature,
                OpenMM::Platform& platform, const std::map<std::string, std::string>& properties = {});
    ~FlowSampler();
    FlowSampler(const FlowSampler&) = delete;
    FlowSampler& operator=(const FlowSampler&) = delete;
    const Flow& getFlow() const;
    /** Get the temperature, in K. */
    double getTemperature() const;
    /** Get the name of the Platform which evaluates the flow, and how the energies are computed. */
    std::string getDescription() const;
    /**
     * Compare a part of the energies with those of OpenMM Contexts from now on. Ensembles note the fraction
     * in their metadata, as "verified_energies". It has no effect where the energies come from Contexts
     * anyway.
     *
     * @param fraction   how many of the energies to compare, from 0 (none, the default) to 1 (all). Where one
     * differs by more than 0.01 kT and 1e-5 of itself, sampling ends with an OpenMMException
     */
    void setEnergyVerification(double fraction);
    /**
     * Draw samples from the flow, without energies.
     *
     * @param positions   (count, N, 3): on exit, positions in nm
     * @param logQ        (count): on exit, log q
     */
    void propose(long long count, std::vector<double>& positions, std::vector<double>& logQ,
                 uint64_t seed = 0, uint64_t first = 0);
    /**
     * Draw samples first ... first+count-1 of a seed and weight them. Samples outside the support and samples
     * with a non-finite energy have weight zero, and are counted.
     *
     * The ensemble's metadata name the flow and the System (hashes), and what computed energies and
     * proposals; also "flow_temperature" in K where the flow was made for another temperature than this one.
     *
     * @throws OpenMM::OpenMMException if the energy changes when the whole molecule is moved
     */
    WeightedEnsemble sample(long long count, uint64_t seed = 0, uint64_t first = 0,
                            const Progress& progress = {});
    /**
     * Draw and weight samples, and write them to a file block by block: no more than one block of positions
     * is ever in memory. The file is valid, and holds what was done, when `progress` stops the call early.
     *
     * @return the ensemble, without its positions
     */
    WeightedEnsemble sampleToFile(const std::string& path, long long count, uint64_t seed = 0,
                                  uint64_t first = 0, const Progress& progress = {});
    /**
     * Weight configurations that were drawn from this flow: log q and energies are computed anew.
     *
     * @param positions    (count, N, 3) in nm. The ensemble holds them with their centres at the origin,
     * where they are evaluated
     * @param firstFrame   the number of the first of them, for messages
     * @throws OpenMM::OpenMMException if a configuration lies outside the flow's support, since it cannot
     * have been drawn from it
     */
    WeightedEnsemble reweight(std::vector<double> positions, long long firstFrame = 0);
    /**
     * Find the schedule for annealing in a pilot run, whose random numbers are its own: no sample of anneal()
     * depends on the pilot's.
     *
     * @param options    conditionalEss and what follows it
     * @param progress   called after each step with the number of steps so far, and the most there may be;
     *                   returning false ends the call with an exception
     * @throws OpenMM::OpenMMException if an option is out of its range, if the flow is augmented, if none of
     * the pilot's samples has a finite energy, or if the flow is too far from the target
     */
    AnnealingSchedule planAnnealing(const AnnealingOptions& options = {}, const Progress& progress = {});
    /**
     * Draw samples first ... first+count-1 of a seed from the flow and anneal them to the target: by annealed
     * importance sampling, or by sequential Monte Carlo where `options.islandSize` is above 1. Moves of
     * Hamiltonian Monte Carlo (particles of unit mass) leave each density on the way invariant exactly, so
     * that the weighted ensemble is exactly the Boltzmann distribution (over the flow's support) and the
     * average weight an unbiased estimate of Z, however short the way is.
     *
     * The log weights are the accumulated work, and the ensemble has no log q. Its metadata hold the schedule
     * as JSON ("annealing"), which AnnealingSchedule::fromJson() reads to repeat the run or to go on with
     * other samples, and what became of the moves ("moves"). Islands are the ensemble's blocks. Samples that
     * begin off the support or with a non-finite energy have weight zero, and are counted; moves that meet
     * such configurations are rejected, and counted.
     *
     * @param count     how many samples; a multiple of the island size, as `first` is
     * @param options   how to anneal. Without a schedule in it there is a pilot run first
     * @param progress  called after each step in beta, of the pilot run also. Samples on their way add to the
     *                  number of those that are done the part of it that they have come. Returning false
     *                  stops the call: samples that have arrived are returned, and are valid, and those on
     *                  their way are not
     * @throws OpenMM::OpenMMException if an option is out of its range, if the flow is augmented, if the
     * pilot run finds no way, or if there is not enough memory for the positions
     */
    WeightedEnsemble anneal(long long count, const AnnealingOptions& options = {}, uint64_t seed = 0,
                            uint64_t first = 0, const Progress& progress = {});
    /**
     * Anneal samples, and write them to a file block by block: no more than one block of positions is ever in
     * memory. The file is valid, and holds the samples that have arrived, when `progress` stops the call
     * early. Where none has, no file is written.
     *
     * @return the ensemble, without its positions
     */
    WeightedEnsemble annealToFile(const std::string& path, long long count,
                                  const AnnealingOptions& options = {}, uint64_t seed = 0, uint64_t first = 0,
                                  const Progress& progress = {});

private:
    struct Implementation;
    std::unique_ptr<Implementation> impl;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_FLOWSAMPLER_H_*/
