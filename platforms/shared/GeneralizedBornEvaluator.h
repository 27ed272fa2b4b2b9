// The generalized Born part of a PotentialModel. Included as PotentialEvaluator.h is.

/** Evaluates a generalized Born model in three passes over all pairs: radii, energies, and what the radii's
 * dependence on the distances adds to the forces. */
class GeneralizedBornEvaluator {
public:
    explicit GeneralizedBornEvaluator(const PotentialModel::GeneralizedBorn& born) : born(born) {
        const size_t n = born.particles.size();
        for (const auto& p : born.particles)
            particles.push_back({(Scalar)p.charge, (Scalar)p.offsetRadius, (Scalar)(1 / p.offsetRadius),
                                 (Scalar)p.scaledRadius, (Scalar)p.radius, (Scalar)(1 / p.radius)});
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
        Scalar charge, rho, inverseRho, scaled, radius, inverseRadius;
    };

    template <bool FORCES, bool CUTOFF>
    void addWithCutoff(const real3* r, real3* force, WideSum& energy) {
        sumDescreening<FORCES, CUTOFF>(r);
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

    template <bool FORCES, bool CUTOFF>
    void sumDescreening(const real3* r) {
        const int n = particles.size();
        const real embedded = born.countsEmbedded ? 1.0 : 0.0;
        for (int i = 0; i < n; i++)
            integral[i] = 0.0;
        real* derivative = descreening.data();
        for (int i = 0; i < n; i++) {
            const Particle& a = particles[i];
            const real3 center = r[i];
            real sum = integral[i];
            for (int j = i + 1; j < n; j++, derivative += 2) {
                const Particle& b = particles[j];
                const real3 d = center - r[j];
                const real r2 = dotProduct(d, d), inverse = real(1.0) / SQRT(r2), distance = r2 * inverse;
                const Term mine = descreeningTerm(distance, inverse, a.rho, a.inverseRho, b.scaled, embedded);
                const Term other =
                    descreeningTerm(distance, inverse, b.rho, b.inverseRho, a.scaled, embedded);
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
            if (born.alpha != 0) {
                const real psi = integral[i] * real(a.rho);
                inverse =
                    real(a.inverseRho)
                    - real(a.inverseRadius)
                          * TANH(psi * (real(born.alpha) + psi * (psi * real(born.gamma) - real(born.beta))));
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
        for (int i = 0; i < n; i++) {
            const real3 center = r[i];
            real3 sum = make_real3(real(0.0), real(0.0), real(0.0));
            real radiusSum = radiusForce[i];
            for (int j = i + 1; j < n; j++) {
                const real3 d = center - r[j];
                const real r2 = dotProduct(d, d);
                const real charges =
                    withinCutoff<CUTOFF>(r2, real(particles[i].charge) * real(particles[j].charge));
                const BornTerm term =
                    bornTerm(r2, radius[i] * radius[j], inverseRadius[i] * inverseRadius[j]);
                const real value = CUTOFF ? term.value - real(born.shift) : term.value;
                real scale = charges * real(born.solvent - born.solute), slope = scale;
                if constexpr (SALT) {
                    const real f = real(1.0) / term.value;
                    const real screened = charges * real(born.solvent) * EXP(real(-born.kappa) * f);
                    scale = screened - charges * real(born.solute);
                    slope = scale + screened * real(born.kappa) * f * f * value;
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
            if (born.alpha != 0) {
                const real psi = integral[i] * real(a.rho);
                const real t = (real(a.inverseRho) - inverseRadius[i]) * real(a.radius);
                const real inner =
                    real(born.alpha) + psi * (real(3 * born.gamma) * psi - real(2 * born.beta));
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
    std::vector<Particle> particles;
    std::vector<real> integral, inverseRadius, radius, radiusForce;
    /** For each pair, (dI/dr)/r of the first and of the second particle. */
    std::vector<real> descreening;
};
