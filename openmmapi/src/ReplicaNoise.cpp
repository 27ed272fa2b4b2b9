#include "ReplicaNoise.h"

#include <algorithm>
#include <cmath>

// The noise of 22 atoms takes as long as a fifth of their forces, and five times that unless it is
// vectorised. So this file is compiled with fast maths, without which the compiler does not know glibc's
// vector functions, and its loops once for each instruction set. All that happens here is finite.
#ifdef OPENMMFLOW_VECTOR_CLONES
#define VECTORIZED __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define VECTORIZED
#endif

namespace OpenMMFlow {

using shared::NoiseStream;

namespace {

using real = double;
#define LOG std::log
#define SQRT std::sqrt
#define SIN std::sin
#define COS std::cos
#define DEVICE [[gnu::always_inline]] inline
#include "shared/boxMuller.cc"
#undef DEVICE

/** Pairs of numbers that are drawn at once, and the largest number of lanes: the compiler's loops leave no
 * rest, whose last bits would be others. */
const int MAX_PAIRS = 64, MAX_LANES = 8;

}  // namespace

/** shared::uniformPair for successive blocks, in words of 32 bits: there are no vector instructions that
 * convert longer ones. */
VECTORIZED static void drawUniforms(uint64_t key, uint64_t step, uint32_t stream, uint32_t first, int pairs,
                                    double* __restrict u, double* __restrict v) {
    uint32_t words[4][MAX_PAIRS];
    for (int i = 0; i < pairs; i++) {
        const r123::Philox4x32::ctr_type counter = {
            {(uint32_t)step, (uint32_t)(step >> 32), first + (uint32_t)i, stream}};
        const r123::Philox4x32::key_type philoxKey = {{(uint32_t)key, (uint32_t)(key >> 32)}};
        const r123::Philox4x32::ctr_type bits = r123::Philox4x32()(counter, philoxKey);
        words[0][i] = bits[0];
        words[1][i] = bits[1];
        words[2][i] = bits[2];
        words[3][i] = bits[3];
    }
    auto toUniforms = [pairs](const uint32_t* high, const uint32_t* low, double* result) {
        for (int i = 0; i < pairs; i++)
            result[i] =
                ((double)(int32_t)(high[i] >> 16) * 0x1p36 + (double)(int32_t)(high[i] & 0xffff) * 0x1p20
                 + (double)(int32_t)(low[i] >> 12) + 0.5)
                * 0x1p-52;
    };
    toUniforms(words[0], words[1], u);
    toUniforms(words[2], words[3], v);
}

VECTORIZED static void transform(const double* __restrict u, const double* __restrict v, int pairs,
                                 double* __restrict first, double* __restrict second) {
    // Apart, because the compiler joins sine and cosine into one function that has no vector version.
    for (int i = 0; i < pairs; i++)
        first[i] = boxMuller(u[i], v[i]).first;
    for (int i = 0; i < pairs; i++)
        second[i] = boxMuller(u[i], v[i]).second;
}

uint64_t makeReplicaKey(uint64_t seed, uint64_t replica, NoiseStream stream) {
    const shared::UniformPair pair = shared::uniformPair(seed, replica, stream, 0);
    return (uint64_t)(pair.first * 0x1p32) << 32 | (uint64_t)(pair.second * 0x1p32);
}

void drawNormals(uint64_t key, uint64_t step, NoiseStream stream, int count, double* normals) {
    double u[MAX_PAIRS], v[MAX_PAIRS], first[MAX_PAIRS], second[MAX_PAIRS];
    for (int start = 0; start < count; start += 2 * MAX_PAIRS) {
        const int size = std::min(2 * MAX_PAIRS, count - start), pairs = (size + 1) / 2;
        const int padded = (pairs + MAX_LANES - 1) / MAX_LANES * MAX_LANES;
        drawUniforms(key, step, (uint32_t)stream, start / 2, padded, u, v);
        transform(u, v, padded, first, second);
        std::copy_n(first, pairs, normals + start);
        std::copy_n(second, size - pairs, normals + start + pairs);
    }
}

}  // namespace OpenMMFlow
