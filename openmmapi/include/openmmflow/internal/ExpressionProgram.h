#ifndef OPENMMFLOW_EXPRESSIONPROGRAM_H_
#define OPENMMFLOW_EXPRESSIONPROGRAM_H_

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "lepton/ParsedExpression.h"
#include "openmmflow/internal/ExpressionTables.h"

namespace OpenMMFlow {

/** What an instruction computes from registers a, b, c and constants k, l. */
enum class ExpressionOperation {
    Input,     // only in graphs: a given value
    Constant,  // k
    Add,
    Subtract,
    Multiply,
    Divide,
    Negate,
    Reciprocal,
    AddConstant,               // a + k
    SubtractFromConstant,      // k - a
    MultiplyConstant,          // k a
    DivideConstant,            // k / a
    Linear,                    // k a + l
    MultiplyAdd,               // a b + c
    MultiplySubtract,          // a b - c
    NegateMultiplyAdd,         // c - a b
    MultiplyAddConstant,       // a b + k
    MultiplyConstantAdd,       // k a + b
    MultiplyConstantSubtract,  // k a - b
    Power,
    PowerConstant,  // a^k
    Sqrt,
    Exp,
    Log,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Atan2,
    Sinh,
    Cosh,
    Tanh,
    Erf,
    Erfc,
    Step,   // 1 if a >= 0, else 0
    Delta,  // 1 if a = 0, else 0
    Min,
    Max,
    Abs,
    Floor,
    Ceil,
    Select,      // b if a != 0, else c
    SelectStep,  // b if a >= 0, else c
    Table        // a tabulated function of a, b, c, or a derivative of it
};

struct ExpressionInstruction {
    ExpressionOperation operation;
    std::array<int, 3> arguments = {-1, -1, -1};
    std::array<double, 2> constants = {0, 0};
    /** Of Table: which one, and the argument with respect to which it is differentiated, or -1. */
    int table = -1, derivative = -1;
    int target = -1;
};

class ExpressionGraph;
struct HoistedExpressions;

/**
 * One or several expressions, parsed by Lepton, as a straight line of instructions on registers. Equal parts
 * are computed once, registers are used again after their last use, and the value of an expression is what
 * Lepton gives up to rounding.
 *
 * The i-th input is read from register i, which is never overwritten. An output may lie in the register of an
 * input or of another output.
 *
 * Integer powers become products, half-integer ones products of square roots (so that (-infinity)^0.5 is
 * NaN), and several divisions by powers of one quantity become products with powers of its reciprocal.
 */
class ExpressionProgram {
public:
    /**
     * @param outputs   the expressions
     * @param inputs    the names of the variables that they may use, in the order of the input registers
     * @param tables    the tabulated functions that they may call
     */
    ExpressionProgram(const std::vector<Lepton::ParsedExpression>& outputs,
                      const std::vector<std::string>& inputs, const ExpressionTables& tables = {});
    /**
     * Take out of several expressions what depends only on parameters, which are the same for many
     * evaluations.
     *
     * @param variables    the inputs that change from evaluation to evaluation
     * @param parameters   the inputs that do not
     */
    static HoistedExpressions hoist(const std::vector<Lepton::ParsedExpression>& outputs,
                                    const std::vector<std::string>& variables,
                                    const std::vector<std::string>& parameters,
                                    const ExpressionTables& tables = {});

    int getNumInputs() const { return numInputs; }
    int getNumOutputs() const { return (int)outputs.size(); }
    /** The register that holds the i-th output at the end. */
    int getOutputRegister(int i) const { return outputs.at(i); }
    int getNumRegisters() const { return numRegisters; }
    const std::vector<ExpressionInstruction>& getInstructions() const { return instructions; }
    const std::vector<std::shared_ptr<const ExpressionTable>>& getTables() const { return tables; }

private:
    /** From nodes that are given to nodes that are wanted. */
    ExpressionProgram(const ExpressionGraph& graph, const std::vector<int>& given,
                      const std::vector<int>& wanted);
    void allocateRegisters(const std::vector<int>& given, const std::vector<int>& wanted);

    int numInputs, numRegisters;
    std::vector<int> outputs;
    std::vector<ExpressionInstruction> instructions;
    std::vector<std::shared_ptr<const ExpressionTable>> tables;
};

/** Expressions in two parts, made by ExpressionProgram::hoist(). */
struct HoistedExpressions {
    /** From the parameters to what the other part needs of them. */
    ExpressionProgram parameters;
    /** From the variables, then the outputs of `parameters`, to the expressions. */
    ExpressionProgram variables;
};

/**
 * An expression and its derivatives, as the outputs of a program.
 *
 * @return the expression, then its derivative with respect to each variable, all of them optimized
 */
std::vector<Lepton::ParsedExpression> withDerivatives(const Lepton::ParsedExpression& expression,
                                                      const std::vector<std::string>& variables);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_EXPRESSIONPROGRAM_H_*/
