#ifndef OPENMMFLOW_VECTORMATRIX_H_
#define OPENMMFLOW_VECTORMATRIX_H_

#include <algorithm>
#include <vector>

#include "Lanes.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

/**
 * A matrix that multiplies one vector, and a vector that is added to the product: y = W x + b, with the
 * outputs in the lanes.
 *
 * One sample uses each weight once, so that reading them is what takes the time. They lie in the order in
 * which they are read: panels of up to PANEL vectors of outputs, input by input.
 */
class VectorMatrix {
public:
    /**
     * @param outputs   the number of outputs; what fills up the last vector of them is 0
     * @param weight    weight(i, j) is the element of output i and input j
     * @param bias      bias(i) is what is added to output i
     */
    template <class Weight, class Bias>
    VectorMatrix(int outputs, int inputs, const Weight& weight, const Bias& bias)
        : vectors((outputs + LANES - 1) / LANES),
          inputs(inputs),
          weights((size_t)vectors * inputs, 0.0),
          biases(vectors, 0.0) {
        for (int i = 0; i < outputs; i++) {
            const int v = i / LANES, first = v / PANEL * PANEL, width = std::min(PANEL, vectors - first);
            biases[v].v[i % LANES] = bias(i);
            for (int j = 0; j < inputs; j++)
                weights[(size_t)first * inputs + (size_t)j * width + v - first].v[i % LANES] = weight(i, j);
        }
    }
    /**
     * Multiply.
     *
     * @param x       the inputs
     * @param store   store(v, y) is given the outputs v*LANES ... v*LANES+LANES-1, each once. It must not
     * write to x
     */
    template <class Store>
    void multiply(const Scalar* x, const Store& store) const {
        int first = 0;
        for (; first + PANEL <= vectors; first += PANEL)
            multiplyPanel<PANEL>(x, first, store);
        switch (vectors - first) {
            case 1:
                return multiplyPanel<1>(x, first, store);
            case 2:
                return multiplyPanel<2>(x, first, store);
            case 3:
                return multiplyPanel<3>(x, first, store);
            case 4:
                return multiplyPanel<4>(x, first, store);
            case 5:
                return multiplyPanel<5>(x, first, store);
            case 6:
                return multiplyPanel<6>(x, first, store);
            case 7:
                return multiplyPanel<7>(x, first, store);
        }
    }

private:
    /** As many sums as hide the latency of an addition. */
    static constexpr int PANEL = 8;

    template <int WIDTH, class Store>
    void multiplyPanel(const Scalar* x, int first, const Store& store) const {
        const Lanes* w = &weights[(size_t)first * inputs];
        Vector sums[WIDTH];
#pragma GCC unroll 8
        for (int v = 0; v < WIDTH; v++)
            sums[v] = biases[first + v].v;
        for (int j = 0; j < inputs; j++, w += WIDTH) {
            const Vector factor = broadcast(x[j]);
#pragma GCC unroll 8
            for (int v = 0; v < WIDTH; v++)
                sums[v] += w[v].v * factor;
        }
#pragma GCC unroll 8
        for (int v = 0; v < WIDTH; v++)
            store(first + v, Lanes(sums[v]));
    }

    int vectors, inputs;
    std::vector<Lanes> weights, biases;
};

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_VECTORMATRIX_H_*/
