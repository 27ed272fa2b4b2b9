#ifndef OPENMMFLOW_WIDESUM_H_
#define OPENMMFLOW_WIDESUM_H_

#include "WideLanes.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

/** table[index] for each lane; the first number for an index that is not a number. */
inline Lanes gather(const double* table, Lanes index) {
    Vector result;
    for (int i = 0; i < LANES; i++)
        result[i] = (Scalar)table[index.v[i] >= 0 ? (std::size_t)index.v[i] : 0];
    return result;
}

/** A sum in double precision, whatever the lanes have: energies are small differences of many large terms. */
class WideSum {
public:
    WideSum() : sum(0.0) {}
    void add(Lanes x) { add(wide::WideLanes(x)); }
    void add(wide::WideLanes x) { sum = sum + x; }
    void add(int lane, double x) { wide::setLane(sum, lane, get(lane) + x); }
    double get(int lane) const { return wide::getLane(sum, lane); }

private:
    wide::WideLanes sum;
};

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_WIDESUM_H_*/
