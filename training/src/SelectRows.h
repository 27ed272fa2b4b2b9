#ifndef OPENMMFLOW_SELECTROWS_H_
#define OPENMMFLOW_SELECTROWS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace OpenMMFlow {

/** Get some of the rows of an array that has so many. */
inline std::vector<double> selectRows(const std::vector<double>& values, const std::vector<int64_t>& rows,
                                      size_t numRows) {
    const size_t size = values.size() / numRows;
    std::vector<double> result;
    result.reserve(rows.size() * size);
    for (int64_t row : rows)
        result.insert(result.end(), values.begin() + row * size, values.begin() + (row + 1) * size);
    return result;
}

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_SELECTROWS_H_*/
