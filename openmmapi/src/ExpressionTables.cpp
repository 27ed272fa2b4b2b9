#include "openmmflow/internal/ExpressionTables.h"

#include "Quote.h"
#include "lepton/Exception.h"
#include "lepton/Parser.h"
#include "openmm/OpenMMException.h"
#include "openmm/internal/SplineFitter.h"
#include "openmm/reference/ReferenceTabulatedFunction.h"
#include "openmm/serialization/XmlSerializer.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

static vector<double> makeGrid(int numValues, double min, double max) {
    vector<double> grid(numValues);
    for (int i = 0; i < numValues; i++)
        grid[i] = min + i * (max - min) / (numValues - 1);
    return grid;
}

/** A cubic spline, given by values and second derivatives, as polynomials of the place in each cell. */
static vector<double> convertSpline(const vector<double>& x, const vector<double>& y,
                                    const vector<double>& curvature) {
    vector<double> coefficients;
    for (size_t i = 0; i + 1 < x.size(); i++) {
        const double h = (x[i + 1] - x[i]) * (x[i + 1] - x[i]) / 6, left = curvature[i],
                     right = curvature[i + 1];
        for (double c : {y[i], y[i + 1] - y[i] - h * (2 * left + right), 3 * h * left, h * (right - left)})
            coefficients.push_back(c);
    }
    return coefficients;
}

void ExpressionTable::setAxis(int axis, int numValues, double min, double max) {
    cells[axis] = continuous ? numValues - 1 : numValues;
    minimum[axis] = min;
    maximum[axis] = max;
}

ExpressionTable::ExpressionTable(const TabulatedFunction& function)
    : continuous(true), periodic(function.getPeriodic()) {
    array<int, 3> size;
    array<double, 3> min, max;
    if (auto* f = dynamic_cast<const Continuous1DFunction*>(&function)) {
        numArguments = 1;
        vector<double> values, curvature;
        f->getFunctionParameters(values, min[0], max[0]);
        setAxis(0, values.size(), min[0], max[0]);
        const vector<double> x = makeGrid(values.size(), min[0], max[0]);
        SplineFitter::createSpline(x, values, periodic, curvature);
        coefficients = convertSpline(x, values, curvature);
    } else if (auto* f = dynamic_cast<const Continuous2DFunction*>(&function)) {
        numArguments = 2;
        vector<double> values;
        vector<vector<double>> patches;
        f->getFunctionParameters(size[0], size[1], values, min[0], max[0], min[1], max[1]);
        for (int i = 0; i < numArguments; i++)
            setAxis(i, size[i], min[i], max[i]);
        SplineFitter::create2DSpline(makeGrid(size[0], min[0], max[0]), makeGrid(size[1], min[1], max[1]),
                                     values, periodic, patches);
        // OpenMM lets the power of y run fastest here, but that of x in three dimensions.
        for (const vector<double>& patch : patches)
            for (int b = 0; b < 4; b++)
                for (int a = 0; a < 4; a++)
                    coefficients.push_back(patch[4 * a + b]);
    } else if (auto* f = dynamic_cast<const Continuous3DFunction*>(&function)) {
        numArguments = 3;
        vector<double> values;
        vector<vector<double>> patches;
        f->getFunctionParameters(size[0], size[1], size[2], values, min[0], max[0], min[1], max[1], min[2],
                                 max[2]);
        for (int i = 0; i < numArguments; i++)
            setAxis(i, size[i], min[i], max[i]);
        SplineFitter::create3DSpline(makeGrid(size[0], min[0], max[0]), makeGrid(size[1], min[1], max[1]),
                                     makeGrid(size[2], min[2], max[2]), values, periodic, patches);
        for (const vector<double>& patch : patches)
            coefficients.insert(coefficients.end(), patch.begin(), patch.end());
    } else {
        continuous = periodic = false;
        if (auto* f = dynamic_cast<const Discrete1DFunction*>(&function)) {
            numArguments = 1;
            f->getFunctionParameters(coefficients);
            size[0] = coefficients.size();
        } else if (auto* f = dynamic_cast<const Discrete2DFunction*>(&function)) {
            numArguments = 2;
            f->getFunctionParameters(size[0], size[1], coefficients);
        } else if (auto* f = dynamic_cast<const Discrete3DFunction*>(&function)) {
            numArguments = 3;
            f->getFunctionParameters(size[0], size[1], size[2], coefficients);
        } else
            throw OpenMMException(
                "A tabulated function must be one of OpenMM's Continuous or Discrete ones.");
        for (int i = 0; i < numArguments; i++)
            setAxis(i, size[i], 0, size[i] - 1);
    }
}

/** Whether OpenMM evaluates a discrete function where it has no value, which depends on the version. */
static bool isDefinedOutside(const Lepton::CustomFunction& function) {
    const double before[3] = {-2, -2, -2};
    try {
        function.evaluate(before);
        return true;
    } catch (const exception&) {
        return false;
    }
}

void ExpressionTables::add(const string& name, const TabulatedFunction& function) {
    // OpenMM's adapter refers to the function that it is made from, so it gets one that lives as long. It is
    // not from Copy(), which forgets that a function is periodic (OpenMM 8.6).
    struct Adapter {
        unique_ptr<TabulatedFunction> function;
        unique_ptr<Lepton::CustomFunction> adapter;
    };
    auto adapter = make_shared<Adapter>();
    adapter->function.reset(XmlSerializer::clone(function));
    adapter->adapter.reset(createReferenceTabulatedFunction(*adapter->function));
    auto table = make_shared<ExpressionTable>(function);
    if (!table->continuous)
        table->clamped = isDefinedOutside(*adapter->adapter);
    entries[name] = {table, make_shared<SharedFunctionWrapper>(
                                shared_ptr<const Lepton::CustomFunction>(adapter, adapter->adapter.get()))};
}

shared_ptr<const ExpressionTable> ExpressionTables::find(const string& name) const {
    const auto entry = entries.find(name);
    return entry == entries.end() ? nullptr : entry->second.table;
}

map<string, Lepton::CustomFunction*> ExpressionTables::getFunctions() const {
    map<string, Lepton::CustomFunction*> functions;
    for (const auto& [name, entry] : entries)
        functions[name] = entry.function.get();
    return functions;
}

Lepton::ParsedExpression ExpressionTables::parse(const string& expression) const {
    try {
        return Lepton::Parser::parse(expression, getFunctions()).optimize();
    } catch (const Lepton::Exception& e) {
        // Lepton repeats the expression, which may be long: what is wrong comes after it.
        const string message = e.what(), prefix = "Parse error in expression \"" + expression + "\": ";
        throw OpenMMException("The expression " + quote(expression) + " cannot be understood, correct it: "
                              + (message.starts_with(prefix) ? message.substr(prefix.size()) : message)
                              + ".");
    }
}

}  // namespace OpenMMFlow
