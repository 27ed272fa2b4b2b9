#ifndef OPENMMFLOW_WIDESUM_H_
#define OPENMMFLOW_WIDESUM_H_

#include <cstring>

#include "Lanes.h"

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
    WideSum() : sums{} {}
    void add(Lanes x) {
        if constexpr (sizeof(Scalar) == 8)
            sums[0] += reinterpret<Wide>(x.v);
        else {
            const Halves halves = reinterpret<Halves>(x.v);
            sums[0] += __builtin_convertvector(halves.low, Wide);
            sums[PARTS - 1] += __builtin_convertvector(halves.high, Wide);
        }
    }
    void add(int lane, double x) { sums[lane / WIDE_LANES][lane % WIDE_LANES] += x; }
    double get(int lane) const { return sums[lane / WIDE_LANES][lane % WIDE_LANES]; }

private:
    static constexpr int WIDE_LANES = LANE_BYTES / sizeof(double), PARTS = LANES / WIDE_LANES;
    typedef double Wide __attribute__((vector_size(LANE_BYTES)));
    typedef float Half __attribute__((vector_size(LANE_BYTES / 2)));
    struct Halves {
        Half low, high;
    };
    template <class To>
    static To reinterpret(Vector from) {
        To to;
        static_assert(sizeof(to) == sizeof(from));
        std::memcpy(&to, &from, sizeof(to));
        return to;
    }
    Wide sums[PARTS];
};

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_WIDESUM_H_*/
