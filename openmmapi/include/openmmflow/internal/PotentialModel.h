#ifndef OPENMMFLOW_POTENTIALMODEL_H_
#define OPENMMFLOW_POTENTIALMODEL_H_

#include <limits>
#include <memory>
#include <vector>

#include "openmmflow/internal/ExpressionProgram.h"

namespace OpenMMFlow {

/**
 * The potential energy of a System as lists of terms, in OpenMM's units (nm, kJ/mol, elementary charges,
 * radians). It knows no Force any more: whatever their Forces were, terms of the same atoms are merged.
 */
struct PotentialModel {
    /** k (r - length)^2 / 2. */
    struct Bond {
        int atoms[2];
        double length, k;
    };
    /** k (theta - angle)^2 / 2. */
    struct Angle {
        int atoms[3];
        double angle, k;
    };
    /** sum over n of cosine[n] cos(n phi) + sine[n] sin(n phi), n = 0, 1, ..., both of one size. */
    struct Torsion {
        int atoms[4];
        std::vector<double> cosine, sine;
    };
    /** A bicubic spline on a periodic grid of two torsions: for each cell, first torsion first, 16
     * coefficients. */
    struct TorsionMap {
        int size;
        std::vector<double> coefficients;
    };
    /** A TorsionMap of two of the torsions. */
    struct MappedTorsions {
        int torsions[2];
        int map;
    };
    /** charges / r + 4 epsilon ((sigma/r)^12 - (sigma/r)^6), where `charges` holds Coulomb's constant. */
    struct Pair {
        int atoms[2];
        double charges, sigma, epsilon;
    };
    /**
     * Pairs of one kind, in the order of their first atom. With a cutoff, the Coulomb term is that of a
     * reaction field, charges (1/r + reactionFieldK r^2 - reactionFieldC), and the Lennard-Jones term is
     * switched off from switchingDistance on (infinite: not at all).
     */
    struct PairList {
        double cutoff = std::numeric_limits<double>::infinity();
        double switchingDistance = std::numeric_limits<double>::infinity();
        double reactionFieldK = 0, reactionFieldC = 0;
        std::vector<Pair> pairs;
    };
    /**
     * Generalized Born solvation of all particles, with the Born radii of Onufriev, Bashford and Case
     * (Proteins 55, 383, 2004): 1/B = 1/rho - tanh(alpha psi - beta psi^2 + gamma psi^3)/radius with rho =
     * radius - offset and psi = I rho. I sums the descreening integrals of Hawkins, Cramer and Truhlar over
     * pairs, and the necks between them. With alpha = 0 for all particles it is the model of Hawkins, Cramer
     * and Truhlar, 1/B = 1/rho - I.
     */
    struct GeneralizedBorn {
        struct Particle {
            /** The second and third are rho and rho times the screening factor. */
            double charge, offsetRadius, scaledRadius, radius, alpha, beta, gamma;
        };
        /** What the solvent cannot reach between two particles closer than the cutoff adds to I of one of
         * them (Mongan et al., J. Chem. Theory Comput. 3, 156, 2007): height/(1 + 100 x^2 + 300,000 x^6) with
         * x = r - distance, in nm. */
        struct Neck {
            double height, distance, cutoff;
        };
        std::vector<Particle> particles;
        /** For each pair of particles i < j: that of i, then that of j. Empty in models without. */
        std::vector<Neck> necks;
        /** Whether I counts what an atom that lies wholly inside another loses. */
        bool countsEmbedded;
        /** Coulomb's constant divided by the dielectric constants of solute and solvent, and what salt
         * screens the latter with: E = charges (solvent exp(-kappa f) - solute)/f. */
        double solute, solvent, kappa = 0;
        /** 4 pi times the surface tension, in kJ/mol/nm^2: times (radius + probe)^2 (radius/B)^6. */
        double surface, probe;
        double cutoff = std::numeric_limits<double>::infinity();
        /** Taken from 1/f within a cutoff. */
        double shift = 0;
    };

    /** A quantity that the energy of a custom term depends on: of some of the term's particles, by their
     * place in it. */
    struct CustomVariable {
        enum Kind { X, Y, Z, Distance, Angle, Torsion } kind;
        int particles[4];
    };
    /**
     * Terms whose energy is an expression. The program takes the variables and then the parameters, and gives
     * the energy and its derivative with respect to each variable.
     */
    struct CustomTerms {
        std::vector<CustomVariable> variables;
        std::shared_ptr<const ExpressionProgram> program;
        int particlesPerTerm, numParameters;
        /** For each term in turn. */
        std::vector<int> particles;
        std::vector<double> parameters;
        /** As for PairList, where the only variable is a distance. */
        double cutoff = std::numeric_limits<double>::infinity();
        double switchingDistance = std::numeric_limits<double>::infinity();
    };

    /** A function of single particles in a CustomBorn: of its parameters, position, and computed values up to
     * there. */
    struct CustomParticleFunction {
        /** Takes x, y, z, the computed values, then the parameters; gives the value and its derivatives with
         * respect to x, y, z and the computed values. */
        std::shared_ptr<const ExpressionProgram> program;
        int numParameters;
        std::vector<double> parameters;
    };
    /** A function of pairs of particles in a CustomBorn. */
    struct CustomPairFunction {
        /** Takes r, the computed values of the first and of the second particle, then the parameters; gives
         * the value and its derivatives with respect to all but the parameters. */
        std::shared_ptr<const ExpressionProgram> program;
        int numParameters;
        /** Pairs, and the parameters of each. */
        std::vector<int> particles;
        std::vector<double> parameters;
    };
    /**
     * Any CustomGBForce. The first computed value of a particle is a sum over pairs (the first particle of a
     * pair gets the value, so that all pairs are listed both ways around), each further one a function of
     * those before.
     */
    struct CustomBorn {
        int numValues = 0;
        CustomPairFunction firstValue;
        std::vector<CustomParticleFunction> otherValues;
        std::vector<CustomParticleFunction> particleEnergies;
        std::vector<CustomPairFunction> pairEnergies;
        double cutoff = std::numeric_limits<double>::infinity();
    };

    /**
     * A particle whose position follows from those of its parents: a weighted sum, and in all kinds but
     * Average something more. X and Y are two further weighted sums, differences of positions.
     */
    struct VirtualSite {
        struct Parent {
            int particle;
            double weight, x, y;
        };
        enum Kind {
            /** The sum. */
            Average,
            /** The sum + cross (X x Y). */
            OutOfPlane,
            /** The sum + `local` along axes of length 1: X, (X x Y) x X, and X x Y. */
            LocalCoordinates,
            /** `rotation` times the sum, + offset. */
            Symmetry
        };
        int particle;
        Kind kind;
        std::vector<Parent> parents;
        /** In 1/nm. */
        double cross = 0;
        /** In nm. */
        double local[3] = {0, 0, 0}, offset[3] = {0, 0, 0};
        double rotation[3][3] = {};
    };

    int numParticles = 0;
    /** The particles that are no virtual sites: those whose positions are given. */
    std::vector<int> realParticles;
    /** Each after its parents. */
    std::vector<VirtualSite> virtualSites;
    /** Whether the energy stays the same when all particles are moved, as far as the terms show. */
    bool isTranslationInvariant = true;
    double constant = 0;
    std::vector<Bond> bonds;
    std::vector<Angle> angles;
    std::vector<Torsion> torsions;
    std::vector<TorsionMap> maps;
    std::vector<MappedTorsions> mappedTorsions;
    std::vector<PairList> pairLists;
    std::vector<GeneralizedBorn> generalizedBorn;
    std::vector<CustomTerms> customTerms;
    std::vector<CustomBorn> customBorn;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_POTENTIALMODEL_H_*/
