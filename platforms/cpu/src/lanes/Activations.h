#ifndef OPENMMFLOW_ACTIVATIONS_H_
#define OPENMMFLOW_ACTIVATIONS_H_

#include "Sigmoid.h"
#include "openmmflow/internal/InternalFlowModel.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

/** The activation of x, and its derivative. */
inline Lanes activate(InternalFlowModel::Activation activation, Lanes x, Lanes& slope) {
    if (activation == InternalFlowModel::Activation::ReLU) {
        slope = SELECT(x > Lanes(0.0), Lanes(1.0), Lanes(0.0));
        return SELECT(x > Lanes(0.0), x, Lanes(0.0));
    }
    const Lanes s = SIGMOID(x), y = x * s;
    slope = s + y * (Lanes(1.0) - s);
    return y;
}

inline Lanes activate(InternalFlowModel::Activation activation, Lanes x) {
    Lanes unused;
    return activate(activation, x, unused);
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ACTIVATIONS_H_*/
