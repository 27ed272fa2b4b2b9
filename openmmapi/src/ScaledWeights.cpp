#include "ScaledWeights.h"

#include <cmath>
#include <limits>

using namespace std;

namespace OpenMMFlow {

ScaledWeights::ScaledWeights(const double* logWeights, long long count)
    : values(count, 0.0), logScale(-numeric_limits<double>::infinity()), sum(0) {
    for (long long i = 0; i < count; i++)
        logScale = max(logScale, logWeights[i]);
    if (logScale == -numeric_limits<double>::infinity())
        return;
    for (long long i = 0; i < count; i++) {
        values[i] = exp(logWeights[i] - logScale);
        sum += values[i];
    }
}

ScaledWeights::ScaledWeights(const vector<double>& logWeights)
    : ScaledWeights(logWeights.data(), logWeights.size()) {}

double ScaledWeights::getEffectiveSize() const {
    double sumOfSquares = 0;
    for (double w : values)
        sumOfSquares += w * w;
    return sumOfSquares == 0 ? 0 : sum * sum / sumOfSquares;
}

double ScaledWeights::getLogAverage() const {
    return logScale + log(sum / values.size());
}

vector<long long> ScaledWeights::resample(long long count, double offset) const {
    vector<long long> chosen;
    chosen.reserve(count);
    long long current = -1;
    size_t next = 0;
    double cumulative = 0;
    for (long long k = 0; k < count; k++) {
        const double target = (k + offset) / count * sum;
        // Round-off in the sum must not lead past the last sample of positive weight.
        for (; (cumulative <= target || current < 0) && next < values.size(); next++)
            if (values[next] > 0) {
                cumulative += values[next];
                current = next;
            }
        chosen.push_back(current);
    }
    return chosen;
}

}  // namespace OpenMMFlow
