#ifndef OPENMMFLOW_ACTIVATIONS_H_
#define OPENMMFLOW_ACTIVATIONS_H_

#include "Sigmoid.h"
#include "openmmflow/internal/InternalFlowModel.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

inline Lanes activate(InternalFlowModel::Activation activation, Lanes x) {
    if (activation == InternalFlowModel::Activation::ReLU)
        return SELECT(x > Lanes(0.0), x, Lanes(0.0));
    return SILU(x);
}

inline Lanes activationDerivative(InternalFlowModel::Activation activation, Lanes x) {
    if (activation == InternalFlowModel::Activation::ReLU)
        return SELECT(x > Lanes(0.0), Lanes(1.0), Lanes(0.0));
    const Lanes s = SIGMOID(x);
    return s * (Lanes(1.0) + x * (Lanes(1.0) - s));
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ACTIVATIONS_H_*/
