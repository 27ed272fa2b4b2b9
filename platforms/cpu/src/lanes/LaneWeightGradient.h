#ifndef OPENMMFLOW_LANEWEIGHTGRADIENT_H_
#define OPENMMFLOW_LANEWEIGHTGRADIENT_H_

#include <algorithm>
#include <type_traits>
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
    /** So few that the inputs of one block of sums stay in the first cache, so many that the sums are worth
     * their loading. */
    static constexpr int ITEMS_AT_ONCE = 128 / TILE;
    /** Sums in registers: rows of weights, and vectors in each, which are a block of inputs. */
    static constexpr int ROWS = 6, VECTORS = 2, BLOCK = VECTORS * LANES;

    /** Transpose items to (block of inputs, item, sample, input). What fills up the last block is used by no
     * sum that counts. */
    void transpose(const Lanes* x, int rows, int inputs, int items) {
        transposed.resize((size_t)((inputs + BLOCK - 1) / BLOCK) * items * TILE * BLOCK);
        for (int item = 0; item < items; item++)
            for (int h = 0; h < Rows::STRIDE; h++) {
                const Lanes* from = x + (size_t)item * rows * Rows::STRIDE + h;
                for (int j = 0; j < inputs; j += LANES) {
                    Vector square[LANES];
                    for (int r = 0; r < LANES; r++)
                        square[r] = j + r < inputs ? from[(j + r) * Rows::STRIDE].v : Vector{};
                    transposeSquare(square);
                    Scalar* to = getTransposed(j / BLOCK, items) + (size_t)(item * TILE + h * LANES) * BLOCK
                                 + j % BLOCK;
                    for (int lane = 0; lane < LANES; lane++)
                        Lanes(square[lane]).store(to + (size_t)lane * BLOCK);
                }
            }
    }
    Scalar* getTransposed(int block, int items) { return &transposed[(size_t)block * items * TILE * BLOCK]; }
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
        transpose(x, xRows, layer.inputs, items);
        for (int j = 0; j < layer.inputs; j += BLOCK) {
            const Scalar* inputs = getTransposed(j / BLOCK, items);
            for (int i = 0, rows; i < layer.outputs; i += rows) {
                rows = chooseRows(layer.outputs - i);
                withRows(rows, [&](auto count) {
                    addBlock<count>(layer, adjoint + (size_t)i * Rows::STRIDE, adjointRows, inputs, items, i,
                                    j);
                });
            }
        }
    }
    /** As few rows are left over as can be, since few sums do not keep the units for sums busy. */
    static int chooseRows(int remaining) {
        return remaining == ROWS + 1 || remaining == ROWS + 2 ? 4 : std::min(ROWS, remaining);
    }
    /** Call function(count) with the number of rows as a constant. */
    template <class Function>
    static void withRows(int rows, const Function& function) {
        static_assert(ROWS == 6);
        switch (rows) {
            case 1:
                return function(std::integral_constant<int, 1>());
            case 2:
                return function(std::integral_constant<int, 2>());
            case 3:
                return function(std::integral_constant<int, 3>());
            case 4:
                return function(std::integral_constant<int, 4>());
            case 5:
                return function(std::integral_constant<int, 5>());
            default:
                return function(std::integral_constant<int, 6>());
        }
    }

    /** Add the sums over items and samples for the outputs i ... i+COUNT-1, where `adjoint` begins, and the
     * block of inputs from j on. */
    template <int COUNT>
    void addBlock(const LayerPlace& layer, const Lanes* adjoint, int adjointRows, const Scalar* inputs,
                  int items, int i, int j) {
        // It is far away in memory, in a pattern that the processor does not foresee.
        Scalar* weights = &gradient[layer.weight + (size_t)i * layer.inputs + j];
#pragma GCC unroll 6
        for (int r = 0; r < COUNT; r++)
            __builtin_prefetch(weights + (size_t)r * layer.inputs, 1);
        Vector sums[COUNT][VECTORS];
#pragma GCC unroll 6
        for (int r = 0; r < COUNT; r++)
            for (int v = 0; v < VECTORS; v++)
                sums[r][v] = Vector{};
        for (int item = 0; item < items; item++) {
            const Scalar* a = (const Scalar*)(adjoint + (size_t)item * adjointRows * Rows::STRIDE);
            for (int s = 0; s < TILE; s++, inputs += BLOCK) {
                Vector x[VECTORS];
                for (int v = 0; v < VECTORS; v++)
                    x[v] = Lanes::load(inputs + v * LANES).v;
#pragma GCC unroll 6
                for (int r = 0; r < COUNT; r++) {
                    const Vector worth = broadcast(a[(size_t)r * TILE + s]);
                    for (int v = 0; v < VECTORS; v++)
                        sums[r][v] += worth * x[v];
                }
            }
        }
#pragma GCC unroll 6
        for (int r = 0; r < COUNT; r++)
            for (int v = 0; v < VECTORS; v++)
                addVector(weights + (size_t)r * layer.inputs + v * LANES, layer.inputs - j - v * LANES,
                          sums[r][v]);
    }

    /** Add to as many of the next weights of an output as there are, given how many that is. */
    static void addVector(Scalar* weights, int count, Vector sum) {
        if (count >= LANES)
            (Lanes::load(weights) + Lanes(sum)).store(weights);
        else
            for (int lane = 0; lane < count; lane++)
                weights[lane] += sum[lane];
    }

    std::vector<Scalar> gradient, transposed;
};

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_LANEWEIGHTGRADIENT_H_*/
