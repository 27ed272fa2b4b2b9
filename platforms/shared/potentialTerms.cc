/* Energies of single terms and their derivatives. Common compute language.
 *
 * Each returns the energy, and the derivative as its text says. */

typedef struct {
    real energy, derivative;
} Term;

/* k (x - center)^2 / 2 and its derivative with respect to x. */
DEVICE Term harmonicTerm(real x, real center, real k) {
    Term term;
    real difference = x - center;
    term.derivative = k * difference;
    term.energy = (real)0.5 * term.derivative * difference;
    return term;
}

/* Coulomb and Lennard-Jones energy at a squared distance; the derivative is (dE/dr)/r. */
DEVICE Term nonbondedTerm(real r2, real charges, real sigma2, real epsilon4) {
    Term term;
    real inverse = RSQRT(r2);
    real inverse2 = inverse * inverse;
    real s2 = sigma2 * inverse2;
    real s6 = s2 * s2 * s2;
    real attraction = epsilon4 * s6;
    real coulomb = charges * inverse;
    term.energy = coulomb + attraction * (s6 - (real)1);
    term.derivative = inverse2 * (attraction * ((real)6 - (real)12 * s6) - coulomb);
    return term;
}

/* A term and its derivative with respect to r, switched off smoothly between two distances (OpenMM User
 * Guide, "Lennard-Jones Interaction With Switching Function"). */
DEVICE Term switchedTerm(Term term, real r, real switching, real cutoff) {
    Term result;
    real inverseWidth = (real)1 / (cutoff - switching);
    real x = (r - switching) * inverseWidth;
    x = SELECT(x > (real)0, x, (real)0);
    real factor = (real)1 + x * x * x * (x * ((real)15 - x * (real)6) - (real)10);
    real slope = x * x * (x * ((real)60 - x * (real)30) - (real)30) * inverseWidth;
    result.energy = term.energy * factor;
    result.derivative = term.derivative * factor + term.energy * slope;
    return result;
}

/* The gradient of an angle, for which linear angles are no division by zero: there the cross product is zero,
 * and a force too. As OpenMM does it. */
DEVICE AngleGradient clampedAngleGradient(AngleFrame frame) {
    real size = norm(frame.n);
    return angleGradientOfFrame(frame, SELECT(size > (real)1e-6, size, (real)1e-6));
}

/* The limits of the integral that descreens a sphere of radius rho by one of radius s at distance r (Hawkins,
 * Cramer and Truhlar, J. Phys. Chem. 100, 19824, 1996): 1/lower and 1/upper, and their ratio. */
typedef struct {
    real inverseLower, inverseUpper, ratio;
} DescreeningLimits;

DEVICE DescreeningLimits descreeningLimits(real r, real rho, real s) {
    DescreeningLimits limits;
    real distance = FABS(r - s);
    real lower = SELECT(distance > rho, distance, rho);
    real upper = r + s;
    real inverse = RECIP(lower * upper);
    limits.inverseLower = upper * inverse;
    limits.inverseUpper = lower * inverse;
    limits.ratio = lower * limits.inverseUpper;
    return limits;
}

/* The descreening within these limits, of whose ratio the logarithm is given, and its derivative with respect
 * to r. In that, what comes from the limits of the integral cancels, except where the first sphere lies
 * inside the other. `embedded` is 1 to count what it loses there, else 0. */
DEVICE Term descreeningTerm(real r, real inverseR, real rho, real inverseRho, real s, real embedded,
                            DescreeningLimits limits, real logRatio) {
    Term term;
    real l = limits.inverseLower;
    real u = limits.inverseUpper;
    real logarithm = (real)0.5 * logRatio * inverseR;
    real quarter = (real)0.25 * (u * u - l * l);
    real ratio = s * inverseR;
    term.energy = (real)0.5 * (l - u + (r - s * ratio) * quarter + logarithm);
    term.derivative = (real)0.5 * (((real)1 + ratio * ratio) * quarter - inverseR * logarithm);
    term.energy = term.energy + SELECT(s - r > rho, embedded * (inverseRho - l), (real)0);
    term.derivative = term.derivative + SELECT(s - r > rho, ((real)1 - embedded) * l * l, (real)0);
    /* A sphere that holds the whole of the other is not descreened. */
    term.energy = SELECT(r + s < rho, (real)0, term.energy);
    term.derivative = SELECT(r + s < rho, (real)0, term.derivative);
    return term;
}

/* What a neck adds to a descreening integral (Mongan et al., J. Chem. Theory Comput. 3, 156, 2007), and its
 * derivative with respect to r. */
DEVICE Term neckTerm(real r, real height, real distance, real cutoff) {
    Term term;
    real x = SELECT(r > cutoff, (real)0, r - distance);
    real x2 = x * x;
    real inverse = RECIP((real)1 + x2 * ((real)100 + (real)300000 * x2 * x2));
    real value = SELECT(r > cutoff, (real)0, height * inverse);
    term.energy = value;
    term.derivative = (real)-1 * value * inverse * x * ((real)200 + (real)1800000 * x2 * x2);
    return term;
}

/* 1/f of the generalized Born energy (Still et al., J. Am. Chem. Soc. 112, 6127, 1990), f^2 = r^2 + B exp(-x)
 * with B the product of the Born radii and x = r^2/(4 B), whose exponential is given as `screened`: its
 * derivatives with respect to r, over r, and with respect to log B. */
typedef struct {
    real value, radial, logarithmic;
} BornTerm;

DEVICE BornTerm bornTerm(real r2, real product, real x, real screened) {
    BornTerm term;
    term.value = RSQRT(r2 + product * screened);
    real slope = (real)-0.5 * term.value * (term.value * term.value);
    term.radial = slope * ((real)2 - (real)0.5 * screened);
    term.logarithmic = slope * product * screened * ((real)1 + x);
    return term;
}
