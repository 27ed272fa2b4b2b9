// The members of ExpressionGraph that look for the cheapest form of an operation.

#include <cmath>

#include "ExpressionGraph.h"

using namespace std;

namespace OpenMMFlow {

/** Higher powers, where errors would add up, are left to the library's function. */
static const int HIGHEST_INTEGER_POWER = 64, HIGHEST_HALF_INTEGER_POWER = 15;

int ExpressionGraph::sum(int a, int b) {
    if (is(a, Operation::Constant))
        return shifted(b, constant(a));
    if (is(b, Operation::Constant))
        return shifted(a, constant(b));
    if (is(b, Operation::Negate))
        return difference(a, argument(b));
    if (is(a, Operation::Negate))
        return difference(b, argument(a));
    return function(Operation::Add, min(a, b), max(a, b));
}

int ExpressionGraph::difference(int a, int b) {
    if (is(b, Operation::Constant))
        return shifted(a, -constant(b));
    if (is(a, Operation::Constant))
        return constant(a) == 0 ? negative(b)
                                : intern({Operation::SubtractFromConstant, {b, -1, -1}, {constant(a), 0}});
    if (is(b, Operation::Negate))
        return sum(a, argument(b));
    return function(Operation::Subtract, a, b);
}

int ExpressionGraph::product(int a, int b) {
    if (is(a, Operation::Constant))
        return scaled(b, constant(a));
    if (is(b, Operation::Constant))
        return scaled(a, constant(b));
    if (is(a, Operation::Negate))
        return negative(product(argument(a), b));
    if (is(b, Operation::Negate))
        return negative(product(a, argument(b)));
    const auto [base, exponent] = asPower(a);
    const auto [otherBase, otherExponent] = asPower(b);
    if (base == otherBase && exponent + otherExponent <= HIGHEST_INTEGER_POWER)
        return integerPower(base, exponent + otherExponent);
    return function(Operation::Multiply, min(a, b), max(a, b));
}

int ExpressionGraph::quotient(int a, int b) {
    if (is(b, Operation::Constant))
        return scaled(a, 1 / constant(b));
    if (is(b, Operation::Negate))
        return negative(quotient(a, argument(b)));
    if (is(a, Operation::Negate))
        return negative(quotient(argument(a), b));
    const auto [base, exponent] = asPower(b);
    if (sharedDenominators.count(base))
        return product(a, integerPower(function(Operation::Reciprocal, base), exponent));
    if (is(a, Operation::Constant))
        return constant(a) == 1 ? reciprocal(b)
                                : intern({Operation::DivideConstant, {b, -1, -1}, {constant(a), 0}});
    return function(Operation::Divide, a, b);
}

int ExpressionGraph::negative(int a) {
    if (is(a, Operation::Negate))
        return argument(a);
    if (is(a, Operation::MultiplyConstant))
        return scaled(argument(a), -constant(a));
    if (is(a, Operation::Subtract))
        return difference(nodes[a].arguments[1], nodes[a].arguments[0]);
    return function(Operation::Negate, a);
}

int ExpressionGraph::reciprocal(int a) {
    const auto [base, exponent] = asPower(a);
    return integerPower(function(Operation::Reciprocal, base), exponent);
}

int ExpressionGraph::shifted(int a, double k) {
    return k == 0 ? a : intern({Operation::AddConstant, {a, -1, -1}, {k, 0}});
}

int ExpressionGraph::scaled(int a, double k) {
    if (k == 1)
        return a;
    if (is(a, Operation::MultiplyConstant))
        return scaled(argument(a), k * constant(a));
    if (is(a, Operation::Negate))
        return scaled(argument(a), -k);
    if (k == -1)
        return negative(a);
    return intern({Operation::MultiplyConstant, {a, -1, -1}, {k, 0}});
}

int ExpressionGraph::power(int a, double exponent) {
    if (exponent == trunc(exponent) && fabs(exponent) <= HIGHEST_INTEGER_POWER) {
        if (exponent == 0)
            return addConstant(1);
        return integerPower(exponent < 0 ? reciprocal(a) : a, fabs(exponent));
    }
    const double twice = 2 * exponent;
    if (twice == trunc(twice) && fabs(twice) <= HIGHEST_HALF_INTEGER_POWER) {
        const int root = function(Operation::Sqrt, a);
        return integerPower(exponent < 0 ? reciprocal(root) : root, fabs(twice));
    }
    return intern({Operation::PowerConstant, {a, -1, -1}, {exponent, 0}});
}

pair<int, int> ExpressionGraph::asPower(int node) const {
    const auto entry = powersOf.find(node);
    return entry == powersOf.end() ? make_pair(node, 1) : entry->second;
}

int ExpressionGraph::integerPower(int base, int exponent) {
    const auto [innermost, innerExponent] = asPower(base);
    if (innermost != base && innerExponent * exponent <= HIGHEST_INTEGER_POWER)
        return integerPower(innermost, innerExponent * exponent);
    map<int, int>& known = powers[base];
    known.insert({1, base});
    if (!known.count(exponent)) {
        // From the highest power that there is, or from two halves.
        const int highest = prev(known.upper_bound(exponent))->first;
        const int part = max(highest, exponent - exponent / 2);
        const int a = integerPower(base, part), b = integerPower(base, exponent - part);
        const int node = function(Operation::Multiply, min(a, b), max(a, b));
        known[exponent] = node;
        powersOf[node] = {base, exponent};
    }
    return known[exponent];
}

}  // namespace OpenMMFlow
