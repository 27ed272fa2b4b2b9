#include "CustomExpressions.h"

#include "shared/DoubleExpressionMachine.h"

using namespace std;

namespace OpenMMFlow {

struct CustomExpression::Parameters {
    explicit Parameters(const ExpressionProgram& program)
        : machine(program), registers(machine.getNumReals(1) + 1) {}
    shared::ExpressionMachine machine;
    vector<double> registers;
};

CustomExpression::CustomExpression(const Lepton::ParsedExpression& expression,
                                   const vector<string>& variables, const vector<string>& differentiated,
                                   const vector<string>& parameterNames, const ExpressionTables& tables) {
    HoistedExpressions hoisted = ExpressionProgram::hoist(withDerivatives(expression, differentiated),
                                                          variables, parameterNames, tables);
    parameters = make_shared<Parameters>(hoisted.parameters);
    program = make_shared<ExpressionProgram>(std::move(hoisted.variables));
}

int CustomExpression::getNumParameters() const {
    return parameters->machine.getProgram().getNumOutputs();
}

void CustomExpression::evaluateParameters(const vector<double>& values, vector<double>& result) {
    copy(values.begin(), values.end(), parameters->registers.begin());
    parameters->machine.evaluate(parameters->registers.data(), 1);
    for (int i = 0; i < getNumParameters(); i++)
        result.push_back(parameters->registers[parameters->machine.getProgram().getOutputRegister(i)]);
}

double evaluateOnce(const ExpressionProgram& program, const vector<double>& inputs) {
    const shared::ExpressionMachine machine(program);
    vector<double> registers(machine.getNumReals(1) + 1);
    copy(inputs.begin(), inputs.end(), registers.begin());
    machine.evaluate(registers.data(), 1);
    return registers[program.getOutputRegister(0)];
}

}  // namespace OpenMMFlow
