#include "TrainingDevice.h"

#include <dlfcn.h>

#include <cstdlib>
#include <regex>

#include <ATen/Context.h>

#include "openmm/OpenMMException.h"

using namespace OpenMMFlow;
using OpenMM::OpenMMException;

bool OpenMMFlow::isTrainingDevice(const std::string& name) {
    static const std::regex names("cpu|torch-cpu|cuda(:(0|[1-9][0-9]?))?");
    return std::regex_match(name, names);
}

/** Load what Torch needs for CUDA. @return what went wrong, or an empty string */
static std::string loadCuda() {
    // Linked to it, the training library could not be loaded where Torch is without CUDA.
    return dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_LOCAL) == nullptr ? dlerror() : "";
}

at::Device OpenMMFlow::openTrainingDevice(const std::string& name) {
    // Torch settles once for all whether there is CUDA, the first time it differentiates: even on the CPU
    // that comes after this.
    const std::string problem = loadCuda();
    if (name == "torch-cpu")
        return at::Device(at::kCPU);
    if (!problem.empty())
        throw OpenMMException("Torch cannot use CUDA (" + problem
                              + "): install the build of Torch for CUDA with all it depends on, or train on the "
                                "device \"cpu\".");
    const int count = at::hasCUDA() ? (int)at::getNumGPUs() : 0;
    if (count == 0)
        throw OpenMMException("Torch finds no CUDA device: train on the device \"cpu\".");
    at::Device device(name);
    if (!device.has_index()) {
        const char* rank = std::getenv("LOCAL_RANK");
        device.set_index((c10::DeviceIndex)((rank == nullptr ? 0 : std::atoi(rank)) % count));
    }
    if (device.index() >= count)
        throw OpenMMException("There is no device " + name + ": Torch finds " + std::to_string(count)
                              + " CUDA devices, of which the first is cuda:0.");
    return device;
}
