#ifndef OPENMMFLOW_TESTS_ENSEMBLESAMPLES_H_
#define OPENMMFLOW_TESTS_ENSEMBLESAMPLES_H_

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "openmm/OpenMMException.h"
#include "openmmflow/WeightedEnsemble.h"

namespace OpenMMFlow::tests {

inline const double infinity = std::numeric_limits<double>::infinity();

inline std::string messageOf(const std::function<void()>& action) {
    try {
        action();
    } catch (const OpenMM::OpenMMException& e) {
        return e.what();
    }
    return "no exception";
}

/** An ensemble without positions that has these log weights. */
inline WeightedEnsemble makeEnsemble(const std::vector<double>& logWeights) {
    std::vector<double> reducedPotentials;
    for (double logWeight : logWeights)
        reducedPotentials.push_back(-logWeight);
    return WeightedEnsemble(1, 300, {}, std::vector<double>(logWeights.size(), 0.0), reducedPotentials);
}

/** An ensemble with positions that tell the samples apart. */
inline WeightedEnsemble makeNumbered(long long first, long long count, uint64_t seed = 1) {
    std::vector<double> positions, logQ, reducedPotentials;
    for (long long k = first; k < first + count; k++) {
        for (int j = 0; j < 6; j++)
            positions.push_back(10.0 * k + j);
        logQ.push_back(0.01 * k);
        reducedPotentials.push_back(0.5 * k);
    }
    WeightedEnsemble ensemble(2, 300, positions, logQ, reducedPotentials);
    ensemble.addSampleRange({seed, (uint64_t)first, count});
    ensemble.setMetadata("flow", "0123456789abcdef");
    return ensemble;
}

inline bool isSame(const WeightedEnsemble& a, const WeightedEnsemble& b) {
    return a.getPositions() == b.getPositions() && a.getLogQ() == b.getLogQ()
           && a.getReducedPotentials() == b.getReducedPotentials() && a.getLogWeights() == b.getLogWeights();
}

/**
 * A normal distribution proposes, and the target is another one, in one dimension. A tenth of the proposals
 * is off the support, so that the average weight is nine tenths of the partition function.
 */
class Normal {
public:
    double center = 0.4, width = 0.8, proposalWidth = 1.3, offSupport = 0.1;
    std::vector<double> x;

    WeightedEnsemble draw(int count, std::mt19937_64& generator) {
        std::normal_distribution<double> normal(0, proposalWidth);
        std::uniform_real_distribution<double> uniform;
        std::vector<double> logQ, reducedPotentials;
        x.clear();
        for (int i = 0; i < count; i++) {
            x.push_back(normal(generator));
            const bool isOff = uniform(generator) < offSupport;
            logQ.push_back(isOff ? infinity
                                 : -0.5 * std::pow(x[i] / proposalWidth, 2) - std::log(proposalWidth)
                                       - 0.5 * std::log(2 * M_PI));
            reducedPotentials.push_back(0.5 * std::pow((x[i] - center) / width, 2));
        }
        return WeightedEnsemble(1, 300, {}, logQ, reducedPotentials);
    }
    std::vector<bool> inside(double lower, double upper) const {
        std::vector<bool> result;
        for (double value : x)
            result.push_back(value > lower && value < upper);
        return result;
    }
    double probability(double lower, double upper) const {
        auto cumulative = [&](double value) { return 0.5 * std::erfc((center - value) / width / M_SQRT2); };
        return cumulative(upper) - cumulative(lower);
    }
};

}  // namespace OpenMMFlow::tests

#endif /*OPENMMFLOW_TESTS_ENSEMBLESAMPLES_H_*/
