#ifndef OPENMMFLOW_REMOVEAVERAGE_H_
#define OPENMMFLOW_REMOVEAVERAGE_H_

namespace OpenMMFlow {

/** Subtract from vectors of all particles, (N, 3), their average. */
void removeAverage(double* vectors, int numParticles);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_REMOVEAVERAGE_H_*/
