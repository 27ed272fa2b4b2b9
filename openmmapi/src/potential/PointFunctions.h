#ifndef OPENMMFLOW_POINTFUNCTIONS_H_
#define OPENMMFLOW_POINTFUNCTIONS_H_

#include <string>
#include <vector>

#include "lepton/ParsedExpression.h"
#include "openmmflow/internal/PotentialModel.h"

namespace OpenMMFlow {

/** A geometric variable of an expression, and what it is called there. */
struct NamedVariable {
    std::string name;
    PotentialModel::CustomVariable variable;
};

/**
 * Replace the functions pointdistance, pointangle and pointdihedral, which OpenMM's Forces call with the
 * coordinates x1, y1, z1, x2, ..., by variables of their own where all of their arguments are particles, else
 * by expressions.
 *
 * @param expression   on exit, an expression that uses only the variables returned, and parameters
 * @return all geometric variables of the expression, each once
 */
std::vector<NamedVariable> replacePointFunctions(Lepton::ParsedExpression& expression);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_POINTFUNCTIONS_H_*/
