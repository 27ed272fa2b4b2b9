#ifndef OPENMMFLOW_NOISE_H_
#define OPENMMFLOW_NOISE_H_

#include <Random123/philox.h>

#include <cmath>
#include <cstdint>

/**
 * The random numbers of a sample: a function of the seed, the index of the sample and the number's place, and
 * of nothing else (Philox 4x32-10 of Salmon et al. 2011), so that work can be split anywhere. Always in
 * double precision, so that every precision transforms the same noise.
 */
namespace OpenMMFlow {
namespace shared {

/** Streams keep the uses of random numbers for one sample apart. A new use takes a new number. */
enum class NoiseStream : uint32_t {
    Normal = 0,
    Uniform = 1,
    ReplicaKey = 2,
    Velocities = 3,
    Langevin = 4,
    Metropolis = 5,
    Exchange = 6,
    AnnealingMomenta = 7,
    AnnealingMetropolis = 8,
    AnnealingResampling = 9,
    AnnealingPilot = 10,
    FlowMoveKey = 11,
    FlowMoveDecision = 12,
    FlowMoveVelocities = 13,
    Augmented = 14,
    Rotation = 15,
    HamiltonianMomenta = 16,
    HamiltonianMetropolis = 17,
    ReplayBuffer = 18
};

struct UniformPair {
    double first, second;
};

/** Two numbers, uniform on the open interval (0, 1), in steps of 2^-52. */
inline UniformPair uniformPair(uint64_t seed, uint64_t sample, NoiseStream stream, uint32_t block) {
    const r123::Philox4x32::ctr_type counter = {
        {(uint32_t)sample, (uint32_t)(sample >> 32), block, (uint32_t)stream}};
    const r123::Philox4x32::key_type key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    const r123::Philox4x32::ctr_type bits = r123::Philox4x32()(counter, key);
    auto toUniform = [](uint32_t high, uint32_t low) {
        return ((double)((((uint64_t)high << 32) | low) >> 12) + 0.5) * 0x1p-52;
    };
    return {toUniform(bits[0], bits[1]), toUniform(bits[2], bits[3])};
}

}  // namespace shared
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_NOISE_H_*/
