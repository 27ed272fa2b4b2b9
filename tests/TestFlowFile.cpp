// Flow and its file: a flow comes back bit for bit, its hash is that of the distribution, and files that do
// not describe a flow are refused with one sentence that names the fault.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "ExpectError.h"
#include "HandmadeFlow.h"
#include "openmmflow/internal/TensorFile.h"

using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using nlohmann::json;

namespace {

Flow makeFlow() {
    return Flow(makeRandomModel(6, 1),
                {{"temperature", "300 K"}, {"family", "of molecules"}, {"", "empty key"}});
}

/** Change the file of a valid flow, and expect an error on reading it. */
void expectErrorAfter(const std::function<void(TensorFile&)>& change, const std::string& fragment) {
    TensorFile file = TensorFile::parse(makeFlow().toBytes(), "the test file");
    change(file);
    std::string bytes = file.serialize();
    expectError([&] { Flow::fromBytes(bytes); }, fragment);
}

void expectErrorWithMetadata(const std::string& key, const std::string& value, const std::string& fragment) {
    expectErrorAfter([&](TensorFile& file) { file.getMetadata()[key] = value; }, fragment);
}

void expectErrorWithConfiguration(const std::string& key, const json& value, const std::string& fragment) {
    json configuration = json::parse(makeFlow().getConfiguration());
    configuration[key] = value;
    expectErrorWithMetadata("configuration", configuration.dump(), fragment);
}

/** Change one value of a tensor of the file. */
void expectErrorWithValue(const std::string& name, size_t index, double value, const std::string& fragment) {
    expectErrorAfter(
        [&](TensorFile& file) {
            std::vector<int64_t> shape = file.getShape(name);
            std::vector<double> values = file.getReals(name, shape);
            values.at(index) = value;
            file.setReals(name, shape, values);
        },
        fragment);
}

void expectErrorWithInteger(const std::string& name, size_t index, int64_t value,
                            const std::string& fragment) {
    expectErrorAfter(
        [&](TensorFile& file) {
            std::vector<int64_t> shape = file.getShape(name);
            std::vector<int64_t> values = file.getIntegers(name, shape, -1, 255);
            values.at(index) = value;
            file.setIntegers(name, shape, values);
        },
        fragment);
}

void expectSameLayer(const DenseLayer& a, const DenseLayer& b) {
    EXPECT_EQ(a.inputs, b.inputs);
    EXPECT_EQ(a.outputs, b.outputs);
    EXPECT_EQ(a.weight, b.weight);
    EXPECT_EQ(a.bias, b.bias);
}

void expectSameModel(const InternalFlowModel& a, const InternalFlowModel& b) {
    EXPECT_EQ(a.getConfiguration(), b.getConfiguration());
    EXPECT_EQ(a.getLogDensityConstant(), b.getLogDensityConstant());
    const InternalCoordinates &c = a.getCoordinates(), &d = b.getCoordinates();
    EXPECT_EQ(c.center, d.center);
    EXPECT_EQ(c.scale, d.scale);
    EXPECT_EQ(c.circular, d.circular);
    EXPECT_EQ(c.torsionLower, d.torsionLower);
    EXPECT_EQ(c.torsionUpper, d.torsionUpper);
    EXPECT_EQ(c.torsionKinds, d.torsionKinds);
    EXPECT_EQ(c.atomNames, d.atomNames);
    ASSERT_EQ(c.placements.size(), d.placements.size());
    for (size_t i = 0; i < c.placements.size(); i++) {
        EXPECT_EQ(c.placements[i].atom, d.placements[i].atom);
        EXPECT_EQ(c.placements[i].bond, d.placements[i].bond);
        EXPECT_EQ(c.placements[i].angle, d.placements[i].angle);
        EXPECT_EQ(c.placements[i].torsion, d.placements[i].torsion);
    }
    ASSERT_EQ(a.getCouplings().size(), b.getCouplings().size());
    for (size_t l = 0; l < a.getCouplings().size(); l++) {
        const SplineCoupling &p = a.getCouplings()[l], &q = b.getCouplings()[l];
        EXPECT_EQ(p.transformed, q.transformed);
        EXPECT_EQ(p.conditioning, q.conditioning);
        expectSameLayer(p.input, q.input);
        ASSERT_EQ(p.blocks.size(), q.blocks.size());
        for (size_t k = 0; k < p.blocks.size(); k++) {
            expectSameLayer(p.blocks[k].first, q.blocks[k].first);
            expectSameLayer(p.blocks[k].second, q.blocks[k].second);
        }
        expectSameLayer(p.output, q.output);
    }
}

const InternalFlowModel& getModel(const Flow& flow) {
    return dynamic_cast<const InternalFlowModel&>(flow.getModel());
}

class FlowOfSize : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(NumParticles, FlowOfSize, testing::Values(3, 4, 5, 22));

TEST_P(FlowOfSize, ComesBackFromItsBytes) {
    Flow flow(makeRandomModel(GetParam(), 7));
    Flow copy = Flow::fromBytes(flow.toBytes());
    expectSameModel(getModel(copy), getModel(flow));
    EXPECT_EQ(copy.toBytes(), flow.toBytes());
    EXPECT_EQ(copy.getHash(), flow.getHash());
    EXPECT_EQ(copy.getNumParticles(), GetParam());
    EXPECT_EQ(copy.getNumAugmentedParticles(), 0);
    EXPECT_EQ(copy.getFamily(), "internal");
}

TEST(FlowFile, ComesBackFromDisk) {
    std::string path = std::filesystem::temp_directory_path()
                       / ("openmmflow-flow-" + std::to_string(getpid()) + ".safetensors");
    Flow flow = makeFlow();
    flow.save(path);
    Flow copy = Flow::load(path);
    std::filesystem::remove(path);
    expectSameModel(getModel(copy), getModel(flow));
    EXPECT_EQ(copy.getMetadata(), flow.getMetadata());
    EXPECT_EQ(copy.toBytes(), flow.toBytes());
}

TEST(FlowFile, WeightsTakeTheSmallestExactType) {
    Flow flow = makeFlow();
    TensorFile file = TensorFile::parse(flow.toBytes(), "the test file");
    EXPECT_EQ(file.getTensors().at("couplings.0.input.weight").type, TensorFile::Type::F32);
    EXPECT_EQ(file.getTensors().at("couplings.0.output.weight").type, TensorFile::Type::F64);
}

TEST(FlowFile, HashIsThatOfTheDistribution) {
    Flow flow = makeFlow();
    EXPECT_EQ(flow.getHash().size(), 16u);
    EXPECT_EQ(flow.getHash().find_first_not_of("0123456789abcdef"), std::string::npos);
    Flow described = flow.withMetadata("author", "somebody");
    EXPECT_EQ(described.getMetadata().at("author"), "somebody");
    EXPECT_EQ(flow.getMetadata().count("author"), 0u);
    EXPECT_EQ(described.getHash(), flow.getHash());
    EXPECT_NE(Flow(makeRandomModel(6, 2)).getHash(), flow.getHash());

    InternalFlowModel::Configuration options = getModel(flow).getOptions();
    options.activation = InternalFlowModel::Activation::ReLU;
    std::vector<SplineCoupling> couplings = getModel(flow).getCouplings();
    auto hash = [&](const InternalCoordinates& coordinates) {
        return Flow(std::make_shared<InternalFlowModel>(coordinates, options, couplings)).getHash();
    };
    std::string withReLU = hash(getModel(flow).getCoordinates());
    EXPECT_NE(withReLU, flow.getHash());
    InternalCoordinates moved = getModel(flow).getCoordinates();
    moved.center[3] += 1e-15;
    EXPECT_NE(hash(moved), withReLU);
    couplings[2].blocks[0].second.bias[1] += 1e-9;
    EXPECT_NE(hash(getModel(flow).getCoordinates()), withReLU);
}

// The FNV-1a hash of a stored flow is part of what ensembles are compared by: it must not change between
// versions.
TEST(FlowFile, HashIsTheSameInEveryVersion) {
    InternalFlowModel::Configuration configuration;
    configuration.couplings = 2;
    configuration.hidden = 4;
    auto hash = [&] {
        return Flow(std::make_shared<InternalFlowModel>(makeChain(4), configuration, 5)).getHash();
    };
    EXPECT_EQ(hash(), "79e2d534d57355b5");
    configuration.linearBins = configuration.bins;
    configuration.harmonics = 1;
    configuration.products = false;
    EXPECT_EQ(hash(), "43e06951a62d1f30");
}

TEST(FlowFile, OptionalEntriesMeanWhatTheirAbsenceMeans) {
    InternalFlowModel::Configuration configuration;
    configuration.couplings = 2;
    configuration.hidden = 4;
    configuration.linearBins = configuration.bins;
    configuration.harmonics = 1;
    configuration.products = false;
    const Flow flow(std::make_shared<InternalFlowModel>(makeChain(5), configuration, 5));
    const Flow full(std::make_shared<InternalFlowModel>(makeChain(5), InternalFlowModel::Configuration(), 5));
    EXPECT_EQ(Flow::fromBytes(full.toBytes()).getConfiguration(), full.getConfiguration());
    for (const char* name : {"linear_bins", "harmonics", "products"})
        EXPECT_EQ(flow.getConfiguration().find(name), std::string::npos);
    const std::string file = testing::TempDir() + "/without-optional-entries.safetensors";
    flow.save(file);
    const Flow loaded = Flow::load(file);
    const auto& options = getModel(loaded).getOptions();
    EXPECT_EQ(options.linearBins, configuration.bins);
    EXPECT_EQ(options.harmonics, 1);
    EXPECT_FALSE(options.products);
}

TEST(FlowFile, FormatAndVersionAreChecked) {
    expectErrorAfter([](TensorFile& file) { file.getMetadata().erase("format"); }, "not that of a flow");
    expectErrorWithMetadata("format", "pt", "not that of a flow");
    expectErrorAfter([](TensorFile& file) { file.getMetadata().erase("format_version"); },
                     "no entry 'format_version'");
    expectErrorWithMetadata(
        "format_version", "2",
        "its format version is '2' and this version of openmm-flow reads up to 1; install a newer");
    expectErrorWithMetadata("format_version", "10", "install a newer openmm-flow");
    for (std::string version : {"", "0", "01", "-1", "one", "1.0"})
        expectErrorWithMetadata("format_version", version, "makes no sense");
    expectErrorWithMetadata("family", "equivariant", "the flow family 'equivariant' is not known");
    expectErrorAfter([](TensorFile& file) { file.getMetadata().erase("family"); }, "no entry 'family'");
    expectErrorWithMetadata("author", "somebody", "the unknown entry 'author'");
    expectErrorAfter([](TensorFile& file) { file.setReals("extra", {1}, {1}); },
                     "the tensor 'extra' is unknown");
}

TEST(FlowFile, ConfigurationIsChecked) {
    expectErrorAfter([](TensorFile& file) { file.getMetadata().erase("configuration"); },
                     "no entry 'configuration'");
    expectErrorWithMetadata("configuration", "{", "its configuration is not valid JSON");
    expectErrorWithMetadata("configuration", "[]", "its configuration is not a JSON object");
    expectErrorWithMetadata("configuration", "{}", "its configuration has no entry 'couplings'");
    expectErrorWithMetadata("configuration", std::string(100000, '['),
                            "its configuration is nested too deeply");
    expectErrorWithMetadata("configuration", "{\"bins\":4,\"bins\":4}",
                            "its configuration has the key 'bins' twice");
    expectErrorWithConfiguration("dropout", 0.1, "its configuration has the unknown entry 'dropout'");
    for (const char* key : {"couplings", "hidden", "blocks", "bins"})
        for (json value : {json(-1), json(2.0), json("4"), json(nullptr), json(1000001), json(1ULL << 63)})
            expectErrorWithConfiguration(key, value, "is not a natural number of reasonable size");
    expectErrorWithConfiguration("couplings", 0, "the number of couplings must lie in 1 to 1000");
    expectErrorWithConfiguration("couplings", 3, "the tensor 'couplings.3.blocks.0.first.bias' is unknown");
    expectErrorWithConfiguration("couplings", 1000, "the tensor 'couplings.4.transformed' is missing");
    expectErrorWithConfiguration("hidden", 7, "'couplings.0.input.weight' is not a matrix of 7 rows");
    expectErrorWithConfiguration("hidden", 1000000, "is not a matrix of 1000000 rows");
    expectErrorWithConfiguration("blocks", 2, "the tensor 'couplings.0.blocks.1.first.weight' is missing");
    expectErrorWithConfiguration("blocks", 0, "the tensor 'couplings.0.blocks.0.first.bias' is unknown");
    expectErrorWithConfiguration("bins", 1, "the number of bins must lie in 2 to 32");
    expectErrorWithConfiguration("bins", 33, "the number of bins must lie in 2 to 32");
    expectErrorWithConfiguration("bins", 5, "the output of coupling 0 is not a layer of 6 inputs");
    expectErrorWithConfiguration("linear_bins", 33, "the number of linear bins must lie in 2 to 32");
    expectErrorWithConfiguration("linear_bins", 3, "the output of coupling 0 is not a layer of 6 inputs");
    expectErrorWithConfiguration("linear_bins", 4.5, "is not a natural number of reasonable size");
    expectErrorWithConfiguration("harmonics", 0, "the number of harmonics must lie in 1 to 32");
    expectErrorWithConfiguration("harmonics", 33, "the number of harmonics must lie in 1 to 32");
    expectErrorWithConfiguration("harmonics", 2, "the input of coupling 0 is not a layer");
    expectErrorWithConfiguration("products", 1, "is neither true nor false");
    expectErrorWithConfiguration("activation", "tanh", "is not 'relu' or 'silu'");
    expectErrorWithConfiguration("activation", 1, "is not 'relu' or 'silu'");
    for (double value : {0.0, -5.0, 1e9})
        expectErrorWithConfiguration("tail_bound", value, "the tail bound must lie in");
    expectErrorWithConfiguration("tail_bound", nullptr, "'tail_bound' of its configuration is not a number");
    for (double value : {0.0, -1e-3, 0.25})
        expectErrorWithConfiguration("min_bin_fraction", value, "the minimum bin fraction must be");
    for (double value : {0.0, -1e-3, 1.0})
        expectErrorWithConfiguration("min_derivative", value, "the minimum derivative must lie in");
    expectErrorWithConfiguration("atom_names", "C", "is not a list of strings");
    expectErrorWithConfiguration("atom_names", {"C", 1}, "is not a list of strings");
    expectErrorWithConfiguration("atom_names", {"C", "N"}, "does not have the size that 6 atoms need");
    expectErrorWithConfiguration("atom_names", {"C", "N", "O", "\n", "H", "H"}, "printable ASCII");
}

TEST(FlowFile, PlacementsAreChecked) {
    const std::string name = "coordinates.placements";
    expectErrorWithInteger(name, 4 * 2, 1, "atom 1 is placed twice");
    expectErrorWithInteger(name, 4 * 2, 6, "'coordinates.placements' holds a value outside of -1 to 5");
    expectErrorWithInteger(name, 4 * 2, -1, "atom -1 does not exist");
    expectErrorWithInteger(name, 4 * 1 + 1, 5, "atom 1 refers to atom 5, which is not placed before it");
    expectErrorWithInteger(name, 4 * 3 + 1, 3, "atom 3 refers to atom 3, which is not placed before it");
    expectErrorWithInteger(name, 4 * 4 + 2, 5, "atom 4 refers to atom 5, which is not placed before it");
    expectErrorWithInteger(name, 4 * 4 + 3, -1, "atom 4 refers to atom -1, which is not placed before it");
    expectErrorWithInteger(name, 4 * 4 + 3, 3, "atom 4 refers to atom 3 twice");
    expectErrorWithInteger(name, 4 * 1 + 2, 0, "atom 1 refers to more atoms than there are before it");
    for (std::vector<int64_t> shape : {std::vector<int64_t>{24}, {6, 4, 1}, {4, 6}, {2, 4}, {0, 4}})
        expectErrorAfter(
            [&](TensorFile& file) {
                int64_t size = 1;
                for (int64_t dimension : shape)
                    size *= dimension;
                file.setIntegers(name, shape, std::vector<int64_t>(size, 0));
            },
            "does not have the shape (N, 4) with N at least 3");
}

TEST(FlowFile, CoordinatesAreChecked) {
    // Of 6 atoms, coordinates 0-4 are bonds, 5-8 angles, 9-11 torsions, of which 10 is linear.
    const double nan = std::numeric_limits<double>::quiet_NaN();
    expectErrorWithValue("coordinates.center", 2, nan, "'coordinates.center' holds NaN or infinity");
    expectErrorWithValue("coordinates.center", 2, 0, "the center of coordinate 2, a bond, is not positive");
    expectErrorWithValue("coordinates.center", 6, -1,
                         "the center of coordinate 6, an angle, is not between 0 and pi");
    expectErrorWithValue("coordinates.center", 6, M_PI, "an angle, is not between 0 and pi");
    expectErrorWithValue("coordinates.scale", 6, 0, "the scale of coordinate 6 is not a positive number");
    expectErrorWithValue("coordinates.scale", 11, -1, "the scale of coordinate 11 is not a positive number");
    expectErrorWithInteger("coordinates.circular", 4, 1,
                           "coordinate 4 is circular, but only torsions can be");
    expectErrorWithInteger("coordinates.circular", 8, 1,
                           "coordinate 8 is circular, but only torsions can be");
    expectErrorWithInteger("coordinates.circular", 9, 2,
                           "'coordinates.circular' holds a value outside of 0 to 1");
    expectErrorWithInteger("coordinates.circular", 9, 0, "the output of coupling 0 is not a layer");
    expectErrorWithValue("coordinates.center", 10, 7, "the limits of coordinate 10, a torsion");
    expectErrorWithValue("coordinates.torsion_lower", 1, 2.6, "the limits of coordinate 10, a torsion");
    expectErrorWithValue("coordinates.torsion_lower", 1, -1, "the limits of coordinate 10, a torsion");
    expectErrorWithValue("coordinates.torsion_upper", 1, 2.4, "the limits of coordinate 10, a torsion");
    expectErrorWithInteger("coordinates.torsion_kind", 0, 4, "holds a value outside of 0 to 3");
    expectErrorAfter(
        [](TensorFile& file) { file.setReals("coordinates.scale", {11}, std::vector<double>(11, 1)); },
        "'coordinates.scale' has the shape (11) instead of (12)");
}

TEST(FlowFile, CouplingsAreChecked) {
    const double inf = std::numeric_limits<double>::infinity();
    expectErrorWithValue("couplings.1.output.weight", 3, inf,
                         "'couplings.1.output.weight' holds NaN or infinity");
    expectErrorWithValue("couplings.3.blocks.0.second.bias", 0, -inf, "holds NaN or infinity");
    expectErrorWithValue("couplings.1.output.weight", 3, 1e39,
                         "the output of coupling 1 has a weight that is not a");
    expectErrorWithInteger("couplings.2.transformed", 0, 2, "holds a value outside of 0 to 1");
    expectErrorAfter(
        [](TensorFile& file) {
            file.setIntegers("couplings.2.transformed", {12}, std::vector<int64_t>(12, 1));
        },
        "coupling 2 does not divide the coordinates");
    expectErrorAfter(
        [](TensorFile& file) {
            file.setIntegers("couplings.2.transformed", {12}, std::vector<int64_t>(12, 0));
        },
        "coupling 2 does not divide the coordinates");
    expectErrorAfter(
        [](TensorFile& file) { file.setReals("couplings.0.input.bias", {7}, std::vector<double>(7)); },
        "'couplings.0.input.bias' has the shape (7) instead of (6)");
    expectErrorAfter(
        [](TensorFile& file) {
            file.setReals("couplings.0.input.weight", {6, 0}, {});
        },
        "the input of coupling 0 is not a layer");
    expectErrorAfter(
        [](TensorFile& file) { file.setReals("couplings.0.output.bias", {2000}, std::vector<double>(2000)); },
        "'couplings.0.output.bias' has a wrong shape");
}

TEST(FlowFile, OtherErrors) {
    expectError([] { Flow(nullptr); }, "needs a model");
    expectError([] { Flow::load("/nonexistent/flow.safetensors"); }, "No such file or directory");
    expectError([] { makeFlow().save("/nonexistent/flow.safetensors"); }, "No such file or directory");
    expectError([] { makeFlow().withMetadata("author", "\xff").toBytes(); }, "UTF-8");
}

}  // namespace
