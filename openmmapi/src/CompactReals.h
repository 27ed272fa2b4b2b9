#ifndef OPENMMFLOW_COMPACTREALS_H_
#define OPENMMFLOW_COMPACTREALS_H_

#include <algorithm>
#include <string>
#include <vector>

#include "openmmflow/internal/TensorFile.h"

namespace OpenMMFlow {

/** Store numbers in single precision if they all come from there, else in double. Nothing is ever rounded. */
inline void setCompactReals(TensorFile& file, const std::string& name, const std::vector<int64_t>& shape,
                            const std::vector<double>& values) {
    const bool single =
        std::all_of(values.begin(), values.end(), [](double value) { return value == (double)(float)value; });
    file.setReals(name, shape, values, single ? TensorFile::Type::F32 : TensorFile::Type::F64);
}

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_COMPACTREALS_H_*/
