/* What the networks of couplings are given of angles: the harmonics (cos kx, sin kx) of each for k = 1 ...
 * `harmonics`, and the products of the first harmonics of two. Common compute language. */

/* cos x, sin x, cos 2x, sin 2x, ..., by the addition theorem. */
DEVICE void circularFeatures(real x, int harmonics, int stride, real* features) {
    real c = COS(x), s = SIN(x);
    features[0] = c;
    features[stride] = s;
    for (int k = 1; k < harmonics; k++) {
        const real* before = &features[(2 * k - 2) * stride];
        features[2 * k * stride] = before[0] * c - before[stride] * s;
        features[(2 * k + 1) * stride] = before[stride] * c + before[0] * s;
    }
}

/* What x is worth, from the features and what each of them is worth. */
DEVICE real circularFeaturesAdjoint(const real* features, const real* adjoint, int harmonics, int stride) {
    real result = (real)0;
    for (int k = 0; k < harmonics; k++) {
        int i = 2 * k * stride;
        result =
            result + (real)(k + 1) * (features[i] * adjoint[i + stride] - features[i + stride] * adjoint[i]);
    }
    return result;
}

/* The four products of the first harmonics of two angles, whose features begin at a and b. */
DEVICE void featureProducts(const real* a, const real* b, int stride, real* products) {
    products[0] = a[0] * b[0];
    products[stride] = a[0] * b[stride];
    products[2 * stride] = a[stride] * b[0];
    products[3 * stride] = a[stride] * b[stride];
}

/* Adds to what the first harmonics are worth, from what each of their products is worth. */
DEVICE void featureProductsAdjoint(const real* a, const real* b, const real* adjoint, int stride,
                                   real* aAdjoint, real* bAdjoint) {
    real cc = adjoint[0], cs = adjoint[stride], sc = adjoint[2 * stride], ss = adjoint[3 * stride];
    aAdjoint[0] = aAdjoint[0] + cc * b[0] + cs * b[stride];
    aAdjoint[stride] = aAdjoint[stride] + sc * b[0] + ss * b[stride];
    bAdjoint[0] = bAdjoint[0] + cc * a[0] + sc * a[stride];
    bAdjoint[stride] = bAdjoint[stride] + cs * a[0] + ss * a[stride];
}
