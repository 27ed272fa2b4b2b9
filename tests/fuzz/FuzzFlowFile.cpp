// Damaged flow files. Each is either still a flow, which then survives a round trip, or refused with
// an OpenMMException of one sentence. Built with AddressSanitizer and UndefinedBehaviorSanitizer, which end
// the program on any error of memory or arithmetic.
//
// FuzzFlowFile FIRST COUNT: the damaged files FIRST ... FIRST+COUNT-1. Each depends on its number only.

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>

#include "ExpectError.h"
#include "HandmadeFlow.h"
#include "Mutator.h"
#include "openmmflow/internal/AugmentedCouplingModel.h"
#include "openmmflow/internal/EquivariantCouplingModel.h"

using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;

/** Read by AddressSanitizer at the start: an allocation that no small file needs ends the program. */
extern "C" const char* __asan_default_options() {
    return "max_allocation_size_mb=64:malloc_context_size=4";
}

namespace {

std::string makeSmallFile(int numParticles, int couplings, int blocks) {
    InternalFlowModel::Configuration configuration;
    configuration.couplings = couplings;
    configuration.hidden = 2;
    configuration.blocks = blocks;
    configuration.bins = 2;
    return Flow(std::make_shared<InternalFlowModel>(makeChain(numParticles), configuration, 1), {{"k", "v"}})
        .toBytes();
}

template <class Model>
std::string makeSmallCouplingFile(typename Model::Configuration configuration) {
    CouplingModel::Particles particles;
    particles.types = {0, 1, 0};
    CouplingModel::Base base;
    base.bonds = {{0, 1}, {1, 2}};
    configuration.layers = configuration.blocks = 1;
    configuration.hidden = configuration.headHidden = configuration.bins = 2;
    configuration.scaling = true;
    return Flow(std::make_shared<Model>(particles, base, configuration, 1)).toBytes();
}

std::string makeSmallEquivariantFile() {
    EquivariantCouplingModel::Configuration configuration;
    configuration.features = 2;
    return makeSmallCouplingFile<EquivariantCouplingModel>(configuration);
}

std::string makeSmallAugmentedFile() {
    AugmentedCouplingModel::Configuration configuration;
    configuration.attentionHeads = configuration.keySize = 2;
    return makeSmallCouplingFile<AugmentedCouplingModel>(configuration);
}

/** Numbers and quoted names aside, so that each kind of error counts once. */
std::string reduce(const std::string& message) {
    std::string result;
    bool quoted = false;
    for (char c : message) {
        quoted ^= c == '\'';
        if (!quoted && (c < '0' || c > '9'))
            result += c;
    }
    return result;
}

[[noreturn]] void fail(uint64_t i, const std::string& reason) {
    std::fprintf(stderr, "Damaged file %llu: %s\n", (unsigned long long)i, reason.c_str());
    std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "Usage: FuzzFlowFile FIRST COUNT\n");
        return 2;
    }
    const uint64_t first = std::strtoull(argv[1], nullptr, 10), count = std::strtoull(argv[2], nullptr, 10);
    const std::string files[] = {makeSmallFile(4, 1, 1), makeSmallFile(5, 2, 0), makeSmallEquivariantFile(),
                                 makeSmallAugmentedFile()};
    long loaded = 0;
    std::set<std::string> errors;
    for (uint64_t i = first; i < first + count; i++) {
        std::optional<Flow> flow;
        try {
            flow = Flow::fromBytes(Mutator(i).mutate(files[i % 4]));
        } catch (const OpenMM::OpenMMException& e) {
            if (!isOneSentence(e.what()))
                fail(i, std::string("the message is not one sentence: ") + e.what());
            errors.insert(reduce(e.what()));
            continue;
        } catch (const std::exception& e) {
            fail(i, std::string("an exception of the wrong type: ") + e.what());
        }
        loaded++;
        std::string written = flow->toBytes();
        Flow copy = Flow::fromBytes(written);
        if (copy.getHash() != flow->getHash() || copy.toBytes() != written)
            fail(i, "it loads, but changes in a round trip");
    }
    std::printf("%llu damaged files: %ld load, %zu kinds of error\n", (unsigned long long)count, loaded,
                errors.size());
    // A mutator that no longer reaches the inner checks, or never leaves a file intact, proves nothing.
    if (count >= 10000 && (errors.size() < 40 || loaded < 500))
        fail(first, "this and the next ones do not reach enough of the reader");
    return 0;
}
