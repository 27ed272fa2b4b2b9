#include "PointFunctions.h"

#include <cctype>
#include <map>

#include "lepton/ExpressionTreeNode.h"
#include "lepton/Operation.h"
#include "lepton/Parser.h"

using namespace std;
using Lepton::ExpressionTreeNode;

namespace OpenMMFlow {

namespace {

using Variable = PotentialModel::CustomVariable;

/** The particle whose coordinate along an axis a variable such as "x3" is, or -1. */
int findParticle(const string& name, char axis) {
    if (name.size() < 2 || name[0] != axis)
        return -1;
    for (size_t i = 1; i < name.size(); i++)
        if (!isdigit((unsigned char)name[i]))
            return -1;
    return stoi(name.substr(1)) - 1;
}

bool isVariable(const ExpressionTreeNode& node) {
    return node.getOperation().getId() == Lepton::Operation::VARIABLE;
}

/** The particles that the arguments of a point function are, or nothing if any is not. */
vector<int> findParticles(const vector<ExpressionTreeNode>& arguments) {
    vector<int> particles;
    for (size_t i = 0; i < arguments.size(); i++) {
        const int particle =
            isVariable(arguments[i]) ? findParticle(arguments[i].getOperation().getName(), "xyz"[i % 3]) : -1;
        if (particle < 0 || (i % 3 > 0 && particle != particles.back()))
            return {};
        if (i % 3 == 0)
            particles.push_back(particle);
    }
    return particles;
}

ExpressionTreeNode substitute(const ExpressionTreeNode& node, const map<string, ExpressionTreeNode>& values) {
    if (isVariable(node)) {
        const auto value = values.find(node.getOperation().getName());
        return value == values.end() ? node : value->second;
    }
    vector<ExpressionTreeNode> children;
    for (const ExpressionTreeNode& child : node.getChildren())
        children.push_back(substitute(child, values));
    return ExpressionTreeNode(node.getOperation().clone(), children);
}

struct PointFunction {
    Variable::Kind kind;
    /** Of points a, b, c, d with coordinates ax, ay, ... */
    const char* definition;
};

const map<string, PointFunction> POINT_FUNCTIONS = {
    {"pointdistance", {Variable::Distance, "sqrt((ax-bx)^2+(ay-by)^2+(az-bz)^2)"}},
    {"pointangle",
     {Variable::Angle,
      "atan2(sqrt((uy*vz-uz*vy)^2+(uz*vx-ux*vz)^2+(ux*vy-uy*vx)^2), ux*vx+uy*vy+uz*vz);"
      "ux=ax-bx; uy=ay-by; uz=az-bz; vx=cx-bx; vy=cy-by; vz=cz-bz"}},
    {"pointdihedral",
     {Variable::Torsion,
      "atan2(sqrt(vx^2+vy^2+vz^2)*(ux*nx+uy*ny+uz*nz), mx*nx+my*ny+mz*nz);"
      "mx=uy*vz-uz*vy; my=uz*vx-ux*vz; mz=ux*vy-uy*vx; nx=vy*wz-vz*wy; ny=vz*wx-vx*wz; nz=vx*wy-vy*wx;"
      "ux=bx-ax; uy=by-ay; uz=bz-az; vx=cx-bx; vy=cy-by; vz=cz-bz; wx=dx-cx; wy=dy-cy; wz=dz-cz"}}};

class Replacement {
public:
    ExpressionTreeNode replace(const ExpressionTreeNode& node) {
        const string& name = node.getOperation().getName();
        if (isVariable(node)) {
            for (int axis = 0; axis < 3; axis++)
                if (const int particle = findParticle(name, "xyz"[axis]); particle >= 0)
                    variables.insert({name, {(Variable::Kind)(Variable::X + axis), {particle, 0, 0, 0}}});
            return node;
        }
        const auto function = POINT_FUNCTIONS.find(name);
        const bool isPointFunction =
            node.getOperation().getId() == Lepton::Operation::CUSTOM && function != POINT_FUNCTIONS.end();
        if (isPointFunction) {
            const vector<int> particles = findParticles(node.getChildren());
            if (!particles.empty()) {
                string variable = name;
                Variable geometric{function->second.kind, {0, 0, 0, 0}};
                for (size_t i = 0; i < particles.size(); i++) {
                    variable += "_" + to_string(particles[i]);
                    geometric.particles[i] = particles[i];
                }
                variables.insert({variable, geometric});
                return ExpressionTreeNode(new Lepton::Operation::Variable(variable));
            }
        }
        vector<ExpressionTreeNode> children;
        for (const ExpressionTreeNode& child : node.getChildren())
            children.push_back(replace(child));
        if (!isPointFunction)
            return ExpressionTreeNode(node.getOperation().clone(), children);
        map<string, ExpressionTreeNode> points;
        for (size_t i = 0; i < children.size(); i++)
            points.insert({string(1, "abcd"[i / 3]) + "xyz"[i % 3], children[i]});
        return substitute(Lepton::Parser::parse(function->second.definition).getRootNode(), points);
    }
    map<string, Variable> variables;
};

}  // namespace

vector<NamedVariable> replacePointFunctions(Lepton::ParsedExpression& expression) {
    Replacement replacement;
    expression = Lepton::ParsedExpression(replacement.replace(expression.getRootNode())).optimize();
    vector<NamedVariable> variables;
    for (const auto& [name, variable] : replacement.variables)
        variables.push_back({name, variable});
    return variables;
}

}  // namespace OpenMMFlow
