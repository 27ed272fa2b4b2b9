// What the coupling flows differentiate. Included inside a namespace that has `real`. No include guard: each
// meaning of `real` includes it once.

/** What the results of a flow are worth, one for each real of an item: its log density and, unless that is
 * null, the penalty on its frames. */
struct Worth {
    const real* logDensity;
    const real* penalty = nullptr;
};
