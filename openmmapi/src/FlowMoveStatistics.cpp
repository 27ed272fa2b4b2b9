#include "openmmflow/FlowMoveStatistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "openmm/OpenMMException.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

double FlowMoveStatistics::getLogRatioQuantile(double fraction) const {
    if (!(fraction >= 0 && fraction <= 1))
        throw OpenMMException("The fraction of a quantile must lie between 0 and 1, not "
                              + to_string(fraction) + ".");
    if (logRatios.empty())
        return numeric_limits<double>::quiet_NaN();
    vector<double> values = logRatios;
    const long long count = (long long)values.size();
    const long long rank = clamp((long long)ceil(fraction * (double)count) - 1, 0LL, count - 1);
    nth_element(values.begin(), values.begin() + rank, values.end());
    return values[rank];
}

string FlowMoveStatistics::toString() const {
    stringstream text;
    text << numAcceptances << " of " << numAttempts << " flow moves accepted; log ratio: 5 % quantile "
         << getLogRatioQuantile(0.05) << ", median " << getLogRatioQuantile(0.5) << ", 95 % quantile "
         << getLogRatioQuantile(0.95) << "; " << numOffSupport << " proposals outside the flow's support, "
         << numNotFinite << " with an energy that is not finite";
    return text.str();
}

void FlowMoveStatistics::addAttempt(bool isAccepted) {
    numAttempts++;
    numAcceptances += isAccepted;
}

void FlowMoveStatistics::addLogRatio(double logRatio) {
    if (logRatios.size() < MOST_LOG_RATIOS)
        logRatios.push_back(logRatio);
    else {
        logRatios[oldest] = logRatio;
        oldest = (oldest + 1) % MOST_LOG_RATIOS;
    }
}

void FlowMoveStatistics::addNotFinite() {
    numNotFinite++;
    addLogRatio(-numeric_limits<double>::infinity());
}

void FlowMoveStatistics::addOffSupport() {
    numOffSupport++;
    addLogRatio(-numeric_limits<double>::infinity());
}

}  // namespace OpenMMFlow
