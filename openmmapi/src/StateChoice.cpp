#include "StateChoice.h"

#include <cmath>

#include "ScaledWeights.h"

using namespace std;

namespace OpenMMFlow {

int chooseState(const vector<double>& logRatios, double uniform) {
    if (logRatios.size() == 1)
        return log(uniform) < logRatios[0] ? 0 : -1;
    vector<double> logWeights = {0};
    logWeights.insert(logWeights.end(), logRatios.begin(), logRatios.end());
    return (int)ScaledWeights(logWeights).resample(1, uniform)[0] - 1;
}

}  // namespace OpenMMFlow
