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

/* The angle a-b-c, in [0, pi]. */
DEVICE real measureAngle(real3 a, real3 b, real3 c) {
    real3 u = a - b;
    real3 v = c - b;
    return ATAN2(norm(crossProduct(u, v)), dotProduct(u, v));
}

/* The torsion a-b-c-d, in [-pi, pi]. */
DEVICE real measureTorsion(real3 a, real3 b, real3 c, real3 d) {
    real3 u = b - a;
    real3 v = c - b;
    real3 w = d - c;
    real3 m = crossProduct(u, v);
    real3 n = crossProduct(v, w);
    return ATAN2(norm(v) * dotProduct(u, n), dotProduct(m, n));
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

/* The gradient of the angle a-b-c with respect to a; that for c follows by exchanging a and c, and b takes
 * what is left. */
DEVICE real3 angleGradient(real3 a, real3 b, real3 c) {
    real3 u = a - b;
    real3 v = c - b;
    real3 n = crossProduct(u, v);
    return ((real)1 / (dotProduct(u, u) * norm(n))) * crossProduct(u, n);
}

/* The gradient of the torsion a-b-c-d with respect to each of the four positions (Blondel and Karplus 1996).
 */
typedef struct {
    real3 a, b, c, d;
} TorsionGradient;

DEVICE TorsionGradient torsionGradient(real3 a, real3 b, real3 c, real3 d) {
    real3 u = a - b;
    real3 v = b - c;
    real3 w = d - c;
    real3 m = crossProduct(u, v);
    real3 n = crossProduct(w, v);
    real length = norm(v);
    real inverseM = (real)1 / dotProduct(m, m);
    real inverseN = (real)1 / dotProduct(n, n);
    TorsionGradient result;
    result.a = (-length * inverseM) * m;
    result.d = (length * inverseN) * n;
    real3 s = (dotProduct(u, v) * inverseM / length) * m - (dotProduct(w, v) * inverseN / length) * n;
    result.b = s - result.a;
    result.c = make_real3((real)0, (real)0, (real)0) - s - result.d;
    return result;
}

/* Rotate a vector by the rotation that a quaternion (w, x, y, z) of any length but zero stands for. Four
 * standard normal numbers make a rotation that is uniform on SO(3). */
DEVICE real3 rotateVector(real w, real x, real y, real z, real3 r) {
    real scale = (real)2 / (w * w + x * x + y * y + z * z);
    real3 axis = make_real3(x, y, z);
    real3 t = scale * crossProduct(axis, r);
    return r + w * t + crossProduct(axis, t);
}
