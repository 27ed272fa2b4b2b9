#ifndef OPENMMFLOW_TRAININGDEVICE_H_
#define OPENMMFLOW_TRAININGDEVICE_H_

#include <string>

#include <ATen/core/Tensor.h>

namespace OpenMMFlow {

/** Whether this is a name that FlowTrainerOptions::device may have. */
bool isTrainingDevice(const std::string& name);
/**
 * Get the device of Torch that flows are differentiated on, ready for use. Of several processes on a machine
 * that torchrun starts, each gets its own where "cuda" has no number.
 *
 * @param name   FlowTrainerOptions::device, but not "cpu"
 * @throws OpenMM::OpenMMException if there is no such device
 */
at::Device openTrainingDevice(const std::string& name);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TRAININGDEVICE_H_*/
