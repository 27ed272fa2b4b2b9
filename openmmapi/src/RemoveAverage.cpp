#include "RemoveAverage.h"

namespace OpenMMFlow {

void removeAverage(double* vectors, int numParticles) {
    for (int j = 0; j < 3; j++) {
        double average = 0;
        for (int i = 0; i < numParticles; i++)
            average += vectors[3 * i + j] / numParticles;
        for (int i = 0; i < numParticles; i++)
            vectors[3 * i + j] -= average;
    }
}

}  // namespace OpenMMFlow
