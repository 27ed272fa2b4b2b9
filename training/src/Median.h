#ifndef OPENMMFLOW_MEDIAN_H_
#define OPENMMFLOW_MEDIAN_H_

#include <algorithm>
#include <vector>

namespace OpenMMFlow {

/** Get the median of numbers, of which there must be one at least; the larger of two in the middle. */
inline double getMedian(std::vector<double> values) {
    const auto middle = values.begin() + values.size() / 2;
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_MEDIAN_H_*/
