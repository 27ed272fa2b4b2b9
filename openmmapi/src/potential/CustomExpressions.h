#ifndef OPENMMFLOW_CUSTOMEXPRESSIONS_H_
#define OPENMMFLOW_CUSTOMEXPRESSIONS_H_

#include <memory>
#include <string>
#include <vector>

#include "Translations.h"
#include "openmmflow/internal/ExpressionProgram.h"

namespace OpenMMFlow {

/** The global parameters of a custom Force: they are the same in all of its terms. */
template <class ForceType>
void getGlobalParameters(const ForceType& force, const Parameters& parameters,
                         std::vector<std::string>& names, std::vector<double>& values) {
    for (int i = 0; i < force.getNumGlobalParameters(); i++) {
        names.push_back(force.getGlobalParameterName(i));
        values.push_back(parameters.at(names.back()));
    }
}

/**
 * An expression and its derivatives, without all that depends on parameters only: that is evaluated here,
 * once for each term.
 */
class CustomExpression {
public:
    /**
     * @param variables         what changes with the positions
     * @param differentiated    those of the variables that derivatives are wanted for
     * @param parameters        the names of the parameters of a term
     */
    CustomExpression(const Lepton::ParsedExpression& expression, const std::vector<std::string>& variables,
                     const std::vector<std::string>& differentiated,
                     const std::vector<std::string>& parameters, const ExpressionTables& tables);
    /** From the variables, then what evaluateParameters() gives. */
    std::shared_ptr<const ExpressionProgram> getProgram() const { return program; }
    int getNumParameters() const;
    /** Append what the program needs of a term with these parameters. */
    void evaluateParameters(const std::vector<double>& values, std::vector<double>& result);

private:
    struct Parameters;
    std::shared_ptr<const ExpressionProgram> program;
    std::shared_ptr<Parameters> parameters;
};

/** Evaluate the first output of a program. */
double evaluateOnce(const ExpressionProgram& program, const std::vector<double>& inputs);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CUSTOMEXPRESSIONS_H_*/
