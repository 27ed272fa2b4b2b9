#ifndef OPENMMFLOW_EQUIVARIANTCOUPLINGMODEL_H_
#define OPENMMFLOW_EQUIVARIANTCOUPLINGMODEL_H_

#include <cmath>
#include <vector>

#include "openmmflow/internal/CouplingModel.h"

namespace OpenMMFlow {

/**
 * The SE(3)-equivariant augmented coupling flow (Midgley et al. 2023, arXiv 2308.10364), E-ACF.
 *
 * A coupling's network (EGNN, Satorras et al. 2021, arXiv 2102.09844, fully connected)
 * gives each particle of each cloud that is transformed a frame, built on the same particle of a cloud of the
 * other set, and the parameters of splines or affine functions of the particle's coordinates in that frame.
 *
 * With "u" for a residual network of two layers, u(x) = y + silu(W' normalize(y) + b'), y = silu(W x + b),
 * where normalize() subtracts the mean of the features and divides by their standard deviation, block b of
 * the network of particles with features h and vectors v is
 *
 *     m_ij   = edge(h_i, c_i, h_j, c_j, log(1 + |v_i - v_j|^2))            from j to i
 *     m_i    = sum_j sigmoid(gate(m_ij)) m_ij / sqrt(N-1)
 *     v_i   += sum_j shift(m_ij) (v_i - v_j) / (1 + |v_i - v_j|) / (N-1)
 *     v_ik  += sum_l cross(m_i)_kl (v_ik - v_il) / (1 + |v_ik - v_il|^2) / (V-1)
 *     h_i   += node(m_i, h_i)
 *
 * with V vectors of each particle, and c_i = log(1 + |v_ik - v_il|^2), k < l. In block 0 the vectors are the
 * positions in the other set, c and cross are absent, and |v_i - v_j|^2 is one number a cloud. What a
 * particle's V vectors have moved in the end are its frames. The head of each transform is a residual network
 * of F softmax(h), F the number of features, with a last layer that is zero at first.
 */
class EquivariantCouplingModel : public CouplingModel {
public:
    enum class Transform { Spherical, CartesianAffine, CartesianSpline, Vector };
    /** Get the transform of a name, such as "cartesian-affine". */
    static Transform getTransform(const std::string& name);
    struct Configuration : CouplingModel::Configuration {
        Transform transform = Transform::Spherical;
        /** How often each coupling transforms, each time in a frame of its own. */
        int repeats = 1;
        /** Whether the flow is equivariant to reflections too: functions of the coordinate that a reflection
         * reverses are then odd. */
        bool reflections = false;
        /** The network: blocks, the width of its residual networks, and the features of a particle. */
        int blocks = 3, hidden = 64, features = 128;
        int headHidden = 64;
    };
    struct BlockPlace {
        /** The first layer of `edge` by its inputs: (h_i, c_i), (h_j, c_j) and the squared distances. */
        LayerPlace receiver, sender, distances;
        LayerPlace edge;
        ResidualPlace shift;
        LayerPlace shiftOutput, gate;
        /** Absent in block 0, and with one vector. */
        ResidualPlace cross;
        LayerPlace crossOutput;
        ResidualPlace node;
        LayerPlace nodeOutput;
    };
    struct HeadPlace {
        ResidualPlace hidden;
        LayerPlace output;
    };
    /** The i-th of the clouds that are transformed is transformed in a frame built on the (i mod number)-th
     * of those that tell how. */
    struct CouplingPlace : CloudSets {
        /** (types, features) */
        size_t embedding;
        std::vector<BlockPlace> blocks;
        /** One a repeat; its outputs are those of the first cloud, then of the next. */
        std::vector<HeadPlace> heads;
    };
    using Places = LayerPlaces<CouplingPlace>;
    /** Create a model with random hidden layers, whose couplings are the identity. */
    EquivariantCouplingModel(const Particles& particles, const Base& base, const Configuration& configuration,
                             unsigned seed);
    /** Create a model from its parts. Everything is checked. */
    EquivariantCouplingModel(const Particles& particles, const Base& base, const Configuration& configuration,
                             const std::vector<double>& parameters);
    static std::shared_ptr<const EquivariantCouplingModel> read(const TensorFile& file);

    const std::string& getFamily() const override;
    std::string getConfiguration() const override;
    std::shared_ptr<const CouplingModel> withParameters(const std::vector<double>& parameters) const override;
    bool isRotationInvariant() const override { return true; }

    const Configuration& getOptions() const { return configuration; }
    const Places& getPlaces() const { return places; }
    /** Get the number of vectors that a frame takes: where it starts, and its axes. */
    int getVectorsPerFrame() const;
    /** Get the number of coordinates in a frame that are transformed. */
    int getNumCoordinates() const;
    /** Get the number of parameters of the function of one coordinate. */
    int getParametersPerCoordinate() const;
    /** Get how many vectors of a particle a coupling's network moves. */
    int getNumVectors(const CouplingPlace& coupling) const;
    const ParameterLayout& getLayout() const override { return places.layout; }

private:
    EquivariantCouplingModel(const Particles& particles, const Base& base,
                             const Configuration& configuration);
    void checkConfiguration() const;
    void layOut();
    BlockPlace layOutBlock(const std::string& name, int index, int numVectors, int numClouds);
    Configuration configuration;
    Places places;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_EQUIVARIANTCOUPLINGMODEL_H_*/
