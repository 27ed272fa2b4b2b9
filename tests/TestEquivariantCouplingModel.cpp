// The models of coupling flows: what their files hold; of the equivariant one, what is refused.

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

class CouplingFile : public testing::TestWithParam<CouplingVariant> {};

TEST_P(CouplingFile, HoldsTheModel) {
    const Flow flow = makeRandomCouplingFlow(GetParam(), 3);
    const std::string bytes = flow.toBytes();
    const Flow copy = Flow::fromBytes(bytes);
    EXPECT_EQ(copy.getHash(), flow.getHash());
    EXPECT_EQ(copy.toBytes(), bytes);
    EXPECT_EQ(copy.getFamily(), GetParam().isEquivariant ? "equivariant-coupling" : "augmented-coupling");
    EXPECT_EQ(copy.getNumParticles(), GetParam().numParticles);
    EXPECT_EQ(copy.getNumAugmentedParticles(), GetParam().numParticles * GetParam().copies);
    const auto& given = dynamic_cast<const CouplingModel&>(flow.getModel());
    const auto& read = dynamic_cast<const CouplingModel&>(copy.getModel());
    EXPECT_EQ(read.getParameters(), given.getParameters());
    EXPECT_EQ(read.getBase().bonds, given.getBase().bonds);
    EXPECT_EQ(read.getParticles().types, given.getParticles().types);
    EXPECT_EQ(read.getConfiguration(), given.getConfiguration());
}

INSTANTIATE_TEST_SUITE_P(Variants, CouplingFile, testing::ValuesIn(getCouplingVariants()),
                         [](const auto& info) { return info.param.name; });

void expectErrorWithFile(const std::function<void(TensorFile&)>& change, const std::string& fragment) {
    const CouplingVariant variant = getEquivariantVariants()[2];
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

TEST(EquivariantCouplingFile, IsRefusedWhereItMakesNoSense) {
    expectErrorWithEntry("transform", "cubic",
                         "'spherical', 'cartesian-affine', 'cartesian-spline' or 'vector'");
    expectErrorWithEntry("reflections", 1, "neither true nor false");
    expectErrorWithEntry("colour", 1, "unknown entry 'colour'");
    expectErrorWithEntry("layers", 0, "number of layers must lie in 1 to 200");
    expectErrorWithEntry("layers", 3, "'layers.2.scaling' is missing");
    expectErrorWithEntry("hidden", 11, "couplings.0.blocks.0.edge.receiver.weight");
    expectErrorWithEntry("hidden", 4000, "more than 1e9 parameters");
    expectErrorWithEntry("particles", 4, "'types'");
    expectErrorWithEntry("particles", 1, "'types'");
    expectErrorWithEntry("dimensions", 4, "2 or 3 dimensions");
    expectErrorWithEntry("copies", 0, "1 to 15 augmented copies");
    expectErrorWithEntry("bins", 1, "number of bins");
    expectErrorWithEntry("range", -1, "range of the splines");
    expectErrorWithEntry("base_scale", 0, "scale of the base");
    expectErrorWithEntry("augmented_scale", 1e9, "scale of the augmented particles");
    expectErrorWithEntry("length_unit", 0, "unit of length");
    expectErrorWithEntry("base", "gaussian", "base.bonds");
    expectErrorWithFile(
        [](TensorFile& file) {
            file.setIntegers("base.bonds", {1, 2}, {0, 1});
        },
        "do not connect particles 0 and");
    expectErrorWithFile(
        [](TensorFile& file) {
            file.setIntegers("base.bonds", {1, 2}, {1, 1});
        },
        "makes no sense");
    expectErrorWithFile([](TensorFile& file) { file.setIntegers("types", {5}, {0, 1, 2, 5, 1}); }, "types");
}

TEST(EquivariantCouplingFlow, OptionsAreChecked) {
    auto create = [](const std::function<void(EquivariantCouplingOptions&)>& change,
                     const std::vector<int>& types = {0, 0, 0}, const std::vector<int>& bonds = {}) {
        return [=] {
            EquivariantCouplingOptions options;
            change(options);
            FlowBuilder::createEquivariantCoupling(types, options, bonds);
        };
    };
    auto nothing = [](EquivariantCouplingOptions&) {};
    expectError(create([](auto& options) { options.transform = "cubic"; }), "no transform 'cubic'");
    expectError(create([](auto& options) {
                    options.hidden = 4096;
                    options.layers = 200;
                }),
                "parameters");
    expectError(create(nothing, {0, 0}), "span no frame");
    expectError(create(nothing, {0}), "2 to 1000 particles");
    expectError(create(nothing, {0, -1, 0}), "types of particles");
    expectError(create(nothing, {0, 0, 0}, {0, 1, 2}), "3 numbers are not pairs");
    expectError(create(nothing, {0, 0, 0}, {0, 3}), "makes no sense");
    expectError(create([](auto& options) { options.baseScale = std::nan(""); }), "scale of the base");
    EquivariantCouplingOptions options;
    options.layers = 1;
    options.dimensions = 2;
    EXPECT_NO_THROW(FlowBuilder::createEquivariantCoupling({0, 0}, options));
    options.seed = 1;
    EXPECT_NE(FlowBuilder::createEquivariantCoupling({0, 0}, options).getHash(),
              FlowBuilder::createEquivariantCoupling({0, 0}, {.dimensions = 2, .layers = 1}).getHash());
}

}  // namespace
