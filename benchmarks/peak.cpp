// Prints the single-precision multiply-add rate that one core reaches now, in GFLOP/s, or, with --clock, its
// clock in GHz: the best of some short runs.

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

// With the two factors they must fit into the 16 registers of AVX2.
constexpr int CHAINS = 12;
constexpr long ROUNDS = 3000000;

#define MEASURE(name, features, vector, lanes, set, multiplyAdd)                                      \
    __attribute__((target(features))) double name() {                                                 \
        vector a[CHAINS], m = set(0.999f), c = set(1e-3f);                                            \
        for (int j = 0; j < CHAINS; j++) {                                                            \
            a[j] = set(1.0f + j);                                                                     \
            asm volatile("" : "+v"(a[j]));                                                            \
        }                                                                                             \
        const auto start = std::chrono::steady_clock::now();                                          \
        for (long i = 0; i < ROUNDS; i++) {                                                           \
            _Pragma("GCC unroll 12") for (int j = 0; j < CHAINS; j++) a[j] = multiplyAdd(a[j], m, c); \
        }                                                                                             \
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;          \
        for (int j = 0; j < CHAINS; j++)                                                              \
            asm volatile("" : : "v"(a[j]));                                                           \
        return 2.0 * lanes * CHAINS * ROUNDS / time.count() / 1e9;                                    \
    }

MEASURE(measureAvx512, "avx512f", __m512, 16, _mm512_set1_ps, _mm512_fmadd_ps)
MEASURE(measureAvx2, "avx2,fma", __m256, 8, _mm256_set1_ps, _mm256_fmadd_ps)

/** Additions that wait for each other take a cycle each. */
double measureClock() {
    const auto start = std::chrono::steady_clock::now();
    const long rounds = ROUNDS / 30;
    long x = 0;
    for (long i = 0; i < rounds; i++)
        asm volatile(
            "add $1, %0; add $1, %0; add $1, %0; add $1, %0; add $1, %0; add $1, %0; add $1, %0; add $1, %0"
            : "+r"(x));
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    return 8.0 * rounds / time.count() / 1e9;
}

}  // namespace

int main(int argc, char** argv) {
    const bool isClock = argc > 1 && std::strcmp(argv[1], "--clock") == 0;
    const int runs = argc > 1 && !isClock ? std::atoi(argv[1]) : 20;
    double best = 0;
    for (int i = 0; i < runs; i++)
        best = std::max(best, isClock                             ? measureClock()
                              : __builtin_cpu_supports("avx512f") ? measureAvx512()
                                                                  : measureAvx2());
    std::printf(isClock ? "%.3f\n" : "%.1f\n", best);
}
