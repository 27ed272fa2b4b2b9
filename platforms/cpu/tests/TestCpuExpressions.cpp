// Compiled expressions on the SIMD lanes of each instruction set, against Lepton.

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <random>

#include "ExpressionLanes.h"
#include "ExpressionOracle.h"
#include "InstructionSets.h"
#include "lepton/Parser.h"

using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace std;

namespace {

const double infinity = numeric_limits<double>::infinity();
const double notANumber = numeric_limits<double>::quiet_NaN();
const vector<string> inputs = {"x", "y", "z"};

class CpuExpressions : public testing::TestWithParam<tuple<string, string>> {
protected:
    void SetUp() override {
        const auto [instructionSet, precision] = GetParam();
        const string module =
            string(MODULE_DIRECTORY) + "/libExpressionLanes-" + instructionSet + "-" + precision + ".so";
        void* handle = dlopen(module.c_str(), RTLD_NOW | RTLD_LOCAL);
        ASSERT_NE(handle, nullptr) << dlerror();
        evaluateOnLanes = (EvaluateOnLanes*)dlsym(handle, "evaluateOnLanes");
        ASSERT_NE(evaluateOnLanes, nullptr);
        isSingle = precision == "single";
        arithmetic = isSingle ? singleArithmetic : doubleArithmetic;
    }
    vector<double> evaluate(const ExpressionProgram& program, const vector<double>& arguments,
                            int numVectors = 1) {
        const int count = arguments.size() / program.getNumInputs();
        vector<double> outputs(count * program.getNumOutputs());
        evaluateOnLanes(program, numVectors, count, arguments.data(), outputs.data());
        return outputs;
    }
    /** A number that has this precision. */
    double round(double x) const { return isSingle ? (float)x : x; }

    EvaluateOnLanes* evaluateOnLanes;
    bool isSingle;
    Arithmetic arithmetic;
};

TEST_P(CpuExpressions, FunctionsAtSpecialArguments) {
    const double largest = isSingle ? 3.4e38 : 1.7e308;
    const vector<double> special = {0.0,  -0.0,  1,     -1,   0.5,   -0.5,     2,         -2,        3,
                                    8.5,  -8.5,  25,    80,   -80,   85,       88,        88.5,      88.7,
                                    89,   100,   -86.5, -87,  -100,  700,      -700,      709.5,     710,
                                    1000, -1000, 1e-30, 1e30, -1e30, infinity, -infinity, notANumber};
    vector<double> arguments;
    for (double x : special)
        for (double y : special)
            for (double value : {x, y, 2.0})
                arguments.push_back(round(value));
    for (string text : {"exp(x)",
                        "log(x)",
                        "sqrt(x)",
                        "sin(x)",
                        "cos(x)",
                        "tan(x)",
                        "asin(x)",
                        "acos(x)",
                        "atan(x)",
                        "sinh(x)",
                        "cosh(x)",
                        "tanh(x)",
                        "erf(x)",
                        "erfc(x)",
                        "step(x)",
                        "delta(x)",
                        "abs(x)",
                        "1/abs(x)",
                        "floor(x)",
                        "ceil(x)",
                        "1/x",
                        "x^y",
                        "x^1.7",
                        "atan2(x, y)",
                        "min(x, y)",
                        "max(x, y)",
                        "select(x, y, z)",
                        "select(step(x), y, z)",
                        "x^2",
                        "-x",
                        "x/y"}) {
        const Lepton::ParsedExpression parsed = Lepton::Parser::parse(text);
        const vector<double> actual = evaluate(ExpressionProgram({parsed}, inputs), arguments);
        for (size_t i = 0; i < actual.size(); i++) {
            const double x = arguments[3 * i], y = arguments[3 * i + 1];
            double expected = parsed.evaluate({{"x", x}, {"y", y}, {"z", 2}});
            if (fabs(expected) > largest)
                expected = copysign(infinity, expected);
            if (isSame(actual[i], expected))
                continue;
            // Below the range of normal numbers, 0 is as good.
            ASSERT_NEAR(actual[i], expected, fabs(expected) * arithmetic.error + (isSingle ? 5e-38 : 1e-307))
                << text << " at " << x << ", " << y;
        }
    }
}

TEST_P(CpuExpressions, FunctionsAreAccurateToAFewUnits) {
    mt19937 generator(7);
    uniform_real_distribution<double> uniform(-1, 1);
    const double tolerance = isSingle ? 4e-7 : 1.5e-15;
    for (auto [text, range] : vector<pair<string, double>>{{"exp(x)", 80},
                                                           {"log(abs(x))", 100},
                                                           {"sqrt(x)", 100},
                                                           {"sin(x)", 100},
                                                           {"cos(x)", 100},
                                                           {"tan(x)", 100},
                                                           {"asin(x)", 1},
                                                           {"acos(x)", 1},
                                                           {"atan(x)", 100},
                                                           {"sinh(x)", 10},
                                                           {"cosh(x)", 10},
                                                           {"tanh(x)", 5},
                                                           {"erf(x)", 4},
                                                           {"erfc(x)", 8},
                                                           {"atan2(x, y)", 5}}) {
        vector<double> arguments(3 * 4000);
        for (double& x : arguments)
            x = round(range * uniform(generator));
        const Lepton::ParsedExpression parsed = Lepton::Parser::parse(text);
        const vector<double> actual = evaluate(ExpressionProgram({parsed}, inputs), arguments, 4);
        for (size_t i = 0; i < actual.size(); i++) {
            const double expected = parsed.evaluate(
                {{"x", arguments[3 * i]}, {"y", arguments[3 * i + 1]}, {"z", arguments[3 * i + 2]}});
            if (!isSame(actual[i], expected)) {
                ASSERT_NEAR(actual[i], expected, tolerance * fabs(expected))
                    << text << " at " << arguments[3 * i];
            }
        }
    }
}

TEST_P(CpuExpressions, RandomExpressionsAndTheirDerivatives) {
    mt19937 generator(5);
    normal_distribution<double> normal(0, 1.5);
    int checked = 0, total = 0;
    for (int k = 0; k < 300; k++) {
        const string text = RandomExpression(1000 + k).make(1 + k % 4);
        const vector<Lepton::ParsedExpression> all = withDerivatives(Lepton::Parser::parse(text), inputs);
        const ExpressionProgram program(all, inputs);
        vector<double> arguments(3 * 37);
        for (double& x : arguments)
            x = round(normal(generator));
        const vector<double> actual = evaluate(program, arguments, 1 + k % 9);
        for (size_t i = 0; i < actual.size(); i++) {
            const double* v = &arguments[i / 4 * 3];
            const Bounded expected = evaluateBounded(all[i % 4].getRootNode(),
                                                     {{"x", v[0]}, {"y", v[1]}, {"z", v[2]}}, arithmetic);
            total++;
            if (!isfinite(expected.error))
                continue;
            checked++;
            if (!isSame(actual[i], expected.value)) {
                ASSERT_NEAR(actual[i], expected.value, expected.error)
                    << text << ", output " << i % 4 << " at " << v[0] << ", " << v[1] << ", " << v[2];
            }
        }
    }
    EXPECT_GT(checked, 0.7 * total);
}

TEST_P(CpuExpressions, LanesAndVectorsDoNotDependOnEachOther) {
    const ExpressionProgram program(
        withDerivatives(Lepton::Parser::parse("exp(-x*y)*erfc(z)/x+x^1.3+select(step(y), sin(z), tan(x))"),
                        inputs),
        inputs);
    mt19937 generator(11);
    vector<double> arguments(3 * 150);
    for (double& x : arguments)
        x = uniform_real_distribution<double>(0.1, 3)(generator);
    const vector<double> good = evaluate(program, arguments);
    for (int numVectors : {2, 3, 4, 5, 8, 11})
        EXPECT_EQ(evaluate(program, arguments, numVectors), good);
    vector<double> some = arguments;
    const vector<double> bad = {notANumber, infinity, -infinity, 1e30, -1e30, 0};
    for (int i = 0; i < 150; i += 7)
        some[3 * i + i % 3] = bad[i / 7 % bad.size()];
    const vector<double> actual = evaluate(program, some, 4);
    for (int i = 0; i < 150; i++)
        for (int j = 0; j < 4; j++)
            if (i % 7 != 0) {
                EXPECT_EQ(actual[4 * i + j], good[4 * i + j]);
            }
}

/** Lanes against Lepton's evaluation of OpenMM's functions, which the tests of ExpressionTables compare with
 * a Context. */
TEST_P(CpuExpressions, TabulatedFunctions) {
    mt19937 generator(13);
    normal_distribution<double> normal;
    vector<double> values(9 * 5 * 4);
    for (double& value : values)
        value = normal(generator);
    auto first = [&](int count) { return vector<double>(values.begin(), values.begin() + count); };
    ExpressionTables tables;
    tables.add("c1", OpenMM::Continuous1DFunction(first(9), -1.5, 2.5));
    tables.add("c2", OpenMM::Continuous2DFunction(9, 5, first(45), -1.5, 2.5, -2, 2));
    tables.add("c3", OpenMM::Continuous3DFunction(9, 5, 4, values, -1.5, 2.5, -2, 2, -1, 2));
    vector<double> ring = first(9);
    ring.back() = ring.front();
    tables.add("p1", OpenMM::Continuous1DFunction(ring, -1.5, 2.5, true));
    tables.add("d1", OpenMM::Discrete1DFunction(first(3)));
    tables.add("d3", OpenMM::Discrete3DFunction(9, 5, 4, values));
    for (string text :
         {"c1(x)", "c2(x, y)", "c3(x, y, z)", "p1(x)", "d1(2+0*x)", "d3(step(x), 2*step(y), 3*step(z))*x"}) {
        const vector<Lepton::ParsedExpression> all = withDerivatives(tables.parse(text), inputs);
        vector<double> arguments(3 * 500);
        for (double& x : arguments)
            x = round(2 * normal(generator));
        const vector<double> actual = evaluate(ExpressionProgram(all, inputs, tables), arguments, 3);
        for (size_t i = 0; i < actual.size(); i++) {
            const double* v = &arguments[i / 4 * 3];
            const double expected = all[i % 4].evaluate({{"x", v[0]}, {"y", v[1]}, {"z", v[2]}});
            ASSERT_NEAR(actual[i], expected, (isSingle ? 3e-5 : 1e-13) * (1 + fabs(expected)))
                << text << ", output " << i % 4 << " at " << v[0] << ", " << v[1] << ", " << v[2];
        }
    }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, CpuExpressions,
                         testing::Combine(testing::ValuesIn(getInstructionSets()),
                                          testing::Values("single", "double")),
                         [](const auto& info) { return get<0>(info.param) + "_" + get<1>(info.param); });

}  // namespace
