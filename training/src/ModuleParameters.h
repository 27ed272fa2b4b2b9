#ifndef OPENMMFLOW_MODULEPARAMETERS_H_
#define OPENMMFLOW_MODULEPARAMETERS_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace OpenMMFlow {

/** The precision and the device of a kernel whose flow is composed of Torch operations, and the parameters
 * of the flow there. */
class ModuleParameters {
public:
    /** @param properties   "Precision" and "Device" */
    explicit ModuleParameters(const std::map<std::string, std::string>& properties);
    /** @throws OpenMM::OpenMMException if one is not a finite number, and keeps the old ones */
    void set(const std::vector<double>& parameters);
    const at::Tensor& get() const { return parameters; }
    /** Take an array (rows, columns) to the device. */
    at::Tensor load(const double* values, int64_t rows, int64_t columns) const;

private:
    at::TensorOptions options;
    at::Tensor parameters;
};

/** Take a tensor of any device to an array of as many numbers. */
void storeTensor(const at::Tensor& tensor, double* values);
/** Get the gradient of a number by a tensor. */
at::Tensor differentiate(const at::Tensor& variable,
                         const std::function<at::Tensor(const at::Tensor&)>& compute);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_MODULEPARAMETERS_H_*/
