#ifndef OPENMMFLOW_TESTS_DETERMINANT_H_
#define OPENMMFLOW_TESTS_DETERMINANT_H_

#include <cmath>
#include <utility>
#include <vector>

namespace OpenMMFlow {

/** Coordinates of a zero-centre configuration in an orthonormal (Helmert) basis of the subspace: 3N-3
 * numbers. */
inline std::vector<double> toSubspace(const std::vector<double>& positions) {
    const int n = positions.size() / 3;
    std::vector<double> result;
    for (int k = 1; k < n; k++)
        for (int axis = 0; axis < 3; axis++) {
            double sum = 0;
            for (int i = 0; i < k; i++)
                sum += positions[3 * i + axis];
            result.push_back((sum - k * positions[3 * k + axis]) / std::sqrt(k * (k + 1.0)));
        }
    return result;
}

inline double logAbsoluteDeterminant(std::vector<std::vector<double>> a) {
    double result = 0;
    for (size_t k = 0; k < a.size(); k++) {
        size_t pivot = k;
        for (size_t i = k + 1; i < a.size(); i++)
            if (std::fabs(a[i][k]) > std::fabs(a[pivot][k]))
                pivot = i;
        std::swap(a[k], a[pivot]);
        result += std::log(std::fabs(a[k][k]));
        for (size_t i = k + 1; i < a.size(); i++)
            for (size_t j = a.size(); j-- > k;)
                a[i][j] -= a[i][k] / a[k][k] * a[k][j];
    }
    return result;
}

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TESTS_DETERMINANT_H_*/
