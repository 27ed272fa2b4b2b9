#ifndef OPENMMFLOW_WIDELANES_H_
#define OPENMMFLOW_WIDELANES_H_

#include <cstring>
#include <type_traits>

#include "Lanes.h"

/** Numbers in double precision for as many samples as Lanes have, whatever the precision of these. */
namespace OpenMMFlow {
namespace LANE_NAMESPACE {
namespace wide {

constexpr int PART_LANES = LANE_BYTES / sizeof(double), PARTS = LANES / PART_LANES;
typedef double Part __attribute__((vector_size(LANE_BYTES)));
typedef Scalar NarrowPart __attribute__((vector_size(LANE_BYTES / PARTS)));
using PartMask = decltype(Part{} < Part{});

/** True or false for each of LANES samples. */
struct Mask {
    PartMask parts[PARTS];
};

/** A number for each of LANES samples. */
struct WideLanes {
    Part parts[PARTS];
    WideLanes() = default;
    WideLanes(double s) {
        for (Part& part : parts)
            part = s - Part{};
    }
    explicit WideLanes(Lanes x) {
        NarrowPart narrow[PARTS];
        std::memcpy(narrow, &x.v, sizeof(narrow));
        for (int i = 0; i < PARTS; i++)
            parts[i] = __builtin_convertvector(narrow[i], Part);
    }
    explicit operator Lanes() const {
        NarrowPart narrow[PARTS];
        for (int i = 0; i < PARTS; i++)
            narrow[i] = __builtin_convertvector(parts[i], NarrowPart);
        Vector result;
        std::memcpy(&result, narrow, sizeof(result));
        return result;
    }
};
static_assert(sizeof(WideLanes) == LANES * sizeof(double), "ParticleLayout takes lanes for an array");

/** function(part of a, ...) for each part. */
template <class Function, class... Arguments>
[[gnu::always_inline]] inline auto forParts(const Function& function, const Arguments&... arguments) {
    using Result = decltype(function(arguments.parts[0]...));
    std::conditional_t<std::is_same_v<Result, Part>, WideLanes, Mask> result;
    for (int i = 0; i < PARTS; i++)
        result.parts[i] = function(arguments.parts[i]...);
    return result;
}

inline WideLanes operator+(WideLanes a, WideLanes b) {
    return forParts([](Part x, Part y) { return x + y; }, a, b);
}
inline WideLanes operator-(WideLanes a, WideLanes b) {
    return forParts([](Part x, Part y) { return x - y; }, a, b);
}
inline WideLanes operator*(WideLanes a, WideLanes b) {
    return forParts([](Part x, Part y) { return x * y; }, a, b);
}
inline WideLanes operator/(WideLanes a, WideLanes b) {
    return forParts([](Part x, Part y) { return x / y; }, a, b);
}
inline WideLanes operator-(WideLanes a) {
    return forParts([](Part x) { return -x; }, a);
}
inline Mask operator<(WideLanes a, WideLanes b) {
    return forParts([](Part x, Part y) { return x < y; }, a, b);
}
inline Mask operator>(WideLanes a, WideLanes b) {
    return forParts([](Part x, Part y) { return x > y; }, a, b);
}
inline Mask operator>=(WideLanes a, WideLanes b) {
    return forParts([](Part x, Part y) { return x >= y; }, a, b);
}
inline WideLanes SELECT(Mask condition, WideLanes a, WideLanes b) {
    return forParts([](PartMask c, Part x, Part y) { return c ? x : y; }, condition, a, b);
}
inline WideLanes FABS(WideLanes a) {
    return forParts([](Part x) { return (Part)((PartMask)x & ~(PartMask)(-0.0 - Part{})); }, a);
}

template <double (*FUNCTION)(double)>
inline WideLanes applyToEach(WideLanes a) {
    for (Part& part : a.parts)
        for (int lane = 0; lane < PART_LANES; lane++)
            part[lane] = FUNCTION(part[lane]);
    return a;
}

#ifdef LANE_WIDE_FUNCTION_PREFIX
#define LANE_WIDE_UNARY(name) LANE_EXPAND(LANE_WIDE_FUNCTION_PREFIX, v_, name, )
#define LANE_WIDE_BINARY(name) LANE_EXPAND(LANE_WIDE_FUNCTION_PREFIX, vv_, name, )
extern "C" {
Part LANE_WIDE_UNARY(exp)(Part);
Part LANE_WIDE_UNARY(log)(Part);
Part LANE_WIDE_UNARY(sin)(Part);
Part LANE_WIDE_UNARY(cos)(Part);
Part LANE_WIDE_BINARY(atan2)(Part, Part);
}
inline WideLanes EXP(WideLanes a) {
    return forParts([](Part x) { return LANE_WIDE_UNARY(exp)(x); }, a);
}
inline WideLanes LOG(WideLanes a) {
    return forParts([](Part x) { return LANE_WIDE_UNARY(log)(x); }, a);
}
inline WideLanes SIN(WideLanes a) {
    return forParts([](Part x) { return LANE_WIDE_UNARY(sin)(x); }, a);
}
inline WideLanes COS(WideLanes a) {
    return forParts([](Part x) { return LANE_WIDE_UNARY(cos)(x); }, a);
}
inline WideLanes ATAN2(WideLanes y, WideLanes x) {
    return forParts([](Part a, Part b) { return LANE_WIDE_BINARY(atan2)(a, b); }, y, x);
}
#else
inline WideLanes EXP(WideLanes a) {
    return applyToEach<std::exp>(a);
}
inline WideLanes LOG(WideLanes a) {
    return applyToEach<std::log>(a);
}
inline WideLanes SIN(WideLanes a) {
    return applyToEach<std::sin>(a);
}
inline WideLanes COS(WideLanes a) {
    return applyToEach<std::cos>(a);
}
inline WideLanes ATAN2(WideLanes y, WideLanes x) {
    for (int i = 0; i < PARTS; i++)
        for (int lane = 0; lane < PART_LANES; lane++)
            y.parts[i][lane] = std::atan2(y.parts[i][lane], x.parts[i][lane]);
    return y;
}
#endif
inline WideLanes LOG_NORMAL(WideLanes a) {
    return LOG(a);
}

#if defined(__AVX512F__)
inline WideLanes SQRT(WideLanes a) {
    return forParts([](Part x) { return (Part)_mm512_sqrt_pd((__m512d)x); }, a);
}
inline WideLanes FLOOR(WideLanes a) {
    return forParts([](Part x) { return (Part)_mm512_roundscale_pd((__m512d)x, _MM_FROUND_TO_NEG_INF); }, a);
}
#elif defined(__AVX2__)
inline WideLanes SQRT(WideLanes a) {
    return forParts([](Part x) { return (Part)_mm256_sqrt_pd((__m256d)x); }, a);
}
inline WideLanes FLOOR(WideLanes a) {
    return forParts([](Part x) { return (Part)_mm256_floor_pd((__m256d)x); }, a);
}
#else
inline WideLanes SQRT(WideLanes a) {
    return applyToEach<std::sqrt>(a);
}
inline WideLanes FLOOR(WideLanes a) {
    return applyToEach<std::floor>(a);
}
#endif
inline WideLanes RECIP(WideLanes a) {
    return WideLanes(1.0) / a;
}
inline WideLanes RSQRT(WideLanes a) {
    return WideLanes(1.0) / SQRT(a);
}

/** One lane of a number in either precision. */
inline double getLane(const Lanes& x, int lane) {
    return x.v[lane];
}
inline double getLane(const WideLanes& x, int lane) {
    return x.parts[lane / PART_LANES][lane % PART_LANES];
}
inline void setLane(Lanes& x, int lane, double value) {
    x.v[lane] = (Scalar)value;
}
inline void setLane(WideLanes& x, int lane, double value) {
    x.parts[lane / PART_LANES][lane % PART_LANES] = value;
}

}  // namespace wide
}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_WIDELANES_H_*/
