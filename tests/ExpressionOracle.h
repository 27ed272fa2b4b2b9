#ifndef OPENMMFLOW_TESTS_EXPRESSIONORACLE_H_
#define OPENMMFLOW_TESTS_EXPRESSIONORACLE_H_

#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "lepton/ExpressionTreeNode.h"
#include "lepton/Operation.h"

/** Lepton's own value of an expression, and how far rounding may lead away from it. */
namespace OpenMMFlow::tests {

/** A kind of floating point numbers: the error of an operation, relative to its result, and the range. */
struct Arithmetic {
    double error, smallest, largest;
};
constexpr Arithmetic doubleArithmetic = {4e-15, 1e-300, 1e300}, singleArithmetic = {1e-6, 1e-36, 1e37};

struct Bounded {
    double value;
    /** Infinite where nothing can be said. */
    double error;
};

inline bool isSame(double a, double b) {
    return a == b || (std::isnan(a) && std::isnan(b));
}

/**
 * Evaluate a tree as Lepton does. The error of an operation is its own, and what it makes of those of its
 * arguments, found by trying.
 */
inline Bounded evaluateBounded(const Lepton::ExpressionTreeNode& node,
                               const std::map<std::string, double>& variables, const Arithmetic& arithmetic) {
    const double infinity = std::numeric_limits<double>::infinity();
    const Lepton::Operation& operation = node.getOperation();
    std::vector<Bounded> arguments;
    std::vector<double> values;
    for (const Lepton::ExpressionTreeNode& child : node.getChildren()) {
        arguments.push_back(evaluateBounded(child, variables, arithmetic));
        values.push_back(arguments.back().value);
    }
    Bounded result = {operation.evaluate(values.data(), variables), 0};
    if (operation.getId() != Lepton::Operation::VARIABLE) {
        double factor = 1;
        if (operation.getId() == Lepton::Operation::POWER_CONSTANT)
            factor += std::fabs(dynamic_cast<const Lepton::Operation::PowerConstant&>(operation).getValue());
        result.error = factor * arithmetic.error * std::fabs(result.value) + arithmetic.smallest;
        if (!std::isfinite(result.value))
            result.error = 0;
        // Parts may be put together in another order where the range does not matter, but that is not so
        // here.
        else if (std::fabs(result.value) > arithmetic.largest)
            result.error = infinity;
    }
    for (size_t i = 0; i < arguments.size(); i++)
        for (double sign : {-1, 1}) {
            std::vector<double> moved = values;
            moved[i] += sign * arguments[i].error;
            const double other = operation.evaluate(moved.data(), variables);
            if (!isSame(other, result.value))
                result.error += std::fabs(other - result.value);
        }
    if (std::isnan(result.error))
        result.error = infinity;
    for (const Bounded& argument : arguments)
        if (!std::isfinite(argument.error))
            result.error = infinity;
    return result;
}

/**
 * Random expressions of x, y and z in Lepton's language, without operations on constants only or on two
 * operands that are the same, since Lepton::ParsedExpression::optimize() does not come to an end when a
 * constant is NaN.
 */
class RandomExpression {
public:
    explicit RandomExpression(unsigned seed) : generator(seed) {}
    std::string make(int depth) {
        static const std::vector<std::string> functions = {
            "sqrt",  "exp",    "log",  "sin",   "cos",  "sec",   "csc", "tan",  "cot",
            "asin",  "acos",   "atan", "sinh",  "cosh", "tanh",  "erf", "erfc", "step",
            "delta", "square", "cube", "recip", "abs",  "floor", "ceil"};
        static const std::vector<std::string> powers = {"2",    "3", "-1",  "-2", "0.5",
                                                        "-1.5", "6", "-12", "1.7"};
        if (depth == 0)
            return std::string(1, "xyz"[pick(3)]);
        const std::string a = make(depth - 1), b = makeOperand(depth - 1), c = makeOperand(depth - 1);
        switch (pick(9)) {
            case 0:
                return functions[pick(functions.size())] + "(" + a + ")";
            case 1:
                return "(" + a + ")^(" + powers[pick(powers.size())] + ")";
            case 2:
                return "min(" + a + ", " + b + ")";
            case 3:
                return "max(" + a + ", " + b + ")";
            case 4:
                return "atan2(" + a + ", " + b + ")";
            case 5:
                return "select(" + std::string(pick(2) ? "step" : "") + "(" + a + "), " + b + ", " + c + ")";
            default:
                return "(" + std::string(pick(4) ? "" : "-") + a + ")" + "+-*/"[pick(4)] + "(" + b + ")";
        }
    }

private:
    std::string makeOperand(int depth) {
        const std::string constant = std::to_string(pick(80) / 16.0 - 2.03);
        return pick(4) == 0 ? constant : constant + "*(" + make(depth) + ")";
    }
    int pick(int count) { return std::uniform_int_distribution<int>(0, count - 1)(generator); }
    std::mt19937 generator;
};

}  // namespace OpenMMFlow::tests

#endif /*OPENMMFLOW_TESTS_EXPRESSIONORACLE_H_*/
