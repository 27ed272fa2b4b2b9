// Attention between the particles of a sample (AugmentedCouplingModel), for as many samples at once as STRIDE
// reals hold. Included inside a namespace that has `real`, STRIDE and the shared maths, after Items.h. No
// include guard: each meaning of `real` includes it once.

/** The shape of arrays (heads * features of a head, particles). */
struct AttentionShape {
    int numParticles, numHeads, keySize;
    int getNumFeatures() const { return numHeads * keySize; }
    double getScale() const { return 1 / std::sqrt((double)keySize); }
};

/**
 * Queries, keys and values of the particles of a few samples, and what attention makes of them. Each thread
 * has its own.
 */
class AttentionState {
public:
    AttentionState() = default;
    explicit AttentionState(const AttentionShape& shape)
        : query(shape.getNumFeatures(), shape.numParticles),
          key(query),
          value(query),
          output(query),
          shape(shape),
          weights(shape.numHeads * shape.numParticles, shape.numParticles) {}
    /** From queries, keys and values to `output`. */
    void evaluate() {
        const int n = shape.numParticles;
        forEachQuery([&](int h, int i, int first) {
            real* weight = &weights.at(first / shape.keySize * n, i * STRIDE + h);
            const real scale = real(shape.getScale());
            multiplyRows(query, key, h, i, first,
                         [&](int j, real product) { weight[j * STRIDE] = scale * product; });
            applySoftmax(weight);
            sumRows(weight, value, h, i, first, output);
        });
    }
    /** From what `output` is worth, in `outputAdjoint`, to what queries, keys and values are worth; their
     * values must still be there. */
    void backpropagate() {
        const int n = shape.numParticles;
        weightAdjoint.resize((size_t)n * STRIDE);
        keyAdjoint.fill(0);
        valueAdjoint.fill(0);
        forEachQuery([&](int h, int i, int first) {
            const real* weight = &weights.at(first / shape.keySize * n, i * STRIDE + h);
            real mean = real(0.0);
            multiplyRows(outputAdjoint, value, h, i, first, [&](int j, real worth) {
                weightAdjoint[j * STRIDE] = worth;
                mean = mean + weight[j * STRIDE] * worth;
            });
            spreadRow(weight, outputAdjoint, h, i, first, valueAdjoint);
            const real scale = real(shape.getScale());
            for (int j = 0; j < n; j++)
                weightAdjoint[j * STRIDE] = scale * weight[j * STRIDE] * (weightAdjoint[j * STRIDE] - mean);
            sumRows(weightAdjoint.data(), key, h, i, first, queryAdjoint);
            spreadRow(weightAdjoint.data(), query, h, i, first, keyAdjoint);
        });
    }
    void prepareAdjoints() {
        if (outputAdjoint.getNumRows() == 0)
            queryAdjoint = keyAdjoint = valueAdjoint = outputAdjoint = query;
    }

    Items query, key, value, output;
    Items queryAdjoint, keyAdjoint, valueAdjoint, outputAdjoint;

private:
    /** How many particles are multiplied at once: sums in registers. */
    static constexpr int AT_ONCE = 4;
    /** Call visit(h, i, row) for real h of particle i in each head, whose first row it is; what the particles
     * of one head and real have stays in the first cache. */
    template <class Visit>
    void forEachQuery(const Visit& visit) {
        for (int h = 0; h < STRIDE; h++)
            for (int head = 0; head < shape.numHeads; head++)
                for (int i = 0; i < shape.numParticles; i++)
                    visit(h, i, head * shape.keySize);
    }
    /** Call store(j, product) with the product of the rows of particle i in `left` with those of each
     * particle j in `right`. */
    template <class Store>
    void multiplyRows(const Items& left, const Items& right, int h, int i, int first,
                      const Store& store) const {
        const real* a = &left.at(first, i * STRIDE + h);
        int j = 0;
        for (; j + AT_ONCE <= shape.numParticles; j += AT_ONCE)
            multiplyFew<AT_ONCE>(a, right, h, j, first, store);
        for (; j < shape.numParticles; j++)
            multiplyFew<1>(a, right, h, j, first, store);
    }
    template <int COUNT, class Store>
    void multiplyFew(const real* a, const Items& right, int h, int j, int first, const Store& store) const {
        const real* b[COUNT];
        real sums[COUNT];
        for (int k = 0; k < COUNT; k++) {
            b[k] = &right.at(first, (j + k) * STRIDE + h);
            sums[k] = real(0.0);
        }
        for (int d = 0; d < shape.keySize; d++)
            for (int k = 0; k < COUNT; k++)
                sums[k] = sums[k] + a[d * STRIDE] * b[k][d * STRIDE];
        for (int k = 0; k < COUNT; k++)
            store(j + k, sums[k]);
    }
    void applySoftmax(real* weight) const {
        const int n = shape.numParticles;
        real largest = weight[0], sum = real(0.0);
        for (int j = 1; j < n; j++)
            largest = SELECT(weight[j * STRIDE] > largest, weight[j * STRIDE], largest);
        for (int j = 0; j < n; j++) {
            weight[j * STRIDE] = EXP(weight[j * STRIDE] - largest);
            sum = sum + weight[j * STRIDE];
        }
        const real inverse = real(1.0) / sum;
        for (int j = 0; j < n; j++)
            weight[j * STRIDE] = inverse * weight[j * STRIDE];
    }
    /** Set rows of particle i to the sum over particles j of a weight times the rows of j. */
    void sumRows(const real* weight, const Items& from, int h, int i, int first, Items& to) const {
        real* sums = &to.at(first, i * STRIDE + h);
        int d = 0;
        for (; d + AT_ONCE <= shape.keySize; d += AT_ONCE)
            sumFew<AT_ONCE>(weight, from, h, first + d, sums + d * STRIDE);
        for (; d < shape.keySize; d++)
            sumFew<1>(weight, from, h, first + d, sums + d * STRIDE);
    }
    template <int COUNT>
    void sumFew(const real* weight, const Items& from, int h, int row, real* result) const {
        real sums[COUNT];
        for (int k = 0; k < COUNT; k++)
            sums[k] = real(0.0);
        for (int j = 0; j < shape.numParticles; j++) {
            const real* b = &from.at(row, j * STRIDE + h);
            for (int k = 0; k < COUNT; k++)
                sums[k] = sums[k] + weight[j * STRIDE] * b[k * STRIDE];
        }
        for (int k = 0; k < COUNT; k++)
            result[k * STRIDE] = sums[k];
    }
    /** Add a weight times the rows of particle i to those of each particle j. */
    void spreadRow(const real* weight, const Items& from, int h, int i, int first, Items& to) const {
        const real* a = &from.at(first, i * STRIDE + h);
        for (int j = 0; j < shape.numParticles; j++) {
            real* b = &to.at(first, j * STRIDE + h);
            for (int d = 0; d < shape.keySize; d++)
                b[d * STRIDE] = b[d * STRIDE] + weight[j * STRIDE] * a[d * STRIDE];
        }
    }

    AttentionShape shape{};
    /** (heads * particles, particles): those of head m and particle i are the rows m N ... m N + N-1 of item
     * i.
     */
    Items weights;
    std::vector<real> weightAdjoint;
};
