// Prints the floating-point operations that BatchedPotential spends on the energy and forces of one
// configuration: the very loops of platforms/shared, on numbers that count. A sum, product, quotient, root or
// absolute value is one operation; an exponential or a logarithm as many as its polynomial in
// platforms/cpu/src/lanes/Lanes.h has (18, 27), any other function
// 20. Usage: operations SYSTEM.xml POSITIONS, the first of POSITIONS being used.

#include <OpenMM.h>
#include <OpenMMFlow.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <memory>
#include <vector>

#include "openmmflow/internal/ExpressionProgram.h"
#include "openmmflow/internal/PotentialTranslator.h"

namespace OpenMMFlow {
namespace counting {

long operations = 0;

struct real {
    double v;
    real() = default;
    real(double v) : v(v) {}
};
using Scalar = double;
constexpr int LANES = 1;

double count(long number, double result) {
    operations += number;
    return result;
}
real operator+(real a, real b) {
    return count(1, a.v + b.v);
}
real operator-(real a, real b) {
    return count(1, a.v - b.v);
}
real operator*(real a, real b) {
    return count(1, a.v * b.v);
}
real operator/(real a, real b) {
    return count(1, a.v / b.v);
}
real operator-(real a) {
    return -a.v;
}
bool operator<(real a, real b) {
    return a.v < b.v;
}
bool operator>(real a, real b) {
    return a.v > b.v;
}
bool operator>=(real a, real b) {
    return a.v >= b.v;
}
bool operator==(real a, real b) {
    return a.v == b.v;
}
real SELECT(bool condition, real a, real b) {
    return condition ? a : b;
}
Scalar* LANE_VALUES(real& x) {
    return &x.v;
}
#define FUNCTION(NAME, name, number)          \
    real NAME(real x) {                       \
        return count(number, std::name(x.v)); \
    }
FUNCTION(EXP, exp, 18)
FUNCTION(FULL_EXP, exp, 18)
FUNCTION(LOG, log, 27)
FUNCTION(LOG_NORMAL, log, 27)
FUNCTION(SQRT, sqrt, 1)
FUNCTION(FABS, fabs, 1)
real RECIP(real x) {
    return count(1, 1 / x.v);
}
real RSQRT(real x) {
    return count(2, 1 / std::sqrt(x.v));
}
FUNCTION(FLOOR, floor, 1)
FUNCTION(SIN, sin, 20)
FUNCTION(COS, cos, 20)
FUNCTION(TAN, tan, 20)
FUNCTION(ASIN, asin, 20)
FUNCTION(ACOS, acos, 20)
FUNCTION(ATAN, atan, 20)
FUNCTION(SINH, sinh, 20)
FUNCTION(COSH, cosh, 20)
FUNCTION(TANH, tanh, 20)
FUNCTION(ERF, erf, 20)
FUNCTION(ERFC, erfc, 20)
real POW(real x, real y) {
    return count(45, std::pow(x.v, y.v));
}
real ATAN2(real y, real x) {
    return count(20, std::atan2(y.v, x.v));
}
real gather(const double* table, real index) {
    return table[(size_t)index.v];
}
struct WideSum {
    double sum = 0;
    void add(real x) { sum = count(1, sum + x.v); }
};

#define DEVICE [[maybe_unused]] static inline
#include "shared/real3.h"

#include "shared/internalCoordinates.cc"
#include "shared/potentialTerms.cc"
#include "shared/virtualSites.cc"
#undef DEVICE
#include "shared/expressionMachine.cc"
// After all of them.
#include "shared/PotentialEvaluator.h"

}  // namespace counting
}  // namespace OpenMMFlow

int main(int argc, char** argv) {
    if (argc != 3)
        return std::fputs("Usage: operations SYSTEM.xml POSITIONS\n", stderr), 1;
    using namespace OpenMMFlow::counting;
    std::ifstream xml(argv[1]), raw(argv[2], std::ios::binary);
    const std::unique_ptr<OpenMM::System> system(OpenMM::XmlSerializer::deserialize<OpenMM::System>(xml));
    std::vector<real3> positions(system->getNumParticles()),
        forces(positions.size(), make_real3(0.0, 0.0, 0.0));
    raw.read((char*)positions.data(), positions.size() * sizeof(real3));
    const OpenMMFlow::PotentialModel model = OpenMMFlow::translatePotential(*system, {});
    PotentialEvaluator evaluator(model);
    WideSum energy;
    operations = 0;
    evaluator.evaluate<true>(positions.data(), forces.data(), energy);
    std::printf("%ld\n", operations);
}
