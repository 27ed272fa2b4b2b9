#include "TrainingDevice.h"

#include <dlfcn.h>

#include <cstdlib>
#include <regex>

#include <ATen/Context.h>

#include "openmm/OpenMMException.h"

using namespace OpenMMFlow;
using OpenMM::OpenMMException;

bool OpenMMFlow::isTrainingDevice(const std::string& name) {
    static const std::regex names("cpu|torch-cpu|cuda(:[0-9]{1,2})?");
    return std::regex_match(name, names);
}

/** The number of devices, of which Torch knows once its library for them is loaded. */
static int countDevices() {
    // Linked to it, the training library could not be loaded where Torch is without CUDA. The first question
    // about devices settles whether there are any, so that it comes after this.
    if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr)
        throw OpenMMException(std::string("Torch cannot use CUDA (") + dlerror()
                              + "): install the build of Torch for CUDA with all it depends on, or train on the "
                                "device \"cpu\".");
    return at::hasCUDA() ? (int)at::getNumGPUs() : 0;
}

at::Device OpenMMFlow::openTrainingDevice(const std::string& name) {
    if (name == "torch-cpu")
        return at::Device(at::kCPU);
    const int count = countDevices();
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
