// Compiled expressions against Lepton's own evaluation of them, in double precision.

#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "ExpectError.h"
#include "ExpressionOracle.h"
#include "lepton/Parser.h"
#include "openmmflow/internal/ExpressionProgram.h"
#include "shared/DoubleExpressionMachine.h"

using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace std;

namespace {

const double infinity = numeric_limits<double>::infinity();
const double notANumber = numeric_limits<double>::quiet_NaN();

Lepton::ParsedExpression parse(const string& expression) {
    return Lepton::Parser::parse(expression);
}

/** Through three columns, of which the middle one is wanted and the others are bad. */
vector<double> evaluate(const ExpressionProgram& program, const vector<double>& inputs) {
    const shared::ExpressionMachine machine(program);
    vector<double> registers(machine.getNumReals(3), notANumber);
    for (size_t i = 0; i < inputs.size(); i++) {
        registers[3 * i + 1] = inputs[i];
        registers[3 * i + 2] = infinity;
    }
    const vector<double> before(registers.begin(), registers.begin() + 3 * inputs.size());
    machine.evaluate(registers.data(), 3);
    for (size_t i = 0; i < before.size(); i++)
        EXPECT_TRUE(isSame(registers[i], before[i])) << "An input was overwritten.";
    vector<double> outputs;
    for (int i = 0; i < program.getNumOutputs(); i++)
        outputs.push_back(registers[3 * program.getOutputRegister(i) + 1]);
    return outputs;
}

int countInstructions(const vector<Lepton::ParsedExpression>& expressions) {
    return ExpressionProgram(expressions, {"x", "y", "z"}).getInstructions().size();
}

TEST(ExpressionProgram, EveryOperationIsLeptons) {
    const vector<string> expressions = {"1.5",
                                        "x",
                                        "x+y",
                                        "x-y",
                                        "x*y",
                                        "x/y",
                                        "x^y",
                                        "-x",
                                        "sqrt(x)",
                                        "exp(x)",
                                        "log(x)",
                                        "sin(x)",
                                        "cos(x)",
                                        "sec(x)",
                                        "csc(x)",
                                        "tan(x)",
                                        "cot(x)",
                                        "asin(x)",
                                        "acos(x)",
                                        "atan(x)",
                                        "atan2(x, y)",
                                        "sinh(x)",
                                        "cosh(x)",
                                        "tanh(x)",
                                        "erf(x)",
                                        "erfc(x)",
                                        "step(x)",
                                        "delta(x)",
                                        "x^2",
                                        "x^3",
                                        "recip(x)",
                                        "x+2.5",
                                        "2.5-x",
                                        "2.5*x",
                                        "2.5/x",
                                        "x^1.7",
                                        "x^-1.7",
                                        "x^7",
                                        "x^-5",
                                        "min(x, y)",
                                        "max(x, y)",
                                        "abs(x)",
                                        "floor(x)",
                                        "ceil(x)",
                                        "square(x)",
                                        "cube(x)",
                                        "2.5*x+1",
                                        "1-2.5*x",
                                        "x*y+2.5",
                                        "2.5*x+y",
                                        "2.5*x-y",
                                        "y-2.5*x",
                                        "x/2.5",
                                        "select(x, y, 2)",
                                        "select(step(x), y, 2)"};
    vector<double> arguments = {0.0,  -0.0, 1,     -1,     0.5,   -0.5,     1.5,       -1.5,      2,
                                3,    -3,   10,    -10,    26,    100,      1e-5,      1e5,       700,
                                -700, 1000, -1000, 1e-200, 1e200, infinity, -infinity, notANumber};
    mt19937 generator(1);
    for (int i = 0; i < 20; i++)
        arguments.push_back(normal_distribution<double>(0, 3)(generator));
    for (const string& expression : expressions) {
        const Lepton::ParsedExpression parsed = parse(expression);
        const ExpressionProgram plain({parsed}, {"x", "y"}), optimized({parsed.optimize()}, {"x", "y"});
        for (double x : arguments)
            for (double y : arguments) {
                const Bounded expected =
                    evaluateBounded(parsed.getRootNode(), {{"x", x}, {"y", y}}, doubleArithmetic);
                for (const ExpressionProgram* program : {&plain, &optimized}) {
                    const double actual = evaluate(*program, {x, y})[0];
                    if (!isSame(actual, expected.value)) {
                        ASSERT_NEAR(actual, expected.value, expected.error)
                            << expression << " at " << x << ", " << y;
                    }
                }
            }
    }
}

TEST(ExpressionProgram, HalfIntegerPowersAreRoots) {
    for (const char* exponent : {"0.5", "-0.5", "1.5", "2.5", "-3.5", "7.5"})
        for (double x : {0.0, 1e-3, 0.7, 5.0, 1e4, -1.0, infinity}) {
            const Lepton::ParsedExpression parsed = parse(string("x^") + exponent);
            const double expected = parsed.evaluate({{"x", x}});
            const double actual = evaluate(ExpressionProgram({parsed}, {"x"}), {x})[0];
            if (!isSame(actual, expected)) {
                EXPECT_NEAR(actual, expected, 1e-14 * fabs(expected)) << exponent << " " << x;
            }
        }
    const ExpressionProgram program({parse("x^-3.5+x^6+x^1.5")}, {"x"});
    for (const ExpressionInstruction& i : program.getInstructions())
        EXPECT_NE(i.operation, ExpressionOperation::PowerConstant);
}

TEST(ExpressionProgram, RandomExpressionsAndTheirDerivatives) {
    mt19937 generator(3);
    normal_distribution<double> normal(0, 1.5);
    const vector<string> inputs = {"x", "y", "z"};
    int checked = 0, total = 0;
    for (int k = 0; k < 600; k++) {
        const string text = RandomExpression(k).make(1 + k % 5);
        const Lepton::ParsedExpression parsed = parse(text);
        const vector<Lepton::ParsedExpression> optimized = withDerivatives(parsed, inputs);
        ASSERT_EQ(optimized.size(), 4u);
        vector<Lepton::ParsedExpression> all = {parsed};
        all.insert(all.end(), optimized.begin(), optimized.end());
        const ExpressionProgram program(all, inputs);
        const HoistedExpressions hoisted = ExpressionProgram::hoist(all, {"y"}, {"x", "z"});
        for (int trial = 0; trial < 10; trial++) {
            const double x = normal(generator), y = normal(generator), z = normal(generator);
            const vector<double> actual = evaluate(program, {x, y, z});
            vector<double> variables = {y};
            for (double parameter : evaluate(hoisted.parameters, {x, z}))
                variables.push_back(parameter);
            const vector<double> inTwoParts = evaluate(hoisted.variables, variables);
            for (size_t i = 0; i < all.size(); i++) {
                const Bounded expected =
                    evaluateBounded(all[i].getRootNode(), {{"x", x}, {"y", y}, {"z", z}}, doubleArithmetic);
                total++;
                if (!isfinite(expected.error))
                    continue;
                checked++;
                for (double value : {actual[i], inTwoParts[i]})
                    if (!isSame(value, expected.value)) {
                        ASSERT_NEAR(value, expected.value, expected.error)
                            << text << ", output " << i << " at " << x << ", " << y << ", " << z;
                    }
            }
        }
    }
    EXPECT_GT(checked, 0.7 * total);
}

TEST(ExpressionProgram, DerivativesAgreeWithFiniteDifferences) {
    const vector<string> inputs = {"x", "y", "z"};
    const ExpressionProgram program(
        withDerivatives(parse("4*y*((z/x)^12-(z/x)^6)+erfc(x*y)/x+exp(-x^2)*cos(z-1)"), {"x", "z"}), inputs);
    const double h = 1e-6;
    for (double x : {0.8, 1.0, 1.7}) {
        auto value = [&](double dx, double dz) { return evaluate(program, {x + dx, 0.6, 0.9 + dz})[0]; };
        const vector<double> outputs = evaluate(program, {x, 0.6, 0.9});
        EXPECT_NEAR(outputs[1], (value(h, 0) - value(-h, 0)) / (2 * h), 1e-7 * (1 + fabs(outputs[1])));
        EXPECT_NEAR(outputs[2], (value(0, h) - value(0, -h)) / (2 * h), 1e-7 * (1 + fabs(outputs[2])));
    }
}

TEST(ExpressionProgram, EqualPartsAreComputedOnce) {
    EXPECT_EQ(countInstructions({parse("x")}), 0);
    EXPECT_EQ(countInstructions({parse("sin(x*y)+cos(y*x)")}), 4);
    EXPECT_EQ(countInstructions({parse("sin(x*y)"), parse("cos(y*x)"), parse("x*y")}), 3);
    // 1/x and its powers 2, 3, 6, 12.
    EXPECT_EQ(countInstructions({parse("1/x^12"), parse("x^-6")}), 5);
    // One division.
    EXPECT_EQ(countInstructions({parse("y/x"), parse("z/x"), parse("x^-2")}), 4);
    // A product and a sum are one instruction, as far as the product is not used otherwise.
    EXPECT_EQ(countInstructions({parse("x*y+z")}), 1);
    EXPECT_EQ(countInstructions({parse("x*y+z"), parse("x*y")}), 2);
    EXPECT_EQ(countInstructions({parse("2*x+1")}), 1);
    const vector<Lepton::ParsedExpression> all =
        withDerivatives(parse("exp(-x*y)*sin(z*x)/(x+y)"), {"x", "y", "z"});
    int separately = 0;
    for (const Lepton::ParsedExpression& expression : all)
        separately += countInstructions({expression});
    EXPECT_LT(countInstructions(all), 0.6 * separately);
}

TEST(ExpressionProgram, RegistersAreUsedAgain) {
    string text = "x";
    for (int i = 0; i < 50; i++)
        text = "sin(" + text + ")+" + to_string(i) + "*y";
    const ExpressionProgram program({parse(text)}, {"x", "y"});
    EXPECT_GT(program.getInstructions().size(), 90u);
    EXPECT_LE(program.getNumRegisters(), 4);
}

TEST(ExpressionProgram, ConstantsAndInputsAreOutputsToo) {
    const ExpressionProgram program({parse("2+3*4"), parse("y"), parse("y"), parse("x-x+1")}, {"x", "y"});
    EXPECT_EQ(evaluate(program, {5, 7}), (vector<double>{14, 7, 7, 1}));
    const ExpressionProgram nothing(vector<Lepton::ParsedExpression>{}, {});
    EXPECT_EQ(evaluate(nothing, {}), vector<double>{});
}

TEST(ExpressionProgram, WhatDependsOnParametersOnlyIsHoisted) {
    const vector<Lepton::ParsedExpression> all =
        withDerivatives(parse("4*epsilon*((sigma/r)^12-(sigma/r)^6); sigma=0.5*(sigma1+sigma2); "
                              "epsilon=sqrt(epsilon1*epsilon2)"),
                        {"r"});
    const vector<string> parameters = {"sigma1", "epsilon1", "sigma2", "epsilon2"};
    const HoistedExpressions parts = ExpressionProgram::hoist(all, {"r"}, parameters);
    EXPECT_EQ(parts.parameters.getNumInputs(), 4);
    EXPECT_EQ(parts.variables.getNumInputs(), 1 + parts.parameters.getNumOutputs());
    for (const ExpressionInstruction& i : parts.variables.getInstructions())
        EXPECT_NE(i.operation, ExpressionOperation::Sqrt);
    vector<string> inputs = {"r"};
    inputs.insert(inputs.end(), parameters.begin(), parameters.end());
    const ExpressionProgram whole(all, inputs);
    EXPECT_LT(parts.variables.getInstructions().size(), whole.getInstructions().size());
}

TEST(ExpressionProgram, RefusesWhatItCannotUnderstand) {
    const ExpressionTables none;
    expectError([&] { ExpressionProgram({parse("x*epsilon")}, {"x"}); },
                "The expression uses the variable 'epsilon', which is not defined here; define it or correct "
                "its name.");
    expectError(
        [&] {
            ExpressionProgram({parse("x")}, {"x", "y", "x"});
        },
        "The name 'x' is given to two inputs of an expression; rename one.");
    Lepton::PlaceholderFunction placeholder(2);
    expectError(
        [&] {
            ExpressionProgram({Lepton::Parser::parse("f(x, 1)", {{"f", &placeholder}})}, {"x"});
        },
        "The expression calls the function 'f', which is not defined here; add a tabulated function of that "
        "name.");
    expectError([&] { none.parse("x+"); },
                "The expression 'x+' cannot be understood, correct it: unexpected end of expression.");
    expectError([&] { none.parse("g(x)"); },
                "The expression 'g(x)' cannot be understood, correct it: unknown function: g.");
}

}  // namespace
