#include "openmmflow/FlowContext.h"

#include <algorithm>

#include "MarginalDensity.h"
#include "openmm/Kernel.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/FlowKernels.h"
#include "openmmflow/internal/AugmentedFlowModel.h"
#include "openmmflow/internal/HiddenContext.h"
#include "openmmflow/internal/OwnerProcess.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

vector<Platform*> findPlatforms() {
    vector<Platform*> platforms;
    for (int i = 0; i < Platform::getNumPlatforms(); i++)
        if (Platform::getPlatform(i).supportsKernels({FlowKernel::Name()}))
            platforms.push_back(&Platform::getPlatform(i));
    stable_sort(platforms.begin(), platforms.end(),
                [](Platform* a, Platform* b) { return a->getSpeed() > b->getSpeed(); });
    return platforms;
}

string describePluginFailures() {
    string text;
    for (const string& failure : Platform::getPluginLoadFailures())
        text += (text.empty() ? " Plugins that could not be loaded: " : "; ") + failure;
    return text;
}

}  // namespace

struct FlowContext::Implementation {
    Implementation(const Flow& flow, Platform& platform, const map<string, string>& properties)
        : flow(flow), platform(platform) {
        if (!platform.supportsKernels({FlowKernel::Name()}))
            throw OpenMMException(
                "The platform " + platform.getName()
                + " has no flow kernels: load openmm-flow's plugins, or choose another platform."
                + describePluginFailures());
        hiddenContext = make_unique<HiddenContext>(platform);
        kernel = platform.createKernel(FlowKernel::Name(), hiddenContext->getImpl());
        getKernel().initialize(flow, properties);
        if (const auto* model = dynamic_cast<const AugmentedFlowModel*>(&flow.getModel()))
            marginal = make_unique<MarginalDensity>(*model, getKernel());
    }
    FlowKernel& getKernel() {
        owner.require("FlowContext");
        return kernel.getAs<FlowKernel>();
    }
    /** The number of configurations in an array, after checking that it is a whole one. */
    long long countConfigurations(const vector<double>& positions, bool isJoint = false) const {
        const int augmented = isJoint ? flow.getNumAugmentedParticles() : 0;
        const size_t size = 3 * (flow.getNumParticles() + augmented);
        if (positions.size() % size != 0)
            throw OpenMMException("The flow has " + to_string(flow.getNumParticles()) + " particles"
                                  + (augmented > 0 ? " and " + to_string(augmented) + " augmented ones" : "")
                                  + ", so positions must hold " + to_string(size)
                                  + " numbers for each configuration; " + to_string(positions.size())
                                  + " is not a multiple of that.");
        return positions.size() / size;
    }

    /** Give arrays the size that samples need. */
    void makeRoom(long long count, bool isJoint, vector<double>& positions, vector<double>& logQ) const {
        if (count < 0)
            throw OpenMMException("The number of samples must not be negative.");
        const int augmented = isJoint ? flow.getNumAugmentedParticles() : 0;
        positions.resize(count * 3 * (flow.getNumParticles() + augmented));
        logQ.resize(count);
    }
    void requireOne(long long count) const {
        if (count != 1)
            throw OpenMMException("One configuration is expected, not " + to_string(count) + ".");
    }

    OwnerProcess owner;
    Flow flow;
    Platform& platform;
    // The kernel goes before the Context that it lives in.
    unique_ptr<HiddenContext> hiddenContext;
    Kernel kernel;
    /** For augmented flows. */
    unique_ptr<MarginalDensity> marginal;
};

FlowContext::FlowContext(const Flow& flow, const map<string, string>& properties) {
    string reasons;
    for (Platform* platform : findPlatforms()) {
        try {
            impl = make_unique<Implementation>(flow, *platform, properties);
            return;
        } catch (const OpenMMException& e) {
            reasons += string(" ") + platform->getName() + ": " + e.what();
        }
    }
    throw OpenMMException(
        "No platform can evaluate this flow: load openmm-flow's plugins with "
        "Platform::loadPluginsFromDirectory()."
        + reasons + describePluginFailures());
}

FlowContext::FlowContext(const Flow& flow, Platform& platform, const map<string, string>& properties)
    : impl(make_unique<Implementation>(flow, platform, properties)) {}

FlowContext::~FlowContext() {
    if (!impl->owner.isCurrent())
        impl.release();
}

const Flow& FlowContext::getFlow() const {
    return impl->flow;
}

Platform& FlowContext::getPlatform() const {
    return impl->platform;
}

map<string, string> FlowContext::getProperties() const {
    return impl->getKernel().getProperties();
}

void FlowContext::sample(long long count, vector<double>& positions, vector<double>& logQ, uint64_t seed,
                         uint64_t first) {
    impl->makeRoom(count, false, positions, logQ);
    FlowKernel& kernel = impl->getKernel();
    if (impl->marginal)
        impl->marginal->sample(count, seed, first, positions.data(), logQ.data());
    else
        kernel.sample(count, seed, first, positions.data(), logQ.data());
}

void FlowContext::sampleJoint(long long count, vector<double>& positions, vector<double>& logQ, uint64_t seed,
                              uint64_t first) {
    impl->makeRoom(count, true, positions, logQ);
    impl->getKernel().sample(count, seed, first, positions.data(), logQ.data());
}

vector<double> FlowContext::computeLogDensity(const vector<double>& positions, int draws, uint64_t seed,
                                              uint64_t first) {
    vector<double> logQ(impl->countConfigurations(positions));
    FlowKernel& kernel = impl->getKernel();
    if (impl->marginal)
        impl->marginal->estimate(logQ.size(), positions.data(), draws, seed, first, logQ.data(), nullptr);
    else
        kernel.computeLogDensity(logQ.size(), positions.data(), logQ.data());
    return logQ;
}

vector<double> FlowContext::computeJointLogDensity(const vector<double>& positions) {
    vector<double> logQ(impl->countConfigurations(positions, true));
    impl->getKernel().computeLogDensity(logQ.size(), positions.data(), logQ.data());
    return logQ;
}

void FlowContext::computeLogDensityGradient(const vector<double>& positions, vector<double>& logQ,
                                            vector<double>& gradient, int draws, uint64_t seed,
                                            uint64_t first) {
    logQ.resize(impl->countConfigurations(positions));
    gradient.resize(positions.size());
    FlowKernel& kernel = impl->getKernel();
    if (impl->marginal)
        impl->marginal->estimate(logQ.size(), positions.data(), draws, seed, first, logQ.data(),
                                 gradient.data());
    else
        kernel.computeLogDensityGradient(logQ.size(), positions.data(), logQ.data(), gradient.data());
}

void FlowContext::computeJointLogDensityGradient(const vector<double>& positions, vector<double>& logQ,
                                                 vector<double>& gradient) {
    logQ.resize(impl->countConfigurations(positions, true));
    gradient.resize(positions.size());
    impl->getKernel().computeLogDensityGradient(logQ.size(), positions.data(), logQ.data(), gradient.data());
}

double FlowContext::computeLogDensityOfOne(const vector<double>& positions, vector<double>* gradient,
                                           int draws, uint64_t seed, uint64_t first) {
    impl->requireOne(impl->countConfigurations(positions));
    if (gradient != nullptr)
        gradient->resize(positions.size());
    double* const result = gradient == nullptr ? nullptr : gradient->data();
    FlowKernel& kernel = impl->getKernel();
    if (!impl->marginal)
        return kernel.computeLogDensityOfOne(positions.data(), result);
    double logQ;
    impl->marginal->estimate(1, positions.data(), draws, seed, first, &logQ, result);
    return logQ;
}

double FlowContext::computeJointLogDensityOfOne(const vector<double>& positions, vector<double>* gradient) {
    impl->requireOne(impl->countConfigurations(positions, true));
    if (gradient != nullptr)
        gradient->resize(positions.size());
    return impl->getKernel().computeLogDensityOfOne(positions.data(),
                                                    gradient == nullptr ? nullptr : gradient->data());
}

}  // namespace OpenMMFlow
