#ifndef OPENMMFLOW_KERNELOPTIONS_H_
#define OPENMMFLOW_KERNELOPTIONS_H_

#include <map>
#include <string>

#include "openmmflow/FlowTrainer.h"

namespace OpenMMFlow {

/** The platform properties that the options of training ask for. */
inline std::map<std::string, std::string> getThreadProperties(const FlowTrainerOptions& options) {
    std::map<std::string, std::string> properties;
    if (options.threads > 0)
        properties["Threads"] = std::to_string(options.threads);
    return properties;
}

/** The same with the precision of the kernels that training differentiates. */
inline std::map<std::string, std::string> getKernelProperties(const FlowTrainerOptions& options) {
    std::map<std::string, std::string> properties = getThreadProperties(options);
    properties["Precision"] = options.precision;
    return properties;
}

/** The properties of a TrainingKernel. */
inline std::map<std::string, std::string> getTrainingProperties(const FlowTrainerOptions& options) {
    std::map<std::string, std::string> properties = getKernelProperties(options);
    if (options.device != "cpu")
        properties["Device"] = options.device;
    return properties;
}

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_KERNELOPTIONS_H_*/
