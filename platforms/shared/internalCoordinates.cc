/* Bonds, angles and torsions: from positions, back to positions, and the gradients. Common compute language.
 *
 * Torsions have the IUPAC sign. Each torsion and each angle comes from ATAN2, which stays accurate where ACOS
 * does not. */

DEVICE real dotProduct(real3 a, real3 b) {
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

DEVICE real3 crossProduct(real3 a, real3 b) {
    return make_real3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x);
}

DEVICE real norm(real3 a) {
    return SQRT(dotProduct(a, a));
}

/* Wrap an angle into [-pi, pi). */
DEVICE real wrapAngle(real angle) {
    return angle - (real)6.283185307179586477 * FLOOR(angle * (real)0.15915494309189533577 + (real)0.5);
}

DEVICE real measureBond(real3 a, real3 b) {
    return norm(a - b);
}

/* What an angle a-b-c and its gradient are made of: the vectors from b, and their cross product. */
typedef struct {
    real3 u, v, n;
} AngleFrame;

DEVICE AngleFrame makeAngleFrame(real3 a, real3 b, real3 c) {
    AngleFrame frame;
    frame.u = a - b;
    frame.v = c - b;
    frame.n = crossProduct(frame.u, frame.v);
    return frame;
}

/* The angle a-b-c, in [0, pi]. */
DEVICE real measureAngle(real3 a, real3 b, real3 c) {
    AngleFrame frame = makeAngleFrame(a, b, c);
    return ATAN2(norm(frame.n), dotProduct(frame.u, frame.v));
}

/* What a torsion a-b-c-d and its gradient are made of: vectors along the bonds, the normals of the two
 * planes, and the length of the bond in the middle. */
typedef struct {
    real3 u, v, w, m, n;
    real length;
} TorsionFrame;

DEVICE TorsionFrame makeTorsionFrame(real3 a, real3 b, real3 c, real3 d) {
    TorsionFrame frame;
    frame.u = a - b;
    frame.v = b - c;
    frame.w = d - c;
    frame.m = crossProduct(frame.u, frame.v);
    frame.n = crossProduct(frame.w, frame.v);
    frame.length = norm(frame.v);
    return frame;
}

/* The torsion a-b-c-d, in [-pi, pi]. */
DEVICE real measureTorsion(real3 a, real3 b, real3 c, real3 d) {
    TorsionFrame frame = makeTorsionFrame(a, b, c, d);
    return ATAN2(-(frame.length * dotProduct(frame.u, frame.n)), dotProduct(frame.m, frame.n));
}

/* The position of an atom whose distance to p is `bond`, whose angle with p and g is `angle`, and whose
 * torsion with p, g and t is `torsion`. */
DEVICE real3 placeAtom(real3 p, real3 g, real3 t, real bond, real angle, real torsion) {
    real3 axis = p - g;
    axis = ((real)1 / norm(axis)) * axis;
    real3 normal = crossProduct(g - t, axis);
    normal = ((real)1 / norm(normal)) * normal;
    real3 inPlane = crossProduct(normal, axis);
    real radius = bond * SIN(angle);
    return p + (-bond * COS(angle)) * axis + (radius * COS(torsion)) * inPlane
           + (radius * SIN(torsion)) * normal;
}

/* The gradient of an angle a-b-c with respect to a and c; b takes what is left. `size` is the length of
 * frame.n. */
typedef struct {
    real3 a, c;
} AngleGradient;

DEVICE AngleGradient angleGradientOfFrame(AngleFrame frame, real size) {
    AngleGradient result;
    result.a = ((real)1 / (dotProduct(frame.u, frame.u) * size)) * crossProduct(frame.u, frame.n);
    result.c = ((real)-1 / (dotProduct(frame.v, frame.v) * size)) * crossProduct(frame.v, frame.n);
    return result;
}

DEVICE AngleGradient angleGradient(real3 a, real3 b, real3 c) {
    AngleFrame frame = makeAngleFrame(a, b, c);
    return angleGradientOfFrame(frame, norm(frame.n));
}

/* The gradient of the torsion a-b-c-d with respect to each of the four positions (Blondel and Karplus 1996).
 */
typedef struct {
    real3 a, b, c, d;
} TorsionGradient;

DEVICE TorsionGradient torsionGradientOfFrame(TorsionFrame frame) {
    real inverseM = (real)1 / dotProduct(frame.m, frame.m);
    real inverseN = (real)1 / dotProduct(frame.n, frame.n);
    real inverseLength = (real)1 / frame.length;
    TorsionGradient result;
    result.a = (-frame.length * inverseM) * frame.m;
    result.d = (frame.length * inverseN) * frame.n;
    real3 s = (dotProduct(frame.u, frame.v) * inverseM * inverseLength) * frame.m
              - (dotProduct(frame.w, frame.v) * inverseN * inverseLength) * frame.n;
    result.b = s - result.a;
    result.c = make_real3((real)0, (real)0, (real)0) - s - result.d;
    return result;
}

DEVICE TorsionGradient torsionGradient(real3 a, real3 b, real3 c, real3 d) {
    return torsionGradientOfFrame(makeTorsionFrame(a, b, c, d));
}

/* Rotate a vector by the rotation that a quaternion (w, x, y, z) of any length but zero stands for. Four
 * standard normal numbers make a rotation that is uniform on SO(3). */
DEVICE real3 rotateVector(real w, real x, real y, real z, real3 r) {
    real scale = (real)2 / (w * w + x * x + y * y + z * z);
    real3 axis = make_real3(x, y, z);
    real3 t = scale * crossProduct(axis, r);
    return r + w * t + crossProduct(axis, t);
}
