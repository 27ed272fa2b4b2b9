#ifndef OPENMMFLOW_EXPRESSIONGRAPH_H_
#define OPENMMFLOW_EXPRESSIONGRAPH_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "lepton/ExpressionTreeNode.h"
#include "openmmflow/internal/ExpressionProgram.h"

namespace OpenMMFlow {

/**
 * Expressions as one graph in which equal parts are one node. A node is an instruction whose arguments are
 * the numbers of other nodes, all lower than its own.
 */
class ExpressionGraph {
public:
    using Node = ExpressionInstruction;

    /** The first nodes are the inputs. */
    ExpressionGraph(const std::vector<std::string>& inputs, const ExpressionTables& tables);
    /** Add an expression.
     * @return its node */
    int add(const Lepton::ExpressionTreeNode& tree);
    /**
     * Where several quantities are divided by powers of one node, multiply by powers of its reciprocal
     * instead.
     *
     * @param outputs   the nodes of the expressions; on exit, those in the graph that is returned
     */
    ExpressionGraph shareReciprocals(std::vector<int>& outputs) const;

    const std::vector<Node>& getNodes() const { return nodes; }
    const std::vector<std::shared_ptr<const ExpressionTable>>& getTables() const { return tables; }

private:
    using Operation = ExpressionOperation;
    using Key = std::tuple<Operation, std::array<int, 3>, std::array<std::uint64_t, 2>, int, int>;

    int intern(const Node& node);
    int addConstant(double k) { return intern({Operation::Constant, {-1, -1, -1}, {k, 0}}); }
    int addVariable(const std::string& name);
    int addTable(const Lepton::Operation& operation, const std::vector<int>& arguments);

    // Nodes for these, in their cheapest form.
    int sum(int a, int b);
    int difference(int a, int b);
    int product(int a, int b);
    int quotient(int a, int b);
    int negative(int a);
    int reciprocal(int a);
    int shifted(int a, double k);
    int scaled(int a, double k);
    int power(int a, double exponent);
    int integerPower(int base, int exponent);
    int function(Operation operation, int a, int b = -1, int c = -1) {
        return intern({operation, {a, b, c}});
    }

    bool is(int node, Operation operation) const { return nodes[node].operation == operation; }
    int argument(int node) const { return nodes[node].arguments[0]; }
    double constant(int node) const { return nodes[node].constants[0]; }
    /** A node as a positive power of another one that is no power itself. */
    std::pair<int, int> asPower(int node) const;

    const std::map<std::string, int> inputs;
    const ExpressionTables& functions;
    std::vector<Node> nodes;
    std::map<Key, int> numbers;
    std::vector<std::shared_ptr<const ExpressionTable>> tables;
    std::map<std::string, int> tableNumbers;
    /** The positive powers that there are of each node, and the reverse. */
    std::map<int, std::map<int, int>> powers;
    std::map<int, std::pair<int, int>> powersOf;
    /** What to divide by through a reciprocal. */
    std::set<int> sharedDenominators;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_EXPRESSIONGRAPH_H_*/
