#ifndef OPENMMFLOW_INTEGRATORTRAITS_H_
#define OPENMMFLOW_INTEGRATORTRAITS_H_

#include "openmm/Integrator.h"

/** What a Monte Carlo move needs to know of the integrator that it is mixed with. */
namespace OpenMMFlow {

/** Get the integrator at work: one of a CompoundIntegrator's, or the integrator itself. */
const OpenMM::Integrator& getCurrentIntegrator(const OpenMM::Integrator& integrator);

/** Get the temperature at which an integrator keeps the System, in K; NaN if it does not tell. */
double getTemperature(const OpenMM::Integrator& integrator);

/** Get by how much, in ps, an integrator's velocities lag behind its positions: half a step for leapfrog. */
double getVelocityLag(const OpenMM::Integrator& integrator);

/**
 * Whether an integrator makes the steps of LangevinMiddle, which sample positions far more exactly than
 * velocities: in harmonic motion those of the time of the positions are too slow, their covariance being kT
 * (M^-1 - dt^2/4 M^-1 H M^-1) with the second derivatives H of the energy (Leimkuhler and Matthews 2013, J.
 * Chem. Phys. 138, 174102).
 */
bool isLangevinMiddle(const OpenMM::Integrator& integrator);

/** Check that a step of an integrator updates the state of the Context once, which is when moves are made. */
void checkUpdatesContextState(const OpenMM::Integrator& integrator);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_INTEGRATORTRAITS_H_*/
