#ifndef OPENMMFLOW_SPLINELAYOUT_H_
#define OPENMMFLOW_SPLINELAYOUT_H_

namespace OpenMMFlow {

/**
 * How the arrays of one coupling's splines are laid out for training. The batch B is the fastest index of
 * every array, so that an operation on one row is a contiguous sweep over samples.
 *
 * The n = circular + linear coordinates stand with the circular ones first. Row k*n+j of the parameters is
 * number k of coordinate j: K widths, K heights, K derivatives, and one phase for circular coordinates only.
 * A linear spline has K-1 derivatives; its last row is a placeholder which nothing reads, so that both kinds
 * have one shape.
 */
struct SplineLayout {
    int circular, linear, bins;
    double tailBound, minBinFraction, minDerivative;
    int numCoordinates() const { return circular + linear; }
    int numParameters() const { return 3 * bins * numCoordinates() + circular; }
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_SPLINELAYOUT_H_*/
