#ifndef OPENMMFLOW_LANEMATRIX_H_
#define OPENMMFLOW_LANEMATRIX_H_

#include "PanelMatrix.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

/** How many reals an item of the coupling flows has in each row, and what numbers a real holds: together, a
 * tile of samples. */
constexpr int STRIDE = Rows::STRIDE, WIDTH = LANES;
using Number = Scalar;

/** A PanelMatrix for items of the coupling flows that stand one after the other. */
class Matrix {
public:
    Matrix()
        : Matrix(
            0, 0, [](int, int) { return 0.0; }, [](int) { return 0.0; }) {}
    template <class Weight, class Bias>
    Matrix(int outputs, int inputs, const Weight& weight, const Bias& bias)
        : outputs(outputs), inputs(inputs), panels(outputs, inputs, weight, bias) {}
    /** store(i, v, y) is given output i of vector v, each once. It must not write to x. */
    template <class Store>
    void multiply(const Lanes* x, int items, const Store& store) const {
        multiplyItems(x, items, [&](int item) {
            return [&store, item](int i, int h, Lanes sum) { store(i, item * STRIDE + h, sum); };
        });
    }
    /** The same into an array of as many rows as there are outputs. */
    void multiply(const Lanes* x, int items, Lanes* y) const {
        multiplyItems(x, items, [&](int item) {
            Lanes* rows = y + (size_t)item * outputs * STRIDE;
            return [rows](int i, int h, Lanes sum) { rows[i * STRIDE + h] = sum; };
        });
    }

private:
    template <class StoreOf>
    void multiplyItems(const Lanes* x, int items, const StoreOf& storeOf) const {
        panels.multiplyTiles([&](int item) { return x + (size_t)item * inputs * STRIDE; }, items, storeOf);
    }
    int outputs, inputs;
    PanelMatrix panels;
};

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_LANEMATRIX_H_*/
