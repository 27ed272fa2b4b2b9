// Tabulated functions in compiled expressions, against a Context on Reference.

#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "ExpectError.h"
#include "openmm/Context.h"
#include "openmm/CustomCompoundBondForce.h"
#include "openmm/State.h"
#include "openmm/System.h"
#include "openmm/VerletIntegrator.h"
#include "openmmflow/internal/ExpressionProgram.h"
#include "shared/DoubleExpressionMachine.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace std;

namespace {

const vector<string> inputs = {"x1", "y1", "z1"};

/** Random values for a grid; for a periodic function, the ends of each axis agree. */
vector<double> makeValues(vector<int> size, bool periodic) {
    size.resize(3, 1);
    mt19937 generator(4);
    normal_distribution<double> normal;
    vector<double> values(size[0] * size[1] * size[2]);
    for (int k = 0; k < size[2]; k++)
        for (int j = 0; j < size[1]; j++)
            for (int i = 0; i < size[0]; i++) {
                auto wrap = [&](int i, int n) { return periodic && n > 1 ? i % (n - 1) : i; };
                const int source =
                    wrap(i, size[0]) + size[0] * (wrap(j, size[1]) + size[1] * wrap(k, size[2]));
                double& value = values[i + size[0] * (j + size[1] * k)];
                value = source == &value - values.data() ? normal(generator) : values[source];
            }
    return values;
}

class ExpressionTablesTest : public testing::Test {
protected:
    void check(TabulatedFunction* function, const string& expression, bool isDiscrete) {
        CustomCompoundBondForce* force = new CustomCompoundBondForce(1, expression);
        force->addTabulatedFunction("f", function);
        force->addBond({0}, {});
        System system;
        system.addParticle(1);
        system.addForce(force);
        const ExpressionTables tables(*force);
        const ExpressionProgram program(withDerivatives(tables.parse(expression), inputs), inputs, tables);
        const shared::ExpressionMachine machine(program);
        VerletIntegrator integrator(0.001);
        Context context(system, integrator, Platform::getPlatformByName("Reference"));
        mt19937 generator(9);
        // Outside, some versions of OpenMM throw.
        const bool isInside = isDiscrete && !tables.find("f")->clamped;
        uniform_real_distribution<double> uniform(isInside ? -0.49 : -3, isInside ? 2.49 : 5);
        vector<double> registers(machine.getNumReals(1));
        int zeros = 0;
        for (int i = 0; i < 400; i++) {
            Vec3 x(uniform(generator), uniform(generator), uniform(generator));
            // Some on the knots and on the ends of the range.
            if (i % 4 == 0)
                for (int j = 0; j < 3; j++)
                    x[j] = std::round(2 * x[j]) / 2;
            if (isInside && i % 4 == 0)
                for (int j = 0; j < 3; j++)
                    x[j] = std::floor(std::fabs(x[j]));
            context.setPositions({x});
            const State state = context.getState(State::Energy | State::Forces);
            for (int j = 0; j < 3; j++)
                registers[j] = x[j];
            machine.evaluate(registers.data(), 1);
            auto output = [&](int i) { return registers[program.getOutputRegister(i)]; };
            ASSERT_NEAR(output(0), state.getPotentialEnergy(), 1e-12 * (1 + fabs(output(0)))) << x;
            zeros += output(0) == 0;
            for (int j = 0; j < 3; j++)
                ASSERT_NEAR(output(1 + j), -state.getForces()[0][j], 1e-11 * (1 + fabs(output(1 + j)))) << x;
        }
        EXPECT_LT(zeros, 390);
    }
};

TEST_F(ExpressionTablesTest, Continuous1D) {
    for (bool periodic : {false, true}) {
        check(new Continuous1DFunction(makeValues({9}, periodic), -1.5, 2.5, periodic), "f(x1)", false);
        check(new Continuous1DFunction(makeValues({9}, periodic), -1.5, 2.5, periodic), "y1*f(2*x1)^2",
              false);
        check(new Continuous1DFunction(makeValues({4}, periodic), 0.1, 0.7, periodic), "f(x1)", false);
    }
    check(new Continuous1DFunction(makeValues({2}, false), -1, 1), "f(x1)", false);
}

TEST_F(ExpressionTablesTest, Continuous2D) {
    for (bool periodic : {false, true}) {
        check(new Continuous2DFunction(9, 5, makeValues({9, 5}, periodic), -1.5, 2.5, -2, 2, periodic),
              "f(x1, y1)", false);
        check(new Continuous2DFunction(4, 6, makeValues({4, 6}, periodic), -1.1, 2.3, -2, 2, periodic),
              "f(z1, x1*y1)+f(y1, z1)", false);
    }
}

TEST_F(ExpressionTablesTest, Continuous3D) {
    for (bool periodic : {false, true})
        check(new Continuous3DFunction(9, 5, 4, makeValues({9, 5, 4}, periodic), -1.5, 2.5, -2, 2, -1.3, 2.9,
                                       periodic),
              "f(x1, y1, z1)", false);
}

TEST_F(ExpressionTablesTest, Discrete) {
    check(new Discrete1DFunction(makeValues({3}, false)), "x1^2*f(x1)", true);
    check(new Discrete2DFunction(3, 4, makeValues({3, 4}, false)), "z1*f(x1, y1)", true);
    check(new Discrete3DFunction(3, 4, 5, makeValues({3, 4, 5}, false)), "z1*f(x1, y1, z1)", true);
}

double evaluate(const ExpressionTables& tables, const string& expression, double x) {
    const shared::ExpressionMachine machine(ExpressionProgram({tables.parse(expression)}, {"x"}, tables));
    vector<double> registers(machine.getNumReals(1));
    registers[0] = x;
    machine.evaluate(registers.data(), 1);
    return registers[machine.getProgram().getOutputRegister(0)];
}

TEST(ExpressionTables, OutsideIsZeroOrTheNearestAndNaNStaysNaN) {
    ExpressionTables tables;
    tables.add("discrete", Discrete1DFunction({5, 6, 7}));
    tables.add("spline", Continuous1DFunction({5, 6, 7}, 0, 2));
    tables.add("periodic", Continuous1DFunction({5, 6, 5}, 0, 2, true));
    const double infinity = numeric_limits<double>::infinity();
    for (double x : {-infinity, -1e30, -0.5, 2.5, 3.0, 1e30, infinity}) {
        if (tables.find("discrete")->clamped)
            EXPECT_EQ(evaluate(tables, "discrete(x)", x), x < 0 ? 5 : 7) << x;
        else
            EXPECT_TRUE(isnan(evaluate(tables, "discrete(x)", x))) << x;
        EXPECT_EQ(evaluate(tables, "spline(x)", x), 0) << x;
    }
    // As OpenMM rounds: halfway, away from zero.
    EXPECT_EQ(evaluate(tables, "discrete(x)", 0.5), 6);
    EXPECT_EQ(evaluate(tables, "discrete(x)", 1.5), 7);
    EXPECT_EQ(evaluate(tables, "discrete(x)", -0.49), 5);
    for (const char* name : {"discrete(x)", "spline(x)", "periodic(x)"})
        EXPECT_TRUE(isnan(evaluate(tables, name, NAN))) << name;
    EXPECT_TRUE(isnan(evaluate(tables, "periodic(x)", infinity)));
    EXPECT_EQ(evaluate(tables, "periodic(x)", 1e9 + 1), 6);
}

TEST(ExpressionTables, ExpressionsOutliveTheForceAndTheTables) {
    Lepton::ParsedExpression parsed;
    unique_ptr<ExpressionProgram> program;
    {
        CustomCompoundBondForce force(1, "f(x1)");
        force.addTabulatedFunction("f", new Continuous1DFunction({1, 2, 4}, 0, 2));
        auto tables = make_unique<ExpressionTables>(force);
        parsed = tables->parse("f(x)");
        program = make_unique<ExpressionProgram>(vector{parsed}, vector<string>{"x"}, *tables);
    }
    EXPECT_EQ(parsed.evaluate({{"x", 1}}), 2);
    const shared::ExpressionMachine machine(*program);
    program.reset();
    vector<double> registers(machine.getNumReals(1), 2.0);
    machine.evaluate(registers.data(), 1);
    EXPECT_EQ(registers[machine.getProgram().getOutputRegister(0)], 4);
}

TEST(ExpressionTables, RefusesSecondDerivatives) {
    ExpressionTables tables;
    tables.add("f", Continuous1DFunction({5, 6, 7}, 0, 2));
    expectError(
        [&] {
            ExpressionProgram({tables.parse("f(x)").differentiate("x").differentiate("x")}, {"x"}, tables);
        },
        "The function 'f' would have to be differentiated twice, but tabulated functions have first "
        "derivatives only.");
}

}  // namespace
