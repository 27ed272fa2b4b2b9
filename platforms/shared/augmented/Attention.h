// Attention between the particles of a sample (AugmentedCouplingModel), for as many samples at once as STRIDE
// reals hold. Included inside a namespace that has `real`, STRIDE and the shared maths, after Items.h. No
// include guard: each meaning of `real` includes it once.

/** The shape of arrays (heads * features of a head, particles). */
struct AttentionShape {
    int numParticles, numHeads, keySize;
    int getNumFeatures() const { return numHeads * keySize; }
};

/** Numbers of pairs (i, j) of particles. */
struct PairArray {
    real* first;
    /** From one i, and from one j, to the next. */
    size_t rowStride, columnStride;
    real& at(int i, int j) const { return first[i * rowStride + j * columnStride]; }
    PairArray transpose() const { return {first, columnStride, rowStride}; }
};

/** The features of the particles in one head, for one real of an item: feature d of particle i is
 * first[i * stride + d * STRIDE]. */
struct HeadFeatures {
    real* first;
    size_t stride;
};

/** Products of matrices that are as small as the number of particles, with a few sums in registers. */
class HeadProducts {
public:
    explicit HeadProducts(const AttentionShape& shape) : n(shape.numParticles), keySize(shape.keySize) {}
    /** products(i, j) = a_i . b_j */
    void multiply(HeadFeatures a, HeadFeatures b, PairArray products) const {
        int i = 0;
        for (; i + 2 <= n; i += 2)
            multiplyRows<2>(a, b, products, i);
        if (i < n)
            multiplyRows<1>(a, b, products, i);
    }
    /** y_i = sum_j weights(i, j) x_j */
    void combine(PairArray weights, HeadFeatures x, HeadFeatures y) const {
        int i = 0;
        for (; i + 2 <= n; i += 2)
            combineRows<2>(weights, x, y, i);
        if (i < n)
            combineRows<1>(weights, x, y, i);
    }

private:
    template <int ROWS>
    void multiplyRows(HeadFeatures a, HeadFeatures b, PairArray products, int i) const {
        int j = 0;
        for (; j + 4 <= n; j += 4)
            multiplyFew<ROWS, 4>(a, b, products, i, j);
        for (; j < n; j++)
            multiplyFew<ROWS, 1>(a, b, products, i, j);
    }
    template <int ROWS, int COLUMNS>
    void multiplyFew(HeadFeatures a, HeadFeatures b, PairArray products, int i, int j) const {
        real sums[ROWS][COLUMNS];
#pragma GCC unroll 4
        for (int k = 0; k < ROWS; k++)
#pragma GCC unroll 4
            for (int l = 0; l < COLUMNS; l++)
                sums[k][l] = real(0.0);
        const real *left = a.first + i * a.stride, *right = b.first + j * b.stride;
        for (int d = 0; d < keySize; d++, left += STRIDE, right += STRIDE)
#pragma GCC unroll 4
            for (int l = 0; l < COLUMNS; l++)
#pragma GCC unroll 4
                for (int k = 0; k < ROWS; k++)
                    sums[k][l] = sums[k][l] + left[k * a.stride] * right[l * b.stride];
#pragma GCC unroll 4
        for (int k = 0; k < ROWS; k++)
#pragma GCC unroll 4
            for (int l = 0; l < COLUMNS; l++)
                products.at(i + k, j + l) = sums[k][l];
    }
    template <int ROWS>
    void combineRows(PairArray weights, HeadFeatures x, HeadFeatures y, int i) const {
        int d = 0;
        for (; d + 4 <= keySize; d += 4)
            combineFew<ROWS, 4>(weights, x, y, i, d);
        for (; d < keySize; d++)
            combineFew<ROWS, 1>(weights, x, y, i, d);
    }
    template <int ROWS, int COLUMNS>
    void combineFew(PairArray weights, HeadFeatures x, HeadFeatures y, int i, int d) const {
        real sums[ROWS][COLUMNS];
#pragma GCC unroll 4
        for (int k = 0; k < ROWS; k++)
#pragma GCC unroll 4
            for (int l = 0; l < COLUMNS; l++)
                sums[k][l] = real(0.0);
        const real *weight = &weights.at(i, 0), *from = x.first + d * STRIDE;
        for (int j = 0; j < n; j++, weight += weights.columnStride, from += x.stride)
#pragma GCC unroll 4
            for (int l = 0; l < COLUMNS; l++)
#pragma GCC unroll 4
                for (int k = 0; k < ROWS; k++)
                    sums[k][l] = sums[k][l] + weight[k * weights.rowStride] * from[l * STRIDE];
#pragma GCC unroll 4
        for (int k = 0; k < ROWS; k++)
#pragma GCC unroll 4
            for (int l = 0; l < COLUMNS; l++)
                y.first[(i + k) * y.stride + (d + l) * STRIDE] = sums[k][l];
    }
    int n, keySize;
};

/**
 * Queries, keys and values of the particles of a few samples, and what attention makes of them. Each thread
 * has its own.
 */
class AttentionState {
public:
    explicit AttentionState(const AttentionShape& shape)
        : query(shape.getNumFeatures(), shape.numParticles),
          key(query),
          value(query),
          output(query),
          shape(shape),
          products(shape),
          weights(shape.numHeads * shape.numParticles, shape.numParticles) {}
    /** From queries, keys and values to `output`. */
    void evaluate() {
        const real scale = real(1 / std::sqrt((double)shape.keySize));
        forEachHead([&](int head, int h) {
            const PairArray weight = getWeights(head, h);
            products.multiply(getFeatures(query, head, h), getFeatures(key, head, h), weight);
            for (int i = 0; i < shape.numParticles; i++)
                applySoftmax(weight, i, scale);
            products.combine(weight, getFeatures(value, head, h), getFeatures(output, head, h));
        });
    }
    /** From what `output` is worth, in `outputAdjoint`, to what queries, keys and values are worth; their
     * values must still be there. */
    void backpropagate() {
        const int n = shape.numParticles;
        const real scale = real(1 / std::sqrt((double)shape.keySize));
        scratch.resize((size_t)n * n);
        const PairArray worth{scratch.data(), (size_t)n, 1};
        forEachHead([&](int head, int h) {
            const PairArray weight = getWeights(head, h);
            const HeadFeatures given = getFeatures(outputAdjoint, head, h);
            products.multiply(given, getFeatures(value, head, h), worth);
            for (int i = 0; i < n; i++) {
                real mean = real(0.0);
                for (int j = 0; j < n; j++)
                    mean = mean + weight.at(i, j) * worth.at(i, j);
                for (int j = 0; j < n; j++)
                    worth.at(i, j) = scale * weight.at(i, j) * (worth.at(i, j) - mean);
            }
            products.combine(weight.transpose(), given, getFeatures(valueAdjoint, head, h));
            products.combine(worth, getFeatures(key, head, h), getFeatures(queryAdjoint, head, h));
            products.combine(worth.transpose(), getFeatures(query, head, h),
                             getFeatures(keyAdjoint, head, h));
        });
    }
    void prepareAdjoints() {
        if (outputAdjoint.getNumRows() == 0)
            queryAdjoint = keyAdjoint = valueAdjoint = outputAdjoint = query;
    }

    Items query, key, value, output;
    Items queryAdjoint, keyAdjoint, valueAdjoint, outputAdjoint;

private:
    /** Call visit(head, h) for each head and each real of an item: what the particles have there stays in the
     * first cache. */
    template <class Visit>
    void forEachHead(const Visit& visit) {
        for (int h = 0; h < STRIDE; h++)
            for (int head = 0; head < shape.numHeads; head++)
                visit(head, h);
    }
    HeadFeatures getFeatures(Items& items, int head, int h) const {
        return {&items.at(head * shape.keySize, h), (size_t)shape.getNumFeatures() * STRIDE};
    }
    PairArray getWeights(int head, int h) {
        return {&weights.at(head * shape.numParticles, h),
                (size_t)shape.numHeads * shape.numParticles * STRIDE, STRIDE};
    }
    void applySoftmax(PairArray weight, int i, real scale) const {
        real largest = weight.at(i, 0), sum = real(0.0);
        for (int j = 1; j < shape.numParticles; j++)
            largest = SELECT(weight.at(i, j) > largest, weight.at(i, j), largest);
        for (int j = 0; j < shape.numParticles; j++) {
            weight.at(i, j) = EXP(scale * (weight.at(i, j) - largest));
            sum = sum + weight.at(i, j);
        }
        const real inverse = real(1.0) / sum;
        for (int j = 0; j < shape.numParticles; j++)
            weight.at(i, j) = inverse * weight.at(i, j);
    }

    AttentionShape shape;
    HeadProducts products;
    /** (heads * particles, particles): row m N + j of item i is how much i attends to j in head m. */
    Items weights;
    std::vector<real> scratch;
};
