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
        descreening.resize(n * (n - 1));
    }
    template <bool FORCES>
    void add(const real3* r, real3* force, WideSum& energy) {
        if (std::isinf(born.cutoff))
            addWithCutoff<FORCES, false>(r, force, energy);
        else
            addWithCutoff<FORCES, true>(r, force, energy);
    }

private:
    struct Particle {
        Scalar charge, rho, inverseRho, scaled, radius, inverseRadius, alpha, beta, gamma;
    };
    struct Neck {
        Scalar height, distance, cutoff;
    };

    template <bool FORCES, bool CUTOFF>
    void addWithCutoff(const real3* r, real3* force, WideSum& energy) {
        if (necks.empty())
            sumDescreening<FORCES, CUTOFF, false>(r);
        else
            sumDescreening<FORCES, CUTOFF, true>(r);
        addSelfEnergies(energy);
        if (born.kappa == 0)
            addPairEnergies<FORCES, CUTOFF, false>(r, force, energy);
        else
            addPairEnergies<FORCES, CUTOFF, true>(r, force, energy);
        if constexpr (FORCES)
            addDescreeningForces(r, force);
    }

    template <bool CUTOFF>
    real withinCutoff(real r2, real x) const {
        if constexpr (CUTOFF)
            return SELECT(r2 > real(born.cutoff * born.cutoff), real(0.0), x);
        else
            return x;
    }

    static Term addNeck(Term term, real distance, const Neck& neck) {
        const Term more = neckTerm(distance, neck.height, neck.distance, neck.cutoff);
        return Term{term.energy + more.energy, term.derivative + more.derivative};
    }

    template <bool FORCES, bool CUTOFF, bool NECKS>
    void sumDescreening(const real3* r) {
        const int n = particles.size();
        const real embedded = born.countsEmbedded ? 1.0 : 0.0;
        for (int i = 0; i < n; i++)
            integral[i] = 0.0;
        real* derivative = descreening.data();
        const Neck* neck = necks.data();
        for (int i = 0; i < n; i++) {
            const Particle& a = particles[i];
            const real3 center = r[i];
            real sum = integral[i];
            for (int j = i + 1; j < n; j++, derivative += 2) {
                const Particle& b = particles[j];
                const real3 d = center - r[j];
                const real r2 = dotProduct(d, d), inverse = real(1.0) / SQRT(r2), distance = r2 * inverse;
                Term mine = descreeningTerm(distance, inverse, a.rho, a.inverseRho, b.scaled, embedded);
                Term other = descreeningTerm(distance, inverse, b.rho, b.inverseRho, a.scaled, embedded);
                if constexpr (NECKS) {
                    mine = addNeck(mine, distance, *neck++);
                    other = addNeck(other, distance, *neck++);
                }
                sum = sum + withinCutoff<CUTOFF>(r2, mine.energy);
                integral[j] = integral[j] + withinCutoff<CUTOFF>(r2, other.energy);
                if constexpr (FORCES) {
                    derivative[0] = withinCutoff<CUTOFF>(r2, mine.derivative * inverse);
                    derivative[1] = withinCutoff<CUTOFF>(r2, other.derivative * inverse);
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

    template <bool FORCES, bool CUTOFF, bool SALT>
    void addPairEnergies(const real3* r, real3* force, WideSum& energy) {
        const int n = particles.size();
        const real solvent = born.solvent, solute = born.solute, screening = born.solvent - born.solute;
        const real kappa = born.kappa, shift = born.shift;
        for (int i = 0; i < n; i++) {
            const real3 center = r[i];
            const real mine = radius[i], inverse = inverseRadius[i], charge = particles[i].charge;
            real3 sum = make_real3(real(0.0), real(0.0), real(0.0));
            real radiusSum = radiusForce[i];
            for (int j = i + 1; j < n; j++) {
                const real3 d = center - r[j];
                const real r2 = dotProduct(d, d);
                const real charges = withinCutoff<CUTOFF>(r2, charge * real(particles[j].charge));
                const BornTerm term = bornTerm(r2, mine * radius[j], inverse * inverseRadius[j]);
                const real value = CUTOFF ? term.value - shift : term.value;
                real scale = charges * screening, slope = scale;
                if constexpr (SALT) {
                    const real f = real(1.0) / term.value;
                    const real screened = charges * solvent * EXP(real(-1.0) * kappa * f);
                    scale = screened - charges * solute;
                    slope = scale + screened * kappa * f * f * value;
                }
                energy.add(scale * value);
                if constexpr (FORCES) {
                    const real3 g = (slope * term.radial) * d;
                    sum = sum - g;
                    force[j] = force[j] + g;
                    radiusSum = radiusSum + slope * term.logarithmic;
                    radiusForce[j] = radiusForce[j] + slope * term.logarithmic;
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
        const real* derivative = descreening.data();
        for (int i = 0; i < n; i++) {
            const real3 center = r[i];
            const real mine = radiusForce[i];
            real3 sum = make_real3(real(0.0), real(0.0), real(0.0));
            for (int j = i + 1; j < n; j++, derivative += 2) {
                const real3 g = (mine * derivative[0] + radiusForce[j] * derivative[1]) * (center - r[j]);
                sum = sum - g;
                force[j] = force[j] + g;
            }
            force[i] = force[i] + sum;
        }
    }

    const PotentialModel::GeneralizedBorn& born;
    bool hasTanh;
    std::vector<Particle> particles;
    std::vector<Neck> necks;
    std::vector<real> integral, inverseRadius, radius, radiusForce;
    /** For each pair, (dI/dr)/r of the first and of the second particle. */
    std::vector<real> descreening;
};
