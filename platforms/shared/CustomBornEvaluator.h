// Any CustomGBForce of a PotentialModel. Included as PotentialEvaluator.h is.

/** Evaluates a CustomBorn: computed values forwards, energies, then the derivatives of the values backwards.
 */
class CustomBornEvaluator {
public:
    CustomBornEvaluator(const PotentialModel::CustomBorn& born, int numParticles)
        : born(born), numParticles(numParticles), values(born.numValues), worths(born.numValues) {
        for (auto* arrays : {&values, &worths})
            for (std::vector<real>& array : *arrays)
                array.resize(numParticles);
        if (born.numValues > 0)
            firstValue.push_back(makeProgram(born.firstValue, 0));
        for (size_t i = 0; i < born.otherValues.size(); i++)
            otherValues.push_back(makeProgram(born.otherValues[i], 1 + i));
        for (const auto& function : born.particleEnergies)
            particleEnergies.push_back(makeProgram(function, born.numValues));
        for (const auto& function : born.pairEnergies)
            pairEnergies.push_back(makeProgram(function, born.numValues));
    }
    template <bool FORCES>
    void add(const real3* r, real3* force, WideSum& energy) {
        for (auto* arrays : {&values, &worths})
            for (std::vector<real>& array : *arrays)
                std::fill(array.begin(), array.end(), real(0.0));
        if (born.numValues > 0)
            forEachPair(firstValue[0], born.firstValue, 0, r, [&](int a, int, const Batch& batch) {
                values[0][a] = values[0][a] + batch.output(0);
            });
        for (size_t i = 0; i < otherValues.size(); i++)
            forEachParticle(otherValues[i], 1 + i, r,
                            [&](int a, const Batch& batch) { values[1 + i][a] = batch.output(0); });
        for (CustomProgram& program : particleEnergies)
            forEachParticle(program, born.numValues, r, [&](int a, const Batch& batch) {
                energy.add(batch.output(0));
                if constexpr (FORCES)
                    addParticle(a, batch, real(1.0), born.numValues, force);
            });
        for (size_t i = 0; i < pairEnergies.size(); i++)
            forEachPair(pairEnergies[i], born.pairEnergies[i], born.numValues, r,
                        [&](int a, int b, const Batch& batch) {
                            energy.add(batch.output(0));
                            if constexpr (FORCES) {
                                addPair(a, b, batch, real(1.0), r, force);
                                for (int k = 0; k < born.numValues; k++) {
                                    worths[k][a] = worths[k][a] + batch.output(2 + k);
                                    worths[k][b] = worths[k][b] + batch.output(2 + born.numValues + k);
                                }
                            }
                        });
        if constexpr (FORCES) {
            for (size_t i = otherValues.size(); i-- > 0;)
                forEachParticle(otherValues[i], 1 + i, r, [&](int a, const Batch& batch) {
                    addParticle(a, batch, worths[1 + i][a], 1 + i, force);
                });
            if (born.numValues > 0)
                forEachPair(firstValue[0], born.firstValue, 0, r, [&](int a, int b, const Batch& batch) {
                    addPair(a, b, batch, worths[0][a], r, force);
                });
        }
    }

private:
    /** The outputs of one term; zero where a cutoff says so. */
    struct Batch {
        const CustomProgram& program;
        int term;
        real distance, cutoff;
        real output(int i) const { return SELECT(distance > cutoff, real(0.0), program.output(i, term)); }
    };

    static CustomProgram makeProgram(const PotentialModel::CustomParticleFunction& function, int numValues) {
        return CustomProgram(*function.program, 3 + numValues, function.numParameters, function.parameters);
    }
    static CustomProgram makeProgram(const PotentialModel::CustomPairFunction& function, int numValues) {
        return CustomProgram(*function.program, 1 + 2 * numValues, function.numParameters,
                             function.parameters);
    }

    template <class Function>
    void forEachPair(CustomProgram& program, const PotentialModel::CustomPairFunction& pairs, int numValues,
                     const real3* r, Function f) {
        const size_t total = pairs.particles.size() / 2;
        const real cutoff = std::isinf(born.cutoff) ? std::numeric_limits<Scalar>::max() : born.cutoff;
        for (size_t first = 0; first < total; first += CUSTOM_BATCH) {
            const int count = (int)std::min<size_t>(CUSTOM_BATCH, total - first);
            const int* particles = pairs.particles.data() + 2 * first;
            for (int k = 0; k < count; k++) {
                const int a = particles[2 * k], b = particles[2 * k + 1];
                program.variable(0, k) = measureBond(r[a], r[b]);
                for (int i = 0; i < numValues; i++) {
                    program.variable(1 + i, k) = values[i][a];
                    program.variable(1 + numValues + i, k) = values[i][b];
                }
            }
            program.evaluate(first, count);
            for (int k = 0; k < count; k++)
                f(particles[2 * k], particles[2 * k + 1], Batch{program, k, program.variable(0, k), cutoff});
        }
    }

    template <class Function>
    void forEachParticle(CustomProgram& program, int numValues, const real3* r, Function f) {
        for (int first = 0; first < numParticles; first += CUSTOM_BATCH) {
            const int count = std::min(CUSTOM_BATCH, numParticles - first);
            for (int k = 0; k < count; k++) {
                const real3 position = r[first + k];
                program.variable(0, k) = position.x;
                program.variable(1, k) = position.y;
                program.variable(2, k) = position.z;
                for (int i = 0; i < numValues; i++)
                    program.variable(3 + i, k) = values[i][first + k];
            }
            program.evaluate(first, count);
            for (int k = 0; k < count; k++)
                f(first + k, Batch{program, k, real(0.0), real(1.0)});
        }
    }

    /** Pass on the worth of what a function of one particle computes to its position and to the values that
     * it used. */
    void addParticle(int a, const Batch& batch, real worth, int numValues, real3* force) {
        force[a] = force[a] - worth * make_real3(batch.output(1), batch.output(2), batch.output(3));
        for (int i = 0; i < numValues; i++)
            worths[i][a] = worths[i][a] + worth * batch.output(4 + i);
    }
    void addPair(int a, int b, const Batch& batch, real worth, const real3* r, real3* force) const {
        const real3 g = (worth * batch.output(1) / batch.distance) * (r[a] - r[b]);
        force[a] = force[a] - g;
        force[b] = force[b] + g;
    }

    const PotentialModel::CustomBorn& born;
    int numParticles;
    /** Computed values, and the derivatives of the energy with respect to them: [value][particle]. */
    std::vector<std::vector<real>> values, worths;
    std::vector<CustomProgram> firstValue, otherValues, particleEnergies, pairEnergies;
};
