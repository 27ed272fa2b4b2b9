#ifndef OPENMMFLOW_PANELMATRIX_H_
#define OPENMMFLOW_PANELMATRIX_H_

#include <algorithm>
#include <vector>

#include "Rows.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

/**
 * A matrix that multiplies rows of samples, and a vector that is added to the product: y = W x + b.
 *
 * The weights lie as the product reads them, in panels of a few outputs, input by input. The sums of a panel
 * for TILE samples fill the registers from the first input to the last, so that a weight is read once for
 * TILE samples, and what follows a product (an activation, a sum) is done before they leave the registers.
 */
class PanelMatrix {
public:
    /**
     * @param weight   weight(i, j) is the element of output i and input j
     * @param bias     bias(i) is what is added to output i
     */
    template <class Weight, class Bias>
    PanelMatrix(int outputs, int inputs, const Weight& weight, const Bias& bias)
        : outputs(outputs), inputs(inputs) {
        size_t rows = 0;
        for (int first = 0; first < outputs; first += panels.back().rows) {
            panels.push_back({first, chooseRows(outputs - first), rows * inputs, rows});
            rows += panels.back().rows;
        }
        weights.resize(rows * inputs, 0);
        biases.resize(rows, 0);
        assign(weight, bias);
    }
    /** Take other weights and biases. */
    template <class Weight, class Bias>
    void assign(const Weight& weight, const Bias& bias) {
        for (const Panel& panel : panels) {
            const int rows = std::min(panel.rows, outputs - panel.first);
            Scalar* w = &weights[panel.weight];
            for (int r = 0; r < rows; r++)
                biases[panel.bias + r] = bias(panel.first + r);
            for (int j = 0; j < inputs; j++, w += panel.rows)
                for (int r = 0; r < rows; r++)
                    w[r] = weight(panel.first + r, j);
        }
    }
    /**
     * Multiply.
     *
     * @param x       the inputs, one a row
     * @param count   the number of samples, a multiple of TILE
     * @param store   store(i, s, y) is given output i of the samples s ... s+LANES-1, each once. It must not
     * write to x
     */
    template <class Store>
    void multiply(const Rows& x, int count, const Store& store) const {
        multiplyTiles([&](int tile) { return &x.at(0, tile * TILE); }, count / TILE,
                      [&](int tile) {
                          return
                              [&store, tile](int i, int h, Lanes y) { store(i, tile * TILE + h * LANES, y); };
                      });
    }
    /**
     * The same of tiles that tileAt(t) gives.
     *
     * @param storeOf   storeOf(t) is what is given the outputs of tile t: store(i, h, y) output i of its
     *                  vector h
     */
    template <class TileAt, class StoreOf>
    void multiplyTiles(const TileAt& tileAt, int count, const StoreOf& storeOf) const {
        // A few panels stay in the first cache for all samples, and the inputs of a tile for these panels.
        const size_t group = 4;
        for (size_t start = 0; start < panels.size(); start += group)
            for (int t = 0; t < count; t++) {
                const auto store = storeOf(t);
                for (size_t p = start; p < panels.size() && p < start + group; p++)
                    if (panels[p].rows == LARGE)
                        multiplyPanel<LARGE>(tileAt(t), panels[p], store);
                    else
                        multiplyPanel<SMALL>(tileAt(t), panels[p], store);
            }
    }

private:
#if defined(__AVX512F__) || defined(__aarch64__)
    // Two vectors a row, of 32 registers: the rest holds inputs and a weight.
    static constexpr int LARGE = 12;
#else
    static constexpr int LARGE = 6;
#endif
    // As few sums as keep the units for sums busy.
    static constexpr int SMALL = 4;
    struct Panel {
        int first, rows;
        size_t weight, bias;
    };
    /** The rows of the next panel, so that as few rows as can be are wasted, and then in few panels. */
    static int chooseRows(int remaining) {
        if (LARGE == 6)
            return remaining <= 4 || remaining == 7 || remaining == 8 ? SMALL : LARGE;
        return remaining <= 8 ? SMALL : LARGE;
    }

    template <int ROWS, class Store>
    [[gnu::always_inline]] void multiplyPanel(const Lanes* x, const Panel& panel, const Store& store) const {
        static_assert(Rows::STRIDE == 2);
        const Scalar *w = &weights[panel.weight], *b = &biases[panel.bias];
        Vector low[ROWS], high[ROWS];
#pragma GCC unroll 12
        for (int r = 0; r < ROWS; r++)
            low[r] = high[r] = broadcast(b[r]);
#pragma GCC unroll 2
        for (int j = 0; j < inputs; j++, x += Rows::STRIDE, w += ROWS) {
            const Vector xLow = x[0].v, xHigh = x[1].v;
#pragma GCC unroll 12
            for (int r = 0; r < ROWS; r++) {
                const Vector a = broadcast(w[r]);
                low[r] += a * xLow;
                high[r] += a * xHigh;
            }
        }
        const int rows = outputs - panel.first;
#pragma GCC unroll 12
        for (int r = 0; r < ROWS; r++) {
            if (r < rows) {
                store(panel.first + r, 0, Lanes(low[r]));
                store(panel.first + r, 1, Lanes(high[r]));
            }
        }
    }

    int outputs, inputs;
    std::vector<Panel> panels;
    std::vector<Scalar> weights, biases;
};

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_PANELMATRIX_H_*/
