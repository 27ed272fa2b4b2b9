// The model of the augmented coupling flow: what is refused, and what a new one is.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ExpectError.h"
#include "RandomCouplingFlow.h"
#include "openmmflow/FlowBuilder.h"
#include "openmmflow/internal/TensorFile.h"

using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using nlohmann::json;

namespace {

void expectErrorWithFile(const std::function<void(TensorFile&)>& change, const std::string& fragment) {
    const CouplingVariant variant = getAugmentedVariants()[2];
    TensorFile file = TensorFile::parse(makeRandomCouplingFlow(variant, 3).toBytes(), "a flow");
    change(file);
    expectError([&] { Flow::fromBytes(file.serialize()); }, fragment);
}

void expectErrorWithEntry(const std::string& entry, const json& value, const std::string& fragment) {
    expectErrorWithFile(
        [&](TensorFile& file) {
            json configuration = json::parse(file.getMetadata("configuration"));
            configuration[entry] = value;
            file.getMetadata()["configuration"] = configuration.dump();
        },
        fragment);
}

TEST(AugmentedCouplingFile, IsRefusedWhereItMakesNoSense) {
    expectErrorWithEntry("transform", "spherical", "is not 'affine' or 'spline'");
    expectErrorWithEntry("scaling", 1, "neither true nor false");
    expectErrorWithEntry("features", 1, "unknown entry 'features'");
    expectErrorWithEntry("layers", 0, "number of layers must lie in 1 to 200");
    expectErrorWithEntry("layers", 3, "'layers.2.scaling' is missing");
    expectErrorWithEntry("attention_heads", 0, "number of attention heads must lie in 1 to 64");
    expectErrorWithEntry("attention_heads", 3, "couplings.0.input.weight");
    expectErrorWithEntry("key_size", 4, "couplings.0.input.weight");
    expectErrorWithEntry("key_size", 2000, "features of an attention head");
    expectErrorWithEntry("hidden", 11, "couplings.0.blocks.0.feed_forward.first.weight");
    expectErrorWithEntry("head_hidden", 4, "couplings.0.head.first.weight");
    expectErrorWithEntry("transform", "spline", "couplings.0.head.output.weight");
    expectErrorWithEntry("blocks", 1, "couplings.0.blocks.1.attention");
    expectErrorWithEntry("particles", 4, "'types'");
    expectErrorWithEntry("dimensions", 4, "2 or 3 dimensions");
    expectErrorWithEntry("copies", 16, "1 to 15 augmented copies");
    expectErrorWithEntry("bins", 1, "number of bins");
    expectErrorWithEntry("range", -1, "range of the splines");
    expectErrorWithEntry("length_unit", 0, "unit of length");
    expectErrorWithEntry("base", "harmonic", "base.bonds");
    expectErrorWithFile([](TensorFile& file) { file.getMetadata()["family"] = "equivariant-coupling"; },
                        "'cartesian-affine'");
}

TEST(AugmentedCouplingFlow, OptionsAreChecked) {
    auto create = [](const std::function<void(AugmentedCouplingOptions&)>& change,
                     const std::vector<int>& types = {0, 0, 0}, const std::vector<int>& bonds = {}) {
        return [=] {
            AugmentedCouplingOptions options;
            change(options);
            FlowBuilder::createAugmentedCoupling(types, options, bonds);
        };
    };
    auto nothing = [](AugmentedCouplingOptions&) {};
    expectError(create([](auto& options) { options.transform = "cubic"; }), "no transform 'cubic'");
    expectError(create([](auto& options) {
                    options.keySize = 1024;
                    options.layers = 200;
                }),
                "parameters");
    expectError(create(nothing, {0}), "2 to 1000 particles");
    expectError(create(nothing, {0, 0, 0}, {0, 1, 2}), "3 numbers are not pairs");
    expectError(create([](auto& options) { options.baseScale = std::nan(""); }), "scale of the base");
    const AugmentedCouplingOptions small{.dimensions = 2, .copies = 15, .layers = 1};
    AugmentedCouplingOptions other = small;
    other.seed = 1;
    EXPECT_NE(FlowBuilder::createAugmentedCoupling({0, 0}, small).getHash(),
              FlowBuilder::createAugmentedCoupling({0, 0}, other).getHash());
}

TEST(AugmentedCouplingFlow, HasTheSizeOfThePaper) {
    auto count = [](const std::vector<int>& types, const AugmentedCouplingOptions& options) {
        const Flow flow = FlowBuilder::createAugmentedCoupling(types, options);
        return dynamic_cast<const CouplingModel&>(flow.getModel()).getParameters().size();
    };
    EXPECT_NEAR(count(std::vector<int>(13), {}), 4.2e6, 0.3e6);
    EXPECT_NEAR(count(std::vector<int>(4), {.dimensions = 2, .keySize = 16}), 2.3e6, 0.3e6);
}

}  // namespace
