/* Orthonormal frames on learned vectors, spherical and polar coordinates in them, and their adjoints: from
 * what a result is worth to what its arguments are worth. Common compute language.
 *
 * Squared lengths have a tiny number added where a logarithm or a quotient follows, so that a point on the
 * origin or on an axis of a frame is no special case: it is far below round-off everywhere else. */

#define TINY_SQUARE 1e-30

/* The square of the sine between two vectors up to which they span no frame: what is left is round-off. */
#define DEGENERATE_SQUARE 1e-20

/* Axes x, y, z, right-handed, and what the adjoint needs of how they came about. */
typedef struct {
    real3 x, y, z;
    real inverseFirst, inverseSecond, projection;
} Frame;

/* The frame with z along `first`, and `second` in the half-plane of z and positive x; NaN where they span
 * none, as they do where particles are arranged symmetrically. */
DEVICE Frame makeFrame(real3 first, real3 second) {
    Frame frame;
    frame.inverseFirst = (real)1 / norm(first);
    frame.z = frame.inverseFirst * first;
    frame.projection = dotProduct(second, frame.z);
    real3 rejection = second - frame.projection * frame.z;
    /* Once more: what round-off has left along z is not small beside the rejection of a vector close to z. */
    rejection = rejection - dotProduct(rejection, frame.z) * frame.z;
    real square = dotProduct(rejection, rejection);
    real threshold = (real)DEGENERATE_SQUARE * dotProduct(second, second);
    frame.inverseSecond = (real)1 / SELECT(square > threshold, SQRT(square), (real)0);
    frame.x = frame.inverseSecond * rejection;
    frame.y = crossProduct(frame.z, frame.x);
    return frame;
}

/* The frame in two dimensions, with x along `first`. */
DEVICE Frame makePlaneFrame(real3 first) {
    Frame frame;
    frame.inverseFirst = (real)1 / norm(first);
    frame.inverseSecond = (real)0;
    frame.projection = (real)0;
    frame.x = frame.inverseFirst * first;
    frame.y = make_real3(-frame.x.y, frame.x.x, (real)0);
    frame.z = make_real3((real)0, (real)0, (real)1);
    return frame;
}

typedef struct {
    real3 first, second;
} FrameAdjoint;

DEVICE FrameAdjoint makeFrameAdjoint(Frame frame, real3 second, real3 xAdjoint, real3 yAdjoint,
                                     real3 zAdjoint) {
    xAdjoint = xAdjoint + crossProduct(yAdjoint, frame.z);
    zAdjoint = zAdjoint + crossProduct(frame.x, yAdjoint);
    FrameAdjoint result;
    real3 rejectionAdjoint = frame.inverseSecond * (xAdjoint - dotProduct(frame.x, xAdjoint) * frame.x);
    real along = dotProduct(frame.z, rejectionAdjoint);
    result.second = rejectionAdjoint - along * frame.z;
    zAdjoint = zAdjoint - along * second - frame.projection * rejectionAdjoint;
    result.first = frame.inverseFirst * (zAdjoint - dotProduct(frame.z, zAdjoint) * frame.z);
    return result;
}

DEVICE real3 makePlaneFrameAdjoint(Frame frame, real3 xAdjoint, real3 yAdjoint) {
    /* y is x turned by a right angle, so what y is worth to x is turned back. */
    real3 adjoint = xAdjoint + make_real3(yAdjoint.y, -yAdjoint.x, (real)0);
    return frame.inverseFirst * (adjoint - dotProduct(frame.x, adjoint) * frame.x);
}

/* The coordinates of a vector along the axes, and back. */
DEVICE real3 toFrame(Frame frame, real3 u) {
    return make_real3(dotProduct(u, frame.x), dotProduct(u, frame.y), dotProduct(u, frame.z));
}

DEVICE real3 fromFrame(Frame frame, real3 c) {
    return c.x * frame.x + c.y * frame.y + c.z * frame.z;
}

/* Distance, angle to z, and angle around z from x, as x, y, z of a real3. */
DEVICE real3 toSpherical(real3 c) {
    real planar = c.x * c.x + c.y * c.y + (real)TINY_SQUARE;
    return make_real3(SQRT(planar + c.z * c.z), ATAN2(SQRT(planar), c.z), ATAN2(c.y, c.x));
}

DEVICE real3 fromSpherical(real3 s) {
    real planar = s.x * SIN(s.y);
    return make_real3(planar * COS(s.z), planar * SIN(s.z), s.x * COS(s.y));
}

/* log(r^2 |sin(theta)|), from Cartesian coordinates and from spherical ones. The pi of single precision lies
 * beyond pi: an angle there is as good as any, and fromSpherical() has this volume there too. */
DEVICE real logVolumeOfPoint(real3 c) {
    real planar = c.x * c.x + c.y * c.y + (real)TINY_SQUARE;
    return (real)0.5 * (LOG(planar) + LOG(planar + c.z * c.z));
}

DEVICE real logVolumeOfSpherical(real3 s) {
    return (real)2 * LOG(s.x) + LOG(FABS(SIN(s.y)));
}

/* What c is worth, given what toSpherical(c) and logVolumeOfPoint(c) are worth. */
DEVICE real3 toSphericalAdjoint(real3 c, real3 adjoint, real volumeAdjoint) {
    real planar = c.x * c.x + c.y * c.y + (real)TINY_SQUARE;
    real square = planar + c.z * c.z;
    real length = SQRT(square);
    real rho = SQRT(planar);
    real radial = adjoint.x / length + volumeAdjoint / square;
    real polar = adjoint.y / (square * rho);
    real outward = radial + polar * c.z + volumeAdjoint / planar;
    real around = adjoint.z / planar;
    return make_real3(outward * c.x - around * c.y, outward * c.y + around * c.x,
                      radial * c.z - polar * planar);
}

/* What s is worth, given what fromSpherical(s) and logVolumeOfSpherical(s) are worth. */
DEVICE real3 fromSphericalAdjoint(real3 s, real3 adjoint, real volumeAdjoint) {
    real sinPolar = SIN(s.y);
    real cosPolar = COS(s.y);
    real along = adjoint.x * COS(s.z) + adjoint.y * SIN(s.z);
    real across = adjoint.y * COS(s.z) - adjoint.x * SIN(s.z);
    return make_real3(sinPolar * along + cosPolar * adjoint.z + (real)2 * volumeAdjoint / s.x,
                      s.x * (cosPolar * along - sinPolar * adjoint.z) + volumeAdjoint * cosPolar / sinPolar,
                      s.x * sinPolar * across);
}

/* The same in two dimensions: distance and angle from x, with log(r). */
DEVICE real3 toPolar(real3 c) {
    return make_real3(SQRT(c.x * c.x + c.y * c.y + (real)TINY_SQUARE), ATAN2(c.y, c.x), (real)0);
}

DEVICE real3 fromPolar(real3 s) {
    return make_real3(s.x * COS(s.y), s.x * SIN(s.y), (real)0);
}

DEVICE real3 toPolarAdjoint(real3 c, real3 adjoint, real volumeAdjoint) {
    real square = c.x * c.x + c.y * c.y + (real)TINY_SQUARE;
    real radial = adjoint.x / SQRT(square) + volumeAdjoint / square;
    real around = adjoint.y / square;
    return make_real3(radial * c.x - around * c.y, radial * c.y + around * c.x, (real)0);
}

DEVICE real3 fromPolarAdjoint(real3 s, real3 adjoint, real volumeAdjoint) {
    real along = adjoint.x * COS(s.y) + adjoint.y * SIN(s.y);
    real across = adjoint.y * COS(s.y) - adjoint.x * SIN(s.y);
    return make_real3(along + volumeAdjoint / s.x, s.x * across, (real)0);
}
