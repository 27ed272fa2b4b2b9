/* Virtual sites in local coordinates: the axes, and forces on sites as forces on the directions that the axes
 * are made of. Common compute language. */

/* 1/x of a length; 0 where it is 0. */
DEVICE real inverseLength(real x) {
    return SELECT(x > (real)0, (real)1 / x, (real)0);
}

/* Axes of length 1: the first along x, the third along x cross y, the second in their plane at the side of y.
 * As in OpenMM, those that have no direction, since x is zero or y is parallel to it, are zero. */
typedef struct {
    real3 x, y, z;
    /* 1/|x|, what y has along the first axis, and 1 over what it has along the second. */
    real inverseX, along, inverseAcross;
} LocalAxes;

DEVICE LocalAxes makeLocalAxes(real3 x, real3 y) {
    LocalAxes axes;
    real length = norm(x);
    real3 z = crossProduct(x, y);
    real inverseZ = inverseLength(norm(z));
    axes.inverseX = inverseLength(length);
    axes.inverseAcross = length * inverseZ;
    axes.x = axes.inverseX * x;
    axes.z = inverseZ * z;
    axes.y = crossProduct(axes.z, axes.x);
    axes.along = dotProduct(y, axes.x);
    return axes;
}

DEVICE real3 pointInAxes(LocalAxes axes, real3 p) {
    return p.x * axes.x + p.y * axes.y + p.z * axes.z;
}

/* Forces on the directions x and y that do the same work as one on the point p in their axes. Axes can only
 * turn: x turns all of them about the second and third, and x and y turn them about the first, as the part of
 * y across it leaves their plane. */
typedef struct {
    real3 x, y;
} DirectionForces;

DEVICE DirectionForces forcesOnDirections(LocalAxes axes, real3 p, real3 force) {
    DirectionForces result;
    real alongX = dotProduct(force, axes.x);
    real torque = p.y * dotProduct(force, axes.z) - p.z * dotProduct(force, axes.y);
    result.y = (torque * axes.inverseAcross) * axes.z;
    result.x =
        axes.inverseX
        * (p.x * (force - alongX * axes.x) - alongX * (p.y * axes.y + p.z * axes.z) - axes.along * result.y);
    return result;
}
