#ifndef OPENMMFLOW_PORTABLERANDOM_H_
#define OPENMMFLOW_PORTABLERANDOM_H_

#include <cstdint>
#include <random>

namespace OpenMMFlow {

/**
 * Random numbers that are the same everywhere. The standard fixes what mt19937 returns, but leaves open what
 * its distributions and std::shuffle make of it.
 */
class PortableRandom {
public:
    explicit PortableRandom(unsigned seed) : generator(seed) {}
    /** A number in 0 ... count-1. */
    int index(int count) { return (int)(((uint64_t)generator() * (uint64_t)count) >> 32); }
    /** A number in (-bound, bound), rounded to single precision, in which it will be stored. */
    double symmetric(double bound) { return (float)(bound * ((generator() + 0.5) / 2147483648.0 - 1)); }

private:
    std::mt19937 generator;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_PORTABLERANDOM_H_*/
