#ifndef OPENMMFLOW_EXPRESSIONTABLES_H_
#define OPENMMFLOW_EXPRESSIONTABLES_H_

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lepton/CustomFunction.h"
#include "lepton/ParsedExpression.h"
#include "openmm/TabulatedFunction.h"

namespace OpenMMFlow {

/**
 * An OpenMM TabulatedFunction of one to three arguments, prepared for evaluation: on a grid of equal cells, a
 * cubic polynomial of the place in the cell along each axis (the splines that OpenMM fits), or a table of
 * values at whole numbers. Unused axes have one cell.
 *
 * Outside of its range a continuous function is 0, unless it is periodic. A discrete one has the nearest
 * value there; with versions of OpenMM that throw an exception instead it is NaN.
 */
struct ExpressionTable {
    explicit ExpressionTable(const OpenMM::TabulatedFunction& function);

    int numArguments;
    bool continuous, periodic;
    /** Whether a discrete function has the nearest value outside of its range. */
    bool clamped = true;
    /** Along each axis: the number of cells (of values, for a discrete function) and the range. */
    std::array<int, 3> cells = {1, 1, 1};
    std::array<double, 3> minimum = {0, 0, 0}, maximum = {1, 1, 1};
    /**
     * Discrete: values[i + cells[0]*(j + cells[1]*k)]. Continuous: in the same order of cells, for each
     * 4^numArguments coefficients, of x^a y^b z^c at a + 4*b + 16*c, where x, y and z go from 0 to 1 in a
     * cell.
     */
    std::vector<double> coefficients;

private:
    void setAxis(int axis, int numValues, double min, double max);
};

/**
 * The tabulated functions that expressions may call, by name: what Lepton needs to parse an expression, and
 * what an ExpressionProgram needs to evaluate it.
 */
class ExpressionTables {
public:
    /** No functions. */
    ExpressionTables() = default;
    /** Those of an OpenMM Force. The Force may be deleted afterwards. */
    template <class Force>
    explicit ExpressionTables(const Force& force) {
        for (int i = 0; i < force.getNumTabulatedFunctions(); i++)
            add(force.getTabulatedFunctionName(i), force.getTabulatedFunction(i));
    }
    void add(const std::string& name, const OpenMM::TabulatedFunction& function);
    /** A function, or null if there is none of this name. */
    std::shared_ptr<const ExpressionTable> find(const std::string& name) const;
    /** What Lepton::Parser::parse() takes. The pointers stay valid for as long as this object. */
    std::map<std::string, Lepton::CustomFunction*> getFunctions() const;
    /** Parse an expression that may call these functions, and optimize it, as OpenMM's Forces do. */
    Lepton::ParsedExpression parse(const std::string& expression) const;

private:
    struct Entry {
        std::shared_ptr<const ExpressionTable> table;
        std::shared_ptr<Lepton::CustomFunction> function;
    };
    std::map<std::string, Entry> entries;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_EXPRESSIONTABLES_H_*/
