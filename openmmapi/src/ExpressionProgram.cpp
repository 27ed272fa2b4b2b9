#include "openmmflow/internal/ExpressionProgram.h"

#include <algorithm>

#include "ExpressionGraph.h"

using namespace std;

namespace OpenMMFlow {

using Operation = ExpressionOperation;
using Node = ExpressionInstruction;

static ExpressionGraph makeGraph(const vector<Lepton::ParsedExpression>& expressions,
                                 const vector<string>& inputs, const ExpressionTables& tables,
                                 vector<int>& wanted) {
    ExpressionGraph graph(inputs, tables);
    for (const Lepton::ParsedExpression& expression : expressions)
        wanted.push_back(graph.add(expression.getRootNode()));
    return graph.shareReciprocals(wanted);
}

static vector<int> firstNodes(int count) {
    vector<int> nodes(count);
    for (int i = 0; i < count; i++)
        nodes[i] = i;
    return nodes;
}

/** How often each node is used on the way from `given` to `wanted`; 0 if it is not needed. */
static vector<int> countUses(const vector<Node>& nodes, const vector<char>& isGiven,
                             const vector<int>& wanted) {
    vector<int> uses(nodes.size(), 0);
    for (int node : wanted)
        uses[node]++;
    for (size_t i = nodes.size(); i-- > 0;)
        if (uses[i] > 0 && !isGiven[i])
            for (int argument : nodes[i].arguments)
                if (argument != -1)
                    uses[argument]++;
    return uses;
}

ExpressionProgram::ExpressionProgram(const vector<Lepton::ParsedExpression>& expressions,
                                     const vector<string>& inputs, const ExpressionTables& tables)
    : ExpressionProgram([&] {
          vector<int> wanted;
          const ExpressionGraph graph = makeGraph(expressions, inputs, tables, wanted);
          return ExpressionProgram(graph, firstNodes(inputs.size()), wanted);
      }()) {}

HoistedExpressions ExpressionProgram::hoist(const vector<Lepton::ParsedExpression>& expressions,
                                            const vector<string>& variables, const vector<string>& parameters,
                                            const ExpressionTables& tables) {
    vector<string> inputs = variables;
    inputs.insert(inputs.end(), parameters.begin(), parameters.end());
    vector<int> wanted;
    const ExpressionGraph graph = makeGraph(expressions, inputs, tables, wanted);
    const vector<Node>& nodes = graph.getNodes();
    vector<char> varies(nodes.size());
    for (size_t i = 0; i < nodes.size(); i++) {
        varies[i] = i < variables.size();
        for (int argument : nodes[i].arguments)
            varies[i] |= argument != -1 && varies[argument];
    }
    // What is handed over is what does not vary but is used by something that does. Constants are not worth
    // it.
    set<int> handedOver;
    auto use = [&](int node) {
        if (node != -1 && !varies[node] && nodes[node].operation != Operation::Constant)
            handedOver.insert(node);
    };
    const vector<int> uses = countUses(nodes, vector<char>(nodes.size(), false), wanted);
    for (size_t i = 0; i < nodes.size(); i++)
        if (varies[i] && uses[i] > 0)
            for (int argument : nodes[i].arguments)
                use(argument);
    for (int node : wanted)
        use(node);
    const vector<int> invariants(handedOver.begin(), handedOver.end());
    vector<int> given = firstNodes(inputs.size());
    const vector<int> givenParameters(given.begin() + variables.size(), given.end());
    given.resize(variables.size());
    given.insert(given.end(), invariants.begin(), invariants.end());
    return {ExpressionProgram(graph, givenParameters, invariants), ExpressionProgram(graph, given, wanted)};
}

/** A sum whose term `product` is used nowhere else, as one instruction with it; or the sum itself. */
static Node fuse(const Node& sum, const Node& product, bool productIsFirst) {
    const int other = sum.arguments[productIsFirst];
    const bool isScaled = product.operation == Operation::MultiplyConstant;
    const int a = product.arguments[0], b = product.arguments[1];
    const double k = product.constants[0];
    switch (sum.operation) {
        case Operation::Add:
            return isScaled ? Node{Operation::MultiplyConstantAdd, {a, other, -1}, {k, 0}}
                            : Node{Operation::MultiplyAdd, {a, b, other}};
        case Operation::Subtract:
            if (productIsFirst)
                return isScaled ? Node{Operation::MultiplyConstantSubtract, {a, other, -1}, {k, 0}}
                                : Node{Operation::MultiplySubtract, {a, b, other}};
            return isScaled ? Node{Operation::MultiplyConstantAdd, {a, other, -1}, {-k, 0}}
                            : Node{Operation::NegateMultiplyAdd, {a, b, other}};
        case Operation::AddConstant:
            return isScaled ? Node{Operation::Linear, {a, -1, -1}, {k, sum.constants[0]}}
                            : Node{Operation::MultiplyAddConstant, {a, b, -1}, {sum.constants[0], 0}};
        case Operation::SubtractFromConstant:
            return isScaled ? Node{Operation::Linear, {a, -1, -1}, {-k, sum.constants[0]}} : sum;
        default:
            return sum;
    }
}

ExpressionProgram::ExpressionProgram(const ExpressionGraph& graph, const vector<int>& given,
                                     const vector<int>& wanted)
    : numInputs(given.size()), tables(graph.getTables()) {
    const vector<Node>& nodes = graph.getNodes();
    vector<char> isGiven(nodes.size(), false);
    for (int node : given)
        isGiven[node] = true;
    vector<int> uses = countUses(nodes, isGiven, wanted);
    vector<Node> fused = nodes;
    for (size_t i = 0; i < nodes.size(); i++) {
        if (uses[i] == 0 || isGiven[i])
            continue;
        for (int j : {0, 1}) {
            const int term = nodes[i].arguments[j];
            if (term == -1 || uses[term] != 1 || isGiven[term]
                || (nodes[term].operation != Operation::Multiply
                    && nodes[term].operation != Operation::MultiplyConstant))
                continue;
            fused[i] = fuse(nodes[i], nodes[term], j == 0);
            if (fused[i].operation != nodes[i].operation) {
                uses[term] = 0;
                break;
            }
        }
    }
    for (size_t i = 0; i < nodes.size(); i++)
        if (uses[i] > 0 && !isGiven[i]) {
            fused[i].target = i;
            instructions.push_back(fused[i]);
        }
    allocateRegisters(given, wanted);
}

/** From node numbers to registers; those that are free again are taken first. */
void ExpressionProgram::allocateRegisters(const vector<int>& given, const vector<int>& wanted) {
    map<int, int> registers, lastUse;
    for (int i = 0; i < (int)instructions.size(); i++)
        for (int argument : instructions[i].arguments)
            lastUse[argument] = i;
    for (int i = 0; i < (int)given.size(); i++) {
        registers[given[i]] = i;
        lastUse.erase(given[i]);
    }
    for (int node : wanted)
        lastUse.erase(node);
    numRegisters = given.size();
    vector<int> free;
    for (int i = 0; i < (int)instructions.size(); i++) {
        ExpressionInstruction& instruction = instructions[i];
        for (int& argument : instruction.arguments) {
            if (argument == -1)
                continue;
            const int node = argument;
            argument = registers.at(node);
            const auto last = lastUse.find(node);
            if (last != lastUse.end() && last->second == i) {
                free.push_back(argument);
                lastUse.erase(last);
            }
        }
        int target = numRegisters;
        if (free.empty())
            numRegisters++;
        else {
            target = free.back();
            free.pop_back();
        }
        registers[instruction.target] = target;
        instruction.target = target;
    }
    for (int node : wanted)
        outputs.push_back(registers.at(node));
}

vector<Lepton::ParsedExpression> withDerivatives(const Lepton::ParsedExpression& expression,
                                                 const vector<string>& variables) {
    vector<Lepton::ParsedExpression> result = {expression.optimize()};
    for (const string& variable : variables)
        result.push_back(result[0].differentiate(variable).optimize());
    return result;
}

}  // namespace OpenMMFlow
