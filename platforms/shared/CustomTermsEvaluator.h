// The terms of a PotentialModel whose energies are expressions. Included as PotentialEvaluator.h is.

/** Evaluates terms that depend on distances, angles, torsions and coordinates of a few particles. */
class CustomTermsEvaluator {
public:
    explicit CustomTermsEvaluator(const PotentialModel::CustomTerms& terms)
        : terms(terms),
          program(*terms.program, terms.variables.size(), terms.numParameters, terms.parameters) {}
    template <bool FORCES>
    void add(const real3* r, real3* force, WideSum& energy) {
        const size_t total = terms.particles.size() / terms.particlesPerTerm;
        const bool hasCutoff = !std::isinf(terms.cutoff);
        for (size_t first = 0; first < total; first += CUSTOM_BATCH) {
            const int count = (int)std::min<size_t>(CUSTOM_BATCH, total - first);
            for (int k = 0; k < count; k++)
                for (size_t i = 0; i < terms.variables.size(); i++)
                    program.variable(i, k) = measure(terms.variables[i], getParticles(first + k), r);
            program.evaluate(first, count);
            for (int k = 0; k < count; k++) {
                const int* particles = getParticles(first + k);
                Term term{program.output(0, k), FORCES || hasCutoff ? program.output(1, k) : real(0.0)};
                if (hasCutoff)
                    term = cutOff(term, program.variable(0, k));
                energy.add(term.energy);
                if constexpr (FORCES)
                    for (size_t i = 0; i < terms.variables.size(); i++)
                        addForce(terms.variables[i], particles, r,
                                 i == 0 ? term.derivative : program.output(1 + i, k), force);
            }
        }
    }

private:
    using Variable = PotentialModel::CustomVariable;

    const int* getParticles(size_t term) const {
        return terms.particles.data() + term * terms.particlesPerTerm;
    }

    static real measure(const Variable& variable, const int* particles, const real3* r) {
        auto at = [&](int i) { return r[particles[variable.particles[i]]]; };
        switch (variable.kind) {
            case Variable::X:
                return at(0).x;
            case Variable::Y:
                return at(0).y;
            case Variable::Z:
                return at(0).z;
            case Variable::Distance:
                return measureBond(at(0), at(1));
            case Variable::Angle:
                return measureAngle(at(0), at(1), at(2));
            default:
                return measureTorsion(at(0), at(1), at(2), at(3));
        }
    }

    static void addForce(const Variable& variable, const int* particles, const real3* r, real derivative,
                         real3* force) {
        auto index = [&](int i) { return particles[variable.particles[i]]; };
        auto add = [&](int i, real3 gradient) { force[index(i)] = force[index(i)] - derivative * gradient; };
        const real zero = 0.0, one = 1.0;
        switch (variable.kind) {
            case Variable::X:
                return add(0, make_real3(one, zero, zero));
            case Variable::Y:
                return add(0, make_real3(zero, one, zero));
            case Variable::Z:
                return add(0, make_real3(zero, zero, one));
            case Variable::Distance: {
                const real3 d = r[index(0)] - r[index(1)];
                const real length = norm(d);
                // As OpenMM: no force between particles in one place, where it has no direction.
                const real3 gradient = SELECT(length > zero, one / length, zero) * d;
                add(0, gradient);
                return add(1, real(-1.0) * gradient);
            }
            case Variable::Angle: {
                const AngleGradient gradient =
                    clampedAngleGradient(makeAngleFrame(r[index(0)], r[index(1)], r[index(2)]));
                add(0, gradient.a);
                add(1, real(-1.0) * (gradient.a + gradient.c));
                return add(2, gradient.c);
            }
            default: {
                const TorsionGradient gradient =
                    torsionGradient(r[index(0)], r[index(1)], r[index(2)], r[index(3)]);
                add(0, gradient.a);
                add(1, gradient.b);
                add(2, gradient.c);
                return add(3, gradient.d);
            }
        }
    }

    Term cutOff(Term term, real distance) const {
        if (terms.switchingDistance < terms.cutoff)
            term = switchedTerm(term, distance, terms.switchingDistance, terms.cutoff);
        term.energy = SELECT(distance > real(terms.cutoff), real(0.0), term.energy);
        term.derivative = SELECT(distance > real(terms.cutoff), real(0.0), term.derivative);
        return term;
    }

    const PotentialModel::CustomTerms& terms;
    CustomProgram program;
};
