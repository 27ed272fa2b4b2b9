#include "NoiseBlock.h"

#include "Lanes.h"
#include "shared/noise.h"

using namespace OpenMMFlow::shared;

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

static void drawUniforms(uint64_t seed, uint64_t first, int count, int columns, NoiseStream stream,
                         int numbers, double* uniforms) {
    for (int block = 0; 2 * block < numbers; block++) {
        double* u = uniforms + 2 * block * columns;
        double* v = u + columns;
        for (int s = 0; s < count; s++) {
            const UniformPair pair = uniformPair(seed, first + s, stream, block);
            u[s] = pair.first;
            v[s] = pair.second;
        }
    }
}

void drawNoise(uint64_t seed, uint64_t first, int count, int columns, int numNormals, double* normals,
               int numUniforms, double* uniforms) {
    drawUniforms(seed, first, count, columns, NoiseStream::Uniform, numUniforms, uniforms);
    drawUniforms(seed, first, count, columns, NoiseStream::Normal, numNormals, normals);
    for (int block = 0; 2 * block < numNormals; block++) {
        double* u = normals + 2 * block * columns;
        double* v = u + columns;
        for (int s = 0; s < count; s += LANES) {
            const NormalPair pair = boxMuller(Lanes::load(u + s), Lanes::load(v + s));
            pair.first.store(u + s);
            pair.second.store(v + s);
        }
    }
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow
