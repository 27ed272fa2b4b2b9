#ifndef OPENMMFLOW_AUGMENTEDCOUPLINGMODEL_H_
#define OPENMMFLOW_AUGMENTEDCOUPLINGMODEL_H_

#include <memory>
#include <string>
#include <vector>

#include "openmmflow/internal/CouplingModel.h"

namespace OpenMMFlow {

/**
 * The augmented coupling flow that is not equivariant to rotations, with which Midgley et al. 2023 (arXiv
 * 2308.10364) compare their equivariant one: affine (RealNVP, Dinh et al. 2017, arXiv 1605.08803) or spline
 * couplings of Cartesian coordinates. It is equivariant to translations, and to permutations of particles of
 * one type.
 *
 * A coupling acts on each coordinate of each particle of the transformed clouds, relative to the centre of
 * the first of the conditioning clouds. A transformer (Vaswani et al. 2017, arXiv 1706.03762) over the
 * particles, which know no order, gives the parameters. With p_i the positions of particle i in the
 * conditioning clouds, relative to that centre, e_t the embedding of its type, and the residual network u and
 * normalize() of ResidualPlace, block b of it is
 *
 *     h_i   = silu(input(p_i) + e_t(i))                                              before block 0
 *     n_i   = normalize(h_i)
 *     a_ij  = softmax_j(query(n_i)_m . key(n_j)_m / sqrt(keySize))                   in each head m
 *     h_i  += attention(sum_j a_ij value(n_j)_m, all m)
 *     h_i  += output(u(normalize(h_i)))
 *
 * and the parameters are a linear function, zero at first, of u'(h_i), another residual network.
 */
class AugmentedCouplingModel : public CouplingModel {
public:
    enum class Transform { Affine, Spline };
    /** Get the transform of a name, such as "affine". */
    static Transform getTransform(const std::string& name);
    struct Configuration : CouplingModel::Configuration {
        Transform transform = Transform::Affine;
        /** The network: blocks, the heads of their attention and the features of each head, and the width of
         * their residual networks. */
        int blocks = 3, attentionHeads = 4, keySize = 24, hidden = 64;
        /** The width of the residual network that gives the parameters. */
        int headHidden = 64;
    };
    struct BlockPlace {
        /** Biases of keys would not change the attention, and those of values are one with that of its
         * output. */
        LayerPlace query, key, value, attention;
        ResidualPlace feedForward;
        LayerPlace output;
    };
    struct CouplingPlace : CloudSets {
        LayerPlace input;
        /** (types, features) */
        size_t embedding;
        std::vector<BlockPlace> blocks;
        /** The outputs of the last layer are those of the first cloud, then of the next; in each those of x,
         * then of y and z. */
        ResidualPlace head;
        LayerPlace output;
    };
    using Places = LayerPlaces<CouplingPlace>;
    /** Create a model with random hidden layers, whose couplings are the identity. */
    AugmentedCouplingModel(const Particles& particles, const Base& base, const Configuration& configuration,
                           unsigned seed);
    /** Create a model from its parts. Everything is checked. */
    AugmentedCouplingModel(const Particles& particles, const Base& base, const Configuration& configuration,
                           const std::vector<double>& parameters);
    static std::shared_ptr<const AugmentedCouplingModel> read(const TensorFile& file);

    const std::string& getFamily() const override;
    std::string getConfiguration() const override;
    std::shared_ptr<const CouplingModel> withParameters(const std::vector<double>& parameters) const override;
    bool isRotationInvariant() const override { return false; }

    const Configuration& getOptions() const { return configuration; }
    const Places& getPlaces() const { return places; }
    /** Get the number of features of a particle. */
    int getNumFeatures() const { return configuration.attentionHeads * configuration.keySize; }
    /** Get the number of parameters of the function of one coordinate. */
    int getParametersPerCoordinate() const;
    const ParameterLayout& getLayout() const override { return places.layout; }

private:
    AugmentedCouplingModel(const Particles& particles, const Base& base, const Configuration& configuration);
    void checkConfiguration() const;
    void layOut();
    BlockPlace layOutBlock(const std::string& name);
    Configuration configuration;
    Places places;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_AUGMENTEDCOUPLINGMODEL_H_*/
