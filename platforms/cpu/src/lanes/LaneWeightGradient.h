#ifndef OPENMMFLOW_LANEWEIGHTGRADIENT_H_
#define OPENMMFLOW_LANEWEIGHTGRADIENT_H_

#include <algorithm>
#include <vector>

#include "Rows.h"
#include "openmmflow/internal/ParameterLayout.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

/**
 * The gradient of the parameters of a flow, summed over samples. Each thread has its own.
 *
 * That of a layer is a matrix product whose inner index are samples and items. Inputs are transposed first,
 * so that the lanes of a sum are neighbouring weights, and nothing has to be summed across lanes.
 */
class WeightGradient {
public:
    explicit WeightGradient(size_t numParameters) : gradient(numParameters, 0) {}
    /** Add what a layer is worth, given its inputs and what its outputs are worth. */
    void add(const LayerPlace& layer, const Lanes* adjoint, const Lanes* x, int items) {
        add(layer, adjoint, layer.outputs, x, layer.inputs, items);
    }
    /** The same of arrays that have more rows than the layer. */
    void add(const LayerPlace& layer, const Lanes* adjoint, int adjointRows, const Lanes* x, int xRows,
             int items) {
        for (int first = 0; first < items; first += ITEMS_AT_ONCE) {
            const int count = std::min(ITEMS_AT_ONCE, items - first);
            addProduct(layer, adjoint + (size_t)first * adjointRows * Rows::STRIDE, adjointRows,
                       x + (size_t)first * xRows * Rows::STRIDE, xRows, count);
        }
        if (!layer.hasBias)
            return;
        for (int i = 0; i < layer.outputs; i++) {
            Lanes sum = 0.0;
            for (int item = 0; item < items; item++)
                for (int h = 0; h < Rows::STRIDE; h++)
                    sum = sum + adjoint[((size_t)item * adjointRows + i) * Rows::STRIDE + h];
            addNumber(layer.bias + i, sum);
        }
    }
    /** Add the rows of one item to what stands at a place. */
    template <class Array>
    void addRows(size_t place, const Array& adjoint, int item) {
        for (int row = 0; row < adjoint.getNumRows(); row++)
            for (int h = 0; h < Rows::STRIDE; h++)
                addNumber(place + row, adjoint.at(row, item * Rows::STRIDE + h));
    }
    /** The same of one column. */
    template <class Array>
    void addColumn(size_t place, const Array& adjoint, int item, int column) {
        for (int row = 0; row < adjoint.getNumRows(); row++)
            gradient[place + row] += adjoint.at(row, item * Rows::STRIDE + column / LANES).v[column % LANES];
    }
    void addNumber(size_t place, Lanes worth) {
        Scalar sum = 0;
        for (int lane = 0; lane < LANES; lane++)
            sum += worth.v[lane];
        gradient[place] += sum;
    }
    /** Add the elements first ... last-1 to an array, and set them to zero. */
    void moveTo(double* sum, size_t first, size_t last) {
        for (size_t i = first; i < last; i++) {
            sum[i] += gradient[i];
            gradient[i] = 0;
        }
    }

private:
    /** So few that transposed inputs stay in the first cache, so many that the sums are worth their loading.
     */
    static constexpr int ITEMS_AT_ONCE = 6;
    /** Sums in registers: rows of weights, and vectors in each. */
    static constexpr int ROWS = 6, VECTORS = 2;

    /** Transpose items to (item, sample, input), padded with zeros to whole blocks of sums. */
    void transpose(const Lanes* x, int rows, int inputs, int padded, int items) {
        transposed.resize((size_t)ITEMS_AT_ONCE * TILE * padded);
        for (int item = 0; item < items; item++)
            for (int h = 0; h < Rows::STRIDE; h++) {
                const Lanes* from = x + (size_t)item * rows * Rows::STRIDE + h;
                Scalar* to = &transposed[((size_t)item * TILE + h * LANES) * padded];
                for (int j = 0; j < padded; j += LANES) {
                    Vector square[LANES];
                    for (int r = 0; r < LANES; r++)
                        square[r] = j + r < inputs ? from[(j + r) * Rows::STRIDE].v : Vector{};
                    transposeSquare(square);
                    for (int lane = 0; lane < LANES; lane++)
                        Lanes(square[lane]).store(to + (size_t)lane * padded + j);
                }
            }
    }
    /** Swaps rows and lanes: exchanges, for each bit of an index, what differs in that bit. */
    [[gnu::always_inline]] static void transposeSquare(Vector* rows) {
#pragma GCC unroll 4
        for (int bit = 1; bit < LANES; bit *= 2) {
            Mask low{}, high{};
            for (int lane = 0; lane < LANES; lane++) {
                low[lane] = lane & bit ? LANES + (lane ^ bit) : lane;
                high[lane] = lane & bit ? LANES + lane : lane ^ bit;
            }
#pragma GCC unroll 16
            for (int r = 0; r < LANES; r++)
                if ((r & bit) == 0) {
                    const Vector a = rows[r], b = rows[r + bit];
                    rows[r] = __builtin_shuffle(a, b, low);
                    rows[r + bit] = __builtin_shuffle(a, b, high);
                }
        }
    }

    void addProduct(const LayerPlace& layer, const Lanes* adjoint, int adjointRows, const Lanes* x, int xRows,
                    int items) {
        const int block = VECTORS * LANES, padded = (layer.inputs + block - 1) / block * block;
        transpose(x, xRows, layer.inputs, padded, items);
        for (int j = 0; j < padded; j += block)
            for (int i = 0; i < layer.outputs; i += ROWS) {
                const int rows = std::min(ROWS, layer.outputs - i);
                Vector sums[ROWS][VECTORS];
                if (rows == ROWS)
                    sumProducts<ROWS>(adjoint, adjointRows, i, j, padded, items, sums);
                else
                    for (int r = 0; r < rows; r++)
                        sumProducts<1>(adjoint, adjointRows, i + r, j, padded, items, &sums[r]);
                for (int r = 0; r < rows; r++)
                    for (int v = 0; v < VECTORS; v++)
                        addVector(layer, i + r, j + v * LANES, sums[r][v]);
            }
    }

    /** Sums over items and samples for the outputs i ... i+COUNT-1 and the inputs from j. */
    template <int COUNT>
    void sumProducts(const Lanes* adjoint, int adjointRows, int i, int j, int padded, int items,
                     Vector (*result)[VECTORS]) const {
        Vector sums[COUNT][VECTORS];
#pragma GCC unroll 6
        for (int r = 0; r < COUNT; r++)
            for (int v = 0; v < VECTORS; v++)
                sums[r][v] = Vector{};
        for (int item = 0; item < items; item++) {
            const Scalar* a = (const Scalar*)(adjoint + ((size_t)item * adjointRows + i) * Rows::STRIDE);
            const Scalar* b = &transposed[(size_t)item * TILE * padded + j];
            for (int s = 0; s < TILE; s++, b += padded) {
                Vector inputs[VECTORS];
                for (int v = 0; v < VECTORS; v++)
                    inputs[v] = Lanes::load(b + v * LANES).v;
#pragma GCC unroll 6
                for (int r = 0; r < COUNT; r++) {
                    const Vector worth = broadcast(a[(size_t)r * TILE + s]);
                    for (int v = 0; v < VECTORS; v++)
                        sums[r][v] += worth * inputs[v];
                }
            }
        }
        for (int r = 0; r < COUNT; r++)
            for (int v = 0; v < VECTORS; v++)
                result[r][v] = sums[r][v];
    }

    /** Add sums to the weights of output i from input j on, those that exist. */
    void addVector(const LayerPlace& layer, int i, int j, Vector sum) {
        Scalar* weights = &gradient[layer.weight + (size_t)i * layer.inputs + j];
        if (j + LANES <= layer.inputs)
            (Lanes::load(weights) + Lanes(sum)).store(weights);
        else
            for (int lane = 0; j + lane < layer.inputs; lane++)
                weights[lane] += sum[lane];
    }

    std::vector<Scalar> gradient, transposed;
};

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_LANEWEIGHTGRADIENT_H_*/
