#include "GradientFilter.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "Median.h"

using namespace OpenMMFlow;

namespace {

/** The median is that of so many norms, and is used when there are at least so many. */
const size_t window = 100, fewest = 20;

}  // namespace

double GradientFilter::getDivisor(double norm, std::vector<double>& recent) const {
    const double skipped = std::numeric_limits<double>::infinity();
    if (!std::isfinite(norm))
        return skipped;
    double largest = options.maxGradientNorm;
    if (recent.size() >= fewest) {
        const double median = getMedian(recent);
        if (options.gradientClipFactor > 0)
            largest = std::min(largest, options.gradientClipFactor * median);
        if (options.gradientSkipFactor > 0 && norm > options.gradientSkipFactor * median)
            largest = 0;
    }
    recent.push_back(norm);
    if (recent.size() > window)
        recent.erase(recent.begin());
    return largest > 0 || norm == 0 ? std::max(1.0, norm / largest) : skipped;
}
