#include "RandomOrientation.h"

// Not beside the headers of Torch, which define names of the shared maths as macros.
#include "shared/randomRotation.h"

void OpenMMFlow::rotateAtRandom(double* positions, int count, int dimensions, uint64_t seed, uint64_t draw) {
    shared::rotate(shared::drawRotation(seed, draw, dimensions), positions, count);
}
