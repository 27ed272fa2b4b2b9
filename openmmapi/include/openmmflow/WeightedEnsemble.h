#ifndef OPENMMFLOW_WEIGHTEDENSEMBLE_H_
#define OPENMMFLOW_WEIGHTEDENSEMBLE_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace OpenMMFlow {

/**
 * A WeightedEnsemble is a set of configurations with importance weights: positions, log q, reduced potentials
 * u = U/kT and log weights, log w = -u - log q. It knows how good it is (effective sample size, Pareto k) and
 * computes averages and free energies with their statistical errors.
 *
 * A sample outside the support of the flow (log q = +infinity) or with a potential energy that is not finite
 * has weight zero. Such samples stay in the ensemble, since they are part of the average weight, and are
 * counted.
 *
 * The samples of an annealed ensemble (FlowSampler::anneal()) have moved since the flow drew them: their log
 * weights are the accumulated work, and there is no log q. They may come in blocks, islands of sequential
 * Monte Carlo: consecutive samples that depend on each other, while blocks are independent. All errors come
 * from the differences between blocks then, and Pareto k from the average weights of blocks.
 */
class WeightedEnsemble {
public:
    /** A number and its standard error. */
    struct Estimate {
        double value, error;
    };
    /** Samples first ... first+count-1 of a seed: what an ensemble was made from. */
    struct SampleRange {
        uint64_t seed, first;
        long long count;
    };
    WeightedEnsemble() = default;
    /**
     * Create an ensemble from samples of a flow.
     *
     * @param numParticles         N
     * @param temperature          the temperature of the target in K
     * @param positions            (count, N, 3) in nm; may be empty, for an ensemble whose positions are
     *                             elsewhere
     * @param logQ                 (count)
     * @param reducedPotentials    (count)
     */
    WeightedEnsemble(int numParticles, double temperature, std::vector<double> positions,
                     std::vector<double> logQ, std::vector<double> reducedPotentials);
    /**
     * Create an ensemble whose weights are known and which has no log q.
     *
     * @param numParticles         N
     * @param temperature          the temperature of the target in K
     * @param positions            (count, N, 3) in nm; may be empty
     * @param logWeights           (count): the average of exp(log w) estimates Z; -infinity for weight zero
     * @param reducedPotentials    (count); of samples of weight zero, +infinity for those off the support and
     *                             NaN for those whose energy is not finite
     * @param blockSize            how many consecutive samples depend on each other; 1 if all are independent
     */
    static WeightedEnsemble fromLogWeights(int numParticles, double temperature,
                                           std::vector<double> positions, std::vector<double> logWeights,
                                           std::vector<double> reducedPotentials, long long blockSize = 1);

    int getNumParticles() const { return numParticles; }
    /** Get the temperature of the target in K. */
    double getTemperature() const { return temperature; }
    long long getNumSamples() const { return (long long)logWeights.size(); }
    /** Whether this ensemble holds positions. */
    bool hasPositions() const { return !positions.empty() || logWeights.empty(); }
    /** Get the positions, (count, N, 3) in nm. */
    const std::vector<double>& getPositions() const { return positions; }
    /** Set the positions, (count, N, 3) in nm, of an ensemble that was made without them; empty to drop them.
     */
    void setPositions(std::vector<double> positions);
    /** Whether log w = -u - log q; false for an annealed ensemble. */
    bool hasLogQ() const { return withLogQ; }
    /** Get log q, (count); empty for an annealed ensemble. */
    const std::vector<double>& getLogQ() const { return logQ; }
    const std::vector<double>& getReducedPotentials() const { return reducedPotentials; }
    /** Get the log weights, not normalised; -infinity for a sample of weight zero. */
    const std::vector<double>& getLogWeights() const { return logWeights; }
    /** Get how many consecutive samples depend on each other; 1 if all are independent. */
    long long getBlockSize() const { return blockSize; }
    /** Get the number of samples outside the support of the flow. */
    long long getNumOffSupport() const;
    /** Get the number of samples on the support whose energy is NaN or infinite. */
    long long getNumNonFinite() const;

    /**
     * Get the effective sample size of Kish, (sum w)^2 / sum w^2. It cannot see a mode that the flow never
     * proposes, nor that samples of one block resemble each other. Zero if all weights are zero.
     */
    double getEffectiveSampleSize() const;
    /** Get the effective number of independent blocks: Kish's, of their average weights. */
    double getNumEffectiveBlocks() const;
    /** Get the effective sample size divided by the number of samples. */
    double getEffectiveSampleFraction() const;
    /**
     * Get the shape k of the generalised Pareto distribution fitted to the largest weights (Vehtari et al.
     * 2024, arXiv 1507.02646). Above 0.7 averages are not reliable, however large the effective sample size.
     * Infinity if there are too few different weights to tell, -infinity if all weights are the same.
     */
    double getParetoK() const;
    /**
     * Get log of the average weight, and its standard error. Only differences at equal N mean anything.
     * If all weights are zero the value is -infinity, without any samples NaN. The error needs two blocks.
     */
    Estimate getLogPartitionFunction() const;
    /**
     * Get the fraction of proposals that an independence Metropolis move with this flow would accept in the
     * stationary state: the average of min(1, w_new/w_old) with the old state distributed by weight.
     * NaN if there are fewer than two samples, if all weights are zero, or without log q.
     */
    double getAcceptance() const;
    /**
     * Compute the average of a quantity in the target distribution.
     *
     * @param values   (count): the value of the quantity for each sample. Values of samples of weight zero
     *                 are ignored
     * @return the average, with the standard error of the ratio estimator (delta method); NaN if all weights
     *         are zero, the error also if those of only one block are not
     */
    Estimate computeExpectation(const std::vector<double>& values) const;
    /**
     * Compute the free-energy difference F_b - F_a between two regions, in kT, with the standard error of
     * the delta method (covariance of the two included). Infinite, with the error NaN, if one of them has no
     * sample of positive weight; NaN if neither has.
     *
     * @param inA   (count): whether each sample lies in region a
     * @param inB   (count): whether each sample lies in region b
     */
    Estimate computeFreeEnergyDifference(const std::vector<bool>& inA, const std::vector<bool>& inB) const;

    /**
     * Draw configurations with probability proportional to weight (systematic resampling). All have the same
     * weight, the average of this ensemble, and no log q. Since some are copies of each other, they are one
     * block: errors of what is computed from them are NaN. Compute averages with the weighted ensemble.
     *
     * @throws OpenMM::OpenMMException if all weights are zero, or there is not enough memory
     */
    WeightedEnsemble resample(long long count, uint64_t seed = 0) const;
    /** Get the samples start ... end-1. Both must be multiples of the block size. */
    WeightedEnsemble slice(long long start, long long end) const;
    /**
     * Add the samples of another ensemble, made with another seed, other sample indices or on another
     * machine.
     *
     * @throws OpenMM::OpenMMException if the other ensemble has another flow, System or temperature, if both
     *         hold the same samples of the same seed, or if they were not annealed in the same way
     */
    void append(const WeightedEnsemble& other);
    /** Save to a safetensors file, written under a temporary name and renamed. */
    void save(const std::string& path) const;
    static WeightedEnsemble load(const std::string& path);

    /** Get the samples that this ensemble was made from. Empty when that is not known. */
    const std::vector<SampleRange>& getSampleRanges() const { return ranges; }
    void addSampleRange(const SampleRange& range);
    /**
     * Get what this ensemble came from: "flow" and "system" (hashes), "energies" (what computed them),
     * "proposals" (what computed log q), "annealing" (the AnnealingSchedule, as JSON).
     */
    const std::map<std::string, std::string>& getMetadata() const { return metadata; }
    void setMetadata(const std::string& key, const std::string& value) { metadata[key] = value; }
    /** Get a summary: samples, effective samples, Pareto k, log Z, acceptance, and what to beware of. */
    std::string toString() const;

private:
    void checkParticlesAndTemperature() const;
    void requireSameKind(const WeightedEnsemble& other) const;
    /** The logs of the average weights of the blocks. */
    std::vector<double> getLogBlockWeights() const;
    int numParticles = 0;
    double temperature = 0;
    std::vector<double> positions, logQ, reducedPotentials, logWeights;
    bool withLogQ = true;
    long long blockSize = 1;
    std::vector<SampleRange> ranges;
    std::map<std::string, std::string> metadata;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_WEIGHTEDENSEMBLE_H_*/
