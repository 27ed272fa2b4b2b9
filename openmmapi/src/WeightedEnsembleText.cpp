#include <cstdio>
#include <limits>

#include "openmmflow/WeightedEnsemble.h"

using namespace std;

namespace OpenMMFlow {

static string format(const char* pattern, double a, double b = 0) {
    char text[200];
    snprintf(text, sizeof(text), pattern, a, b);
    return text;
}

string WeightedEnsemble::toString() const {
    const long long count = getNumSamples(), offSupport = getNumOffSupport(), nonFinite = getNumNonFinite();
    string text = to_string(count) + " samples of " + to_string(numParticles) + " particles at "
                  + format("%g K\n", temperature);
    const auto flowTemperature = metadata.find("flow_temperature");
    if (flowTemperature != metadata.end())
        text += "  the flow was made for " + flowTemperature->second + " K\n";
    if (count == 0)
        return text;
    const auto resampled = metadata.find("resampled");
    if (resampled != metadata.end())
        return text + "  resampled " + resampled->second
               + ": all weights are equal. Take errors from the weighted ensemble, since configurations repeat.\n";
    if (blockSize > 1)
        text += "  islands             " + to_string(count / blockSize) + " of " + to_string(blockSize)
                + format(" samples, %.1f effective\n", getNumEffectiveBlocks());
    const auto moves = metadata.find("moves");
    if (moves != metadata.end())
        text += "  moves               " + moves->second + "\n";
    text += "  weight zero         " + to_string(offSupport + nonFinite) + " (" + to_string(offSupport)
            + " off the flow's support, " + to_string(nonFinite) + " with an energy that is not finite)\n";
    if (offSupport + nonFinite == count)
        return text
               + "Warning: all weights are zero: the flow does not propose anything that the System "
                 "allows.\n";
    const double k = getParetoK();
    const Estimate logZ = getLogPartitionFunction();
    text += format("  effective samples   %.1f (%.2f %%)\n", getEffectiveSampleSize(),
                   100 * getEffectiveSampleFraction())
            + format("  Pareto k            %.2f\n", k)
            + format("  log Z               %.4f +- %.4f\n", logZ.value, logZ.error);
    if (withLogQ)
        text += format("  acceptance          %.3f (of Metropolis moves that propose from this flow)\n",
                       getAcceptance());
    if (k == numeric_limits<double>::infinity())
        text += "Warning: there are too few different weights to judge their tail: draw more samples.\n";
    else if (k > 0.7)
        text +=
            "Warning: Pareto k is above 0.7, so averages and their errors are not reliable: train the flow "
            "further.\n";
    if (blockSize > 1)
        text +=
            "Samples of an island resemble each other, so the number of effective samples is too hopeful: "
            "errors come from the differences between islands.\n";
    if (blockSize > 1 && getNumEffectiveBlocks() < 20)
        text += "Warning: there are fewer than 20 effective islands: errors are themselves uncertain.\n";
    if (getEffectiveSampleSize() < 100)
        text += "Warning: there are fewer than 100 effective samples: errors are themselves uncertain.\n";
    if (nonFinite > 0)
        text +=
            "Warning: energies that are not finite count as weight zero: look at those samples if they are "
            "many.\n";
    return text
           + "Effective samples and Pareto k cannot see a mode that the flow never proposes: compare with reference data.\n";
}

}  // namespace OpenMMFlow
