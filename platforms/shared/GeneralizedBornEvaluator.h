// The generalized Born part of a PotentialModel. Included as PotentialEvaluator.h is.

/** Evaluates a generalized Born model in three passes over all pairs: radii, energies, and what the radii's
 * dependence on the distances adds to the forces. */
class GeneralizedBornEvaluator {
public:
    explicit GeneralizedBornEvaluator(const PotentialModel::GeneralizedBorn& born) : born(born) {
        const size_t n = born.particles.size();
        for (const auto& p : born.particles)
            particles.push_back({(Scalar)p.charge, (Scalar)p.offsetRadius, (Scalar)(1 / p.offsetRadius),
                                 (Scalar)p.scaledRadius, (Scalar)p.radius, (Scalar)(1 / p.radius),
                                 (Scalar)p.alpha, (Scalar)p.beta, (Scalar)p.gamma});
        for (const auto& neck : born.necks)
            necks.push_back({(Scalar)neck.height, (Scalar)neck.distance, (Scalar)neck.cutoff});
        hasTanh = std::any_of(born.particles.begin(), born.particles.end(),
                              [](const auto& p) { return p.alpha != 0; });
        for (auto* scratch : {&integral, &inverseRadius, &radius, &radiusForce})
            scratch->resize(n);
        hasCutoff = !std::isinf(born.cutoff);
        storesDerivatives = n * (n - 1) * sizeof(real) <= MOST_STORED_BYTES;
        if (storesDerivatives)
            descreening.resize(n * (n - 1));
    }
    template <bool FORCES>
    void add(const real3* r, real3* force, WideSum& energy) {
        sumDescreening<FORCES>(r);
        addSelfEnergies(energy);
        addPairEnergies<FORCES>(r, force, energy);
        if constexpr (FORCES)
            addDescreeningForces(r, force);
    }

private:
    struct Particle {
        Scalar charge, rho, inverseRho, scaled, radius, inverseRadius, alpha, beta, gamma;
    };
    struct Neck {
        Scalar height, distance, cutoff;
    };

    /** Long chains of dependent operations are cut into short loops, of which a processor has several rounds
     * under way at once. What they hand on must stay in its nearest cache. */
    static constexpr int CHUNK = 32;
    struct Distances {
        real square[CHUNK], value[CHUNK], inverse[CHUNK];
    };
    /** For each pair of a chunk, what its first and what its second particle lose to the other. */
    struct Losses {
        real first[CHUNK], second[CHUNK];
    };

    /** Where the pair of particles i < j stands in an array of all pairs. */
    size_t findPair(size_t i, size_t j) const { return i * (2 * particles.size() - i - 1) / 2 + (j - i - 1); }

    /**
     * The descreening of particle i and of `count` particles from `start` on by each other; with DERIVATIVES
     * also (dI/dr)/r, of the first and of the second particle of each pair.
     */
    template <bool DERIVATIVES>
    void descreen(const real3* r, int i, int start, int count, Losses& losses, real* derivatives) const {
        Distances distances;
        for (int k = 0; k < count; k++) {
            const real3 d = r[i] - r[start + k];
            // Where a sphere holds another it is not descreened, not even in the same place.
            const real square = dotProduct(d, d), least = 1e-18;
            distances.square[k] = SELECT(square > least, square, least);
            distances.inverse[k] = RSQRT(distances.square[k]);
            distances.value[k] = distances.square[k] * distances.inverse[k];
        }
        auto self = [&](int) -> const Particle& { return particles[i]; };
        auto other = [&](int k) -> const Particle& { return particles[start + k]; };
        descreenOneSide<DERIVATIVES>(distances, count, self, other, losses.first, derivatives);
        descreenOneSide<DERIVATIVES>(distances, count, other, self, losses.second, derivatives + 1);
        if (!necks.empty()) {
            const Neck* neck = &necks[2 * findPair(i, start)];
            addNecks<DERIVATIVES>(distances, count, neck, losses.first, derivatives);
            addNecks<DERIVATIVES>(distances, count, neck + 1, losses.second, derivatives + 1);
        }
        if (hasCutoff)
            for (int k = 0; k < count; k++) {
                losses.first[k] = withinCutoff(distances.square[k], losses.first[k]);
                losses.second[k] = withinCutoff(distances.square[k], losses.second[k]);
                if constexpr (DERIVATIVES)
                    for (int side : {0, 1})
                        derivatives[2 * k + side] =
                            withinCutoff(distances.square[k], derivatives[2 * k + side]);
            }
    }

    /** What the first particle of each pair loses to the second, as two functions name them. */
    template <bool DERIVATIVES, class First, class Second>
    void descreenOneSide(const Distances& distances, int count, const First& first, const Second& second,
                         real* loss, real* derivatives) const {
        DescreeningLimits limits[CHUNK];
        for (int k = 0; k < count; k++)
            limits[k] = descreeningLimits(distances.value[k], first(k).rho, second(k).scaled);
        real logarithm[CHUNK];
        for (int k = 0; k < count; k++)
            logarithm[k] = LOG_NORMAL(limits[k].ratio);
        const real embedded = born.countsEmbedded ? 1.0 : 0.0;
        for (int k = 0; k < count; k++) {
            const Particle& a = first(k);
            const Term term = descreeningTerm(distances.value[k], distances.inverse[k], a.rho, a.inverseRho,
                                              second(k).scaled, embedded, limits[k], logarithm[k]);
            loss[k] = term.energy;
            if constexpr (DERIVATIVES)
                derivatives[2 * k] = term.derivative * distances.inverse[k];
        }
    }

    template <bool DERIVATIVES>
    static void addNecks(const Distances& distances, int count, const Neck* necks, real* loss,
                         real* derivatives) {
        for (int k = 0; k < count; k++) {
            const Neck& neck = necks[2 * k];
            const Term term = neckTerm(distances.value[k], neck.height, neck.distance, neck.cutoff);
            loss[k] = loss[k] + term.energy;
            if constexpr (DERIVATIVES)
                derivatives[2 * k] = derivatives[2 * k] + term.derivative * distances.inverse[k];
        }
    }

    real withinCutoff(real r2, real x) const {
        return SELECT(r2 > real(born.cutoff * born.cutoff), real(0.0), x);
    }

    template <bool FORCES>
    void sumDescreening(const real3* r) {
        const int n = particles.size();
        for (int i = 0; i < n; i++)
            integral[i] = 0.0;
        Losses losses;
        for (int i = 0; i < n; i++) {
            real sum = integral[i];
            for (int start = i + 1; start < n; start += CHUNK) {
                const int count = std::min(CHUNK, n - start);
                if (FORCES && storesDerivatives)
                    descreen<true>(r, i, start, count, losses, &descreening[2 * findPair(i, start)]);
                else
                    descreen<false>(r, i, start, count, losses, nullptr);
                for (int k = 0; k < count; k++) {
                    sum = sum + losses.first[k];
                    integral[start + k] = integral[start + k] + losses.second[k];
                }
            }
            integral[i] = sum;
        }
    }

    /** The Born radii, and the terms of single particles. radiusForce is dE/d(log radius) from here on. */
    void addSelfEnergies(WideSum& energy) {
        for (size_t i = 0; i < particles.size(); i++) {
            const Particle& a = particles[i];
            real inverse = real(a.inverseRho) - integral[i];
            if (hasTanh) {
                const real psi = integral[i] * real(a.rho);
                inverse = real(a.inverseRho)
                          - real(a.inverseRadius)
                                * TANH(psi * (real(a.alpha) + psi * (psi * real(a.gamma) - real(a.beta))));
            }
            inverseRadius[i] = inverse;
            radius[i] = real(1.0) / inverse;
            const real charges = real(0.5 * a.charge * a.charge) * inverse;
            real screened = born.solvent, slope = screened;
            if (born.kappa != 0) {
                screened = screened * EXP(real(-born.kappa) * radius[i]);
                slope = screened * (real(1.0) + real(born.kappa) * radius[i]);
            }
            energy.add(charges * (screened - real(born.solute)));
            const real ratio = real(a.radius) * inverse, ratio3 = ratio * ratio * ratio;
            const double reach = a.radius + born.probe;
            const real surface = real(born.surface * reach * reach) * ratio3 * ratio3;
            energy.add(surface);
            radiusForce[i] = charges * (real(born.solute) - slope) - real(6.0) * surface;
        }
    }

    template <bool FORCES>
    void addPairEnergies(const real3* r, real3* force, WideSum& energy) {
        const int n = particles.size();
        const real solvent = born.solvent, solute = born.solute, dielectric = born.solvent - born.solute;
        const real kappa = born.kappa, shift = born.shift;
        const bool hasSalt = born.kappa != 0;
        for (int i = 0; i < n; i++) {
            const real3 center = r[i];
            const real mine = radius[i], inverse = inverseRadius[i], charge = particles[i].charge;
            real3 sum = make_real3(real(0.0), real(0.0), real(0.0));
            real radiusSum = radiusForce[i];
            for (int start = i + 1; start < n; start += CHUNK) {
                const int count = std::min(CHUNK, n - start);
                real square[CHUNK], ratio[CHUNK], screening[CHUNK], charges[CHUNK];
                for (int k = 0; k < count; k++) {
                    const real3 d = center - r[start + k];
                    square[k] = dotProduct(d, d);
                    ratio[k] = real(0.25) * square[k] * (inverse * inverseRadius[start + k]);
                    charges[k] = charge * real(particles[start + k].charge);
                }
                if (hasCutoff)
                    for (int k = 0; k < count; k++)
                        charges[k] = withinCutoff(square[k], charges[k]);
                for (int k = 0; k < count; k++)
                    screening[k] = EXP(-ratio[k]);
                for (int k = 0; k < count; k++) {
                    const int j = start + k;
                    const BornTerm term = bornTerm(square[k], mine * radius[j], ratio[k], screening[k]);
                    const real value = term.value - shift;
                    real scale = charges[k] * dielectric, slope = scale;
                    if (hasSalt) {
                        const real f = real(1.0) / term.value;
                        const real screened = charges[k] * solvent * EXP(real(-1.0) * kappa * f);
                        scale = screened - charges[k] * solute;
                        slope = scale + screened * kappa * f * f * value;
                    }
                    energy.add(scale * value);
                    if constexpr (FORCES) {
                        const real3 g = (slope * term.radial) * (center - r[j]);
                        sum = sum - g;
                        force[j] = force[j] + g;
                        radiusSum = radiusSum + slope * term.logarithmic;
                        radiusForce[j] = radiusForce[j] + slope * term.logarithmic;
                    }
                }
            }
            radiusForce[i] = radiusSum;
            if constexpr (FORCES)
                force[i] = force[i] + sum;
        }
    }

    void addDescreeningForces(const real3* r, real3* force) {
        const int n = particles.size();
        // From dE/d(log radius) to dE/dI.
        for (int i = 0; i < n; i++) {
            const Particle& a = particles[i];
            real slope = radius[i];
            if (hasTanh) {
                const real psi = integral[i] * real(a.rho);
                const real t = (real(a.inverseRho) - inverseRadius[i]) * real(a.radius);
                const real inner = real(a.alpha) + psi * (real(3 * a.gamma) * psi - real(2 * a.beta));
                slope = slope * (real(1.0) - t * t) * inner * real(a.rho * a.inverseRadius);
            }
            radiusForce[i] = radiusForce[i] * slope;
        }
        Losses losses;
        real computed[2 * CHUNK];
        for (int i = 0; i < n; i++) {
            const real3 center = r[i];
            const real mine = radiusForce[i];
            real3 sum = make_real3(real(0.0), real(0.0), real(0.0));
            for (int start = i + 1; start < n; start += CHUNK) {
                const int count = std::min(CHUNK, n - start);
                const real* derivative = computed;
                if (storesDerivatives)
                    derivative = &descreening[2 * findPair(i, start)];
                else
                    descreen<true>(r, i, start, count, losses, computed);
                for (int k = 0; k < count; k++) {
                    const int j = start + k;
                    const real3 g =
                        (mine * derivative[2 * k] + radiusForce[j] * derivative[2 * k + 1]) * (center - r[j]);
                    sum = sum - g;
                    force[j] = force[j] + g;
                }
            }
            force[i] = force[i] + sum;
        }
    }

    const PotentialModel::GeneralizedBorn& born;
    bool hasTanh, hasCutoff;
    std::vector<Particle> particles;
    std::vector<Neck> necks;
    std::vector<real> integral, inverseRadius, radius, radiusForce;
    /** For each pair, (dI/dr)/r of the first and of the second particle, where these fit into a cache:
     * beyond, it is faster to compute them twice. */
    std::vector<real> descreening;
    bool storesDerivatives;
    static constexpr size_t MOST_STORED_BYTES = 2'000'000;
};
