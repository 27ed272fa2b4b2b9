#ifndef OPENMMFLOW_INTERMEDIATETARGET_H_
#define OPENMMFLOW_INTERMEDIATETARGET_H_

namespace OpenMMFlow {

/**
 * A density on the way from a flow q, as it was at some step, to the target p = exp(-U/kT): proportional to
 * q^a p^b, both with respect to positions. With a = 0 it is the target at the temperature T/b.
 */
struct IntermediateTarget {
    /** a and b. */
    double flowExponent = 0, targetExponent = 1;

    /** Get its log density, up to a constant, from log q and -U/kT. */
    double getLogDensity(double logQ, double logP) const {
        // A density that plays no part may be infinite.
        return (flowExponent == 0 ? 0 : flowExponent * logQ)
               + (targetExponent == 0 ? 0 : targetExponent * logP);
    }
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_INTERMEDIATETARGET_H_*/
