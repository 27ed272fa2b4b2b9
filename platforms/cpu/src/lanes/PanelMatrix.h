#ifndef OPENMMFLOW_PANELMATRIX_H_
#define OPENMMFLOW_PANELMATRIX_H_

#include <vector>

#include "Rows.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

/**
 * A matrix that multiplies rows of samples, and a vector that is added to the product: y = W x + b.
 *
 * The weights lie as the product reads them, in panels of PANEL outputs, input by input. The sums of a panel
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
        : outputs(outputs),
          inputs(inputs),
          weights((size_t)countPanels() * PANEL * inputs, 0),
          biases(countPanels() * PANEL, 0) {
        for (int i = 0; i < outputs; i++) {
            biases[i] = bias(i);
            for (int j = 0; j < inputs; j++)
                weights[((size_t)(i / PANEL) * inputs + j) * PANEL + i % PANEL] = weight(i, j);
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
        multiplyTiles(&x.at(0, 0), count, store);
    }
    /** The same of tiles that stand one after the other, as in Rows. */
    template <class Store>
    void multiplyTiles(const Lanes* x, int count, const Store& store) const {
        // A few panels stay in the first cache for all samples, and the inputs of a tile for these panels.
        const int group = 4 * PANEL;
        for (int start = 0; start < outputs; start += group)
            for (int s = 0; s < count; s += TILE)
                for (int first = start; first < outputs && first < start + group; first += PANEL)
                    multiplyPanel(x + (size_t)(s / TILE) * inputs * Rows::STRIDE, first, s, store);
    }

private:
#if defined(__AVX512F__) || defined(__aarch64__)
    // Two vectors a row, of 32 registers: the rest holds inputs and a weight.
    static constexpr int PANEL = 12;
#else
    static constexpr int PANEL = 6;
#endif
    int countPanels() const {
        return (outputs + PANEL - 1) / PANEL;
    }

    template <class Store>
    void multiplyPanel(const Lanes* x, int first, int s, const Store& store) const {
        static_assert(Rows::STRIDE == 2);
        const Scalar* w = &weights[(size_t)first * inputs];
        Vector low[PANEL], high[PANEL];
#pragma GCC unroll 12
        for (int r = 0; r < PANEL; r++)
            low[r] = high[r] = broadcast(biases[first + r]);
        for (int j = 0; j < inputs; j++, x += Rows::STRIDE, w += PANEL) {
            const Vector xLow = x[0].v, xHigh = x[1].v;
#pragma GCC unroll 12
            for (int r = 0; r < PANEL; r++) {
                const Vector a = broadcast(w[r]);
                low[r] += a * xLow;
                high[r] += a * xHigh;
            }
        }
        const int rows = outputs - first;
#pragma GCC unroll 12
        for (int r = 0; r < PANEL; r++) {
            if (r < rows) {
                store(first + r, s, Lanes(low[r]));
                store(first + r, s + LANES, Lanes(high[r]));
            }
        }
    }

    int outputs, inputs;
    std::vector<Scalar> weights, biases;
};

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_PANELMATRIX_H_*/
