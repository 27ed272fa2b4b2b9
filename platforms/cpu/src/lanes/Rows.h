#ifndef OPENMMFLOW_ROWS_H_
#define OPENMMFLOW_ROWS_H_

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

#include "Lanes.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

/** The samples that stand side by side in memory: two vectors, as many as a matrix product works on at once.
 */
constexpr int TILE = 2 * LANES;

inline int roundUpToTile(int count) {
    return (count + TILE - 1) / TILE * TILE;
}

/**
 * An array of rows, one row a quantity, one column a sample, tile by tile: all rows of the first TILE samples
 * come first, so that what belongs to a few samples is close together and a matrix product reads it in one
 * stream.
 */
class Rows {
public:
    /** From a row to the next one at the same samples, in vectors. */
    static constexpr int STRIDE = TILE / LANES;

    /** `columns` is a multiple of TILE. */
    Rows(int rows, int columns) : rows(rows) {
        const size_t bytes = (size_t)(rows > 0 ? rows : 1) * columns * sizeof(Scalar);
        data.reset((Lanes*)std::aligned_alloc(64, (bytes + 63) / 64 * 64));
        if (!data)
            throw std::bad_alloc();
    }
    int getNumRows() const { return rows; }
    /** Samples s ... s+LANES-1 of a row; s is a multiple of LANES. */
    Lanes& at(int row, int s) { return data[index(row, s)]; }
    const Lanes& at(int row, int s) const { return data[index(row, s)]; }
    /** One sample of a row. */
    Scalar& scalar(int row, int s) { return ((Scalar*)&data[index(row, s)])[s % LANES]; }
    Scalar scalar(int row, int s) const { return ((const Scalar*)&data[index(row, s)])[s % LANES]; }
    /** Copy the first `count` samples, a multiple of TILE, of an array with as many rows. */
    void copyFrom(const Rows& other, int count) {
        for (size_t i = 0; i < (size_t)rows * (count / LANES); i++)
            data[i] = other.data[i];
    }

private:
    struct Free {
        void operator()(void* p) const { std::free(p); }
    };
    size_t index(int row, int s) const {
        return ((size_t)(s / TILE) * rows + row) * STRIDE + s % TILE / LANES;
    }
    int rows;
    std::unique_ptr<Lanes[], Free> data;
};

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ROWS_H_*/
