#include "ExpressionGraph.h"

#include <bit>
#include <cmath>

#include "Quote.h"
#include "lepton/Operation.h"
#include "openmm/OpenMMException.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

static map<string, int> number(const vector<string>& names) {
    map<string, int> numbers;
    for (size_t i = 0; i < names.size(); i++)
        if (!numbers.insert({names[i], i}).second)
            throw OpenMMException("The name " + quote(names[i])
                                  + " is given to two inputs of an expression; rename one.");
    return numbers;
}

ExpressionGraph::ExpressionGraph(const vector<string>& names, const ExpressionTables& functions)
    : inputs(number(names)), functions(functions) {
    for (size_t i = 0; i < names.size(); i++)
        nodes.push_back({Operation::Input});
}

int ExpressionGraph::intern(const Node& node) {
    const Key key = {node.operation,
                     node.arguments,
                     {bit_cast<uint64_t>(node.constants[0]), bit_cast<uint64_t>(node.constants[1])},
                     node.table,
                     node.derivative};
    const auto [entry, isNew] = numbers.insert({key, (int)nodes.size()});
    if (isNew)
        nodes.push_back(node);
    return entry->second;
}

int ExpressionGraph::addVariable(const string& name) {
    const auto input = inputs.find(name);
    if (input == inputs.end())
        throw OpenMMException("The expression uses the variable " + quote(name)
                              + ", which is not defined here; define it or correct its name.");
    return input->second;
}

int ExpressionGraph::addTable(const Lepton::Operation& operation, const vector<int>& arguments) {
    const string name = operation.getName();
    const vector<int>& orders = dynamic_cast<const Lepton::Operation::Custom&>(operation).getDerivOrder();
    const shared_ptr<const ExpressionTable> table = functions.find(name);
    if (!table)
        throw OpenMMException("The expression calls the function " + quote(name)
                              + ", which is not defined here; add a tabulated function of that name.");
    Node node = {Operation::Table};
    for (size_t i = 0; i < orders.size(); i++) {
        node.arguments.at(i) = arguments[i];
        if (orders[i] == 0)
            continue;
        if (orders[i] > 1 || node.derivative != -1)
            throw OpenMMException("The function " + quote(name)
                                  + " would have to be differentiated twice, but tabulated functions have "
                                    "first derivatives only.");
        node.derivative = i;
    }
    if (node.derivative != -1 && !table->continuous)
        return addConstant(0);
    const auto [number, isNew] = tableNumbers.insert({name, (int)tables.size()});
    if (isNew)
        tables.push_back(table);
    node.table = number->second;
    return intern(node);
}

int ExpressionGraph::add(const Lepton::ExpressionTreeNode& tree) {
    using Id = Lepton::Operation;
    const Lepton::Operation& operation = tree.getOperation();
    vector<int> x;
    vector<double> known;
    for (const Lepton::ExpressionTreeNode& child : tree.getChildren()) {
        x.push_back(add(child));
        if (is(x.back(), Operation::Constant))
            known.push_back(constant(x.back()));
    }
    if (operation.getId() == Id::VARIABLE)
        return addVariable(operation.getName());
    if (operation.getId() == Id::CUSTOM)
        return addTable(operation, x);
    if (known.size() == x.size())
        return addConstant(operation.evaluate(known.data(), {}));
    switch (operation.getId()) {
        case Id::ADD:
            return sum(x[0], x[1]);
        case Id::SUBTRACT:
            return difference(x[0], x[1]);
        case Id::MULTIPLY:
            return product(x[0], x[1]);
        case Id::DIVIDE:
            return quotient(x[0], x[1]);
        case Id::POWER:
            return is(x[1], Operation::Constant) ? power(x[0], constant(x[1]))
                                                 : function(Operation::Power, x[0], x[1]);
        case Id::NEGATE:
            return negative(x[0]);
        case Id::SQRT:
            return function(Operation::Sqrt, x[0]);
        case Id::EXP:
            return function(Operation::Exp, x[0]);
        case Id::LOG:
            return function(Operation::Log, x[0]);
        case Id::SIN:
            return function(Operation::Sin, x[0]);
        case Id::COS:
            return function(Operation::Cos, x[0]);
        case Id::SEC:
            return reciprocal(function(Operation::Cos, x[0]));
        case Id::CSC:
            return reciprocal(function(Operation::Sin, x[0]));
        case Id::TAN:
            return function(Operation::Tan, x[0]);
        case Id::COT:
            return reciprocal(function(Operation::Tan, x[0]));
        case Id::ASIN:
            return function(Operation::Asin, x[0]);
        case Id::ACOS:
            return function(Operation::Acos, x[0]);
        case Id::ATAN:
            return function(Operation::Atan, x[0]);
        case Id::ATAN2:
            return function(Operation::Atan2, x[0], x[1]);
        case Id::SINH:
            return function(Operation::Sinh, x[0]);
        case Id::COSH:
            return function(Operation::Cosh, x[0]);
        case Id::TANH:
            return function(Operation::Tanh, x[0]);
        case Id::ERF:
            return function(Operation::Erf, x[0]);
        case Id::ERFC:
            return function(Operation::Erfc, x[0]);
        case Id::STEP:
            return function(Operation::Step, x[0]);
        case Id::DELTA:
            return function(Operation::Delta, x[0]);
        case Id::SQUARE:
            return integerPower(x[0], 2);
        case Id::CUBE:
            return integerPower(x[0], 3);
        case Id::RECIPROCAL:
            return reciprocal(x[0]);
        case Id::ADD_CONSTANT:
            return shifted(x[0], dynamic_cast<const Id::AddConstant&>(operation).getValue());
        case Id::MULTIPLY_CONSTANT:
            return scaled(x[0], dynamic_cast<const Id::MultiplyConstant&>(operation).getValue());
        case Id::POWER_CONSTANT:
            return power(x[0], dynamic_cast<const Id::PowerConstant&>(operation).getValue());
        case Id::MIN:
            return function(Operation::Min, x[0], x[1]);
        case Id::MAX:
            return function(Operation::Max, x[0], x[1]);
        case Id::ABS:
            return function(Operation::Abs, x[0]);
        case Id::FLOOR:
            return function(Operation::Floor, x[0]);
        case Id::CEIL:
            return function(Operation::Ceil, x[0]);
        case Id::SELECT:
            return is(x[0], Operation::Step) ? function(Operation::SelectStep, argument(x[0]), x[1], x[2])
                                             : function(Operation::Select, x[0], x[1], x[2]);
        default:
            throw OpenMMException("The expression uses the operation " + quote(operation.getName())
                                  + ", which this version of openmm-flow does not know; update it.");
    }
}

ExpressionGraph ExpressionGraph::shareReciprocals(vector<int>& outputs) const {
    vector<char> needed(nodes.size(), false);
    for (int output : outputs)
        needed[output] = true;
    for (size_t i = nodes.size(); i-- > 0;)
        for (int argument : nodes[i].arguments)
            if (needed[i] && argument != -1)
                needed[argument] = true;
    map<int, int> divisions;
    for (size_t i = 0; i < nodes.size(); i++) {
        const Operation operation = nodes[i].operation;
        if (needed[i]
            && (operation == Operation::Divide || operation == Operation::DivideConstant
                || operation == Operation::Reciprocal))
            divisions[asPower(nodes[i].arguments[operation == Operation::Divide]).first]++;
    }

    ExpressionGraph graph({}, functions);
    graph.tables = tables;
    vector<int> renumbered(nodes.size());
    for (size_t i = 0; i < nodes.size(); i++) {
        Node node = nodes[i];
        for (int& argument : node.arguments)
            if (argument != -1)
                argument = renumbered[argument];
        int& target = renumbered[i];
        if (node.operation == Operation::Input) {
            target = graph.nodes.size();
            graph.nodes.push_back(node);
        } else if (!needed[i])
            continue;
        else if (node.operation == Operation::Multiply)
            target = graph.product(node.arguments[0], node.arguments[1]);
        else if (node.operation == Operation::Divide)
            target = graph.quotient(node.arguments[0], node.arguments[1]);
        else if (node.operation == Operation::Reciprocal)
            target = graph.reciprocal(node.arguments[0]);
        else if (node.operation == Operation::DivideConstant)
            target = graph.quotient(graph.addConstant(node.constants[0]), node.arguments[0]);
        else
            target = graph.intern(node);
        if (divisions.count(i) && divisions.at(i) > 1)
            graph.sharedDenominators.insert(target);
    }
    for (int& output : outputs)
        output = renumbered[output];
    return graph;
}

}  // namespace OpenMMFlow
