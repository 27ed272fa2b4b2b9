#ifndef OPENMMFLOW_TESTS_DEVIATIONS_H_
#define OPENMMFLOW_TESTS_DEVIATIONS_H_

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "openmmflow/WeightedEnsemble.h"

namespace OpenMMFlow::tests {

/** Errors are right if the deviations, divided by them, have the average 0 and the variance 1. */
class Deviations {
public:
    void add(const WeightedEnsemble::Estimate& estimate, double exact) {
        values.push_back((estimate.value - exact) / estimate.error);
    }
    void check() const {
        const double count = (double)values.size();
        double sum = 0, sumOfSquares = 0;
        for (double value : values)
            sum += value;
        for (double value : values)
            sumOfSquares += std::pow(value - sum / count, 2);
        EXPECT_NEAR(sum / count, 0, 4 / std::sqrt(count));
        EXPECT_NEAR(sumOfSquares / (count - 1), 1, 4 * std::sqrt(2 / count));
    }

private:
    std::vector<double> values;
};

}  // namespace OpenMMFlow::tests

#endif /*OPENMMFLOW_TESTS_DEVIATIONS_H_*/
