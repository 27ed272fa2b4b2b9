#ifndef OPENMMFLOW_EQUIVARIANTCOUPLINGMODEL_H_
#define OPENMMFLOW_EQUIVARIANTCOUPLINGMODEL_H_

#include <cmath>
#include <vector>

#include "openmmflow/internal/AugmentedFlowModel.h"
#include "openmmflow/internal/ParameterLayout.h"

namespace OpenMMFlow {

/**
 * The SE(3)-equivariant augmented coupling flow (Midgley et al. 2023, arXiv 2308.10364), E-ACF.
 *
 * The clouds (x, and the copies of a) form two sets; cloud 0, x, is in the first. A layer is a scaling, if
 * there is one, a coupling that transforms the second set given the first, and one that transforms the first
 * given the second. A coupling's network (EGNN, Satorras et al. 2021, arXiv 2102.09844, fully connected)
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
 *
 * All lengths inside are in units of `lengthUnit`.
 */
class EquivariantCouplingModel : public AugmentedFlowModel {
public:
    enum class Transform { Spherical, CartesianAffine, CartesianSpline, Vector };
    /** Get the transform of a name, such as "cartesian-affine". */
    static Transform getTransform(const std::string& name);
    struct Configuration {
        Transform transform = Transform::Spherical;
        /** How often each coupling transforms, each time in a frame of its own. */
        int repeats = 1;
        /** Whether the flow is equivariant to reflections too: functions of the coordinate that a reflection
         * reverses are then odd. */
        bool reflections = false;
        bool scaling = false;
        int layers = 12;
        /** The network: blocks, the width of its residual networks, and the features of a particle. */
        int blocks = 3, hidden = 64, features = 128;
        int headHidden = 64;
        int bins = 8;
        /** Splines act on distances in (0, range) and on Cartesian coordinates in (-range, range), in nm, and
         * are straight lines beyond. */
        double range = 10;
        double minBinFraction = 1e-4, minDerivative = 1e-4;
        /** The length that is 1 for the networks, in nm. */
        double lengthUnit = 1;
    };
    /** A residual network of two layers, without what follows. */
    struct ResidualPlace {
        LayerPlace first, second;
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
    struct CouplingPlace {
        /** The clouds that are transformed, and those that tell how: the i-th of the former is transformed in
         * a frame built on the (i mod number)-th of the latter. */
        std::vector<int> transformed, conditioning;
        /** (types, features) */
        size_t embedding;
        std::vector<BlockPlace> blocks;
        /** One a repeat; its outputs are those of the first cloud, then of the next. */
        std::vector<HeadPlace> heads;
    };
    struct Places {
        ParameterLayout layout;
        /** One a layer: a logit for the size of each cloud, then one for the distance of the centre of each
         * copy from that of x. Empty without scaling. */
        std::vector<size_t> scaling;
        std::vector<CouplingPlace> couplings;
    };
    /** Create a model with random hidden layers, whose couplings are the identity. */
    EquivariantCouplingModel(const Particles& particles, const Base& base, const Configuration& configuration,
                             unsigned seed);
    /** Create a model from its parts. Everything is checked. */
    EquivariantCouplingModel(const Particles& particles, const Base& base, const Configuration& configuration,
                             const std::vector<double>& parameters);
    static std::shared_ptr<const EquivariantCouplingModel> read(const TensorFile& file);

    const std::string& getFamily() const override;
    std::string getConfiguration() const override;
    void write(TensorFile& file) const override;

    const Configuration& getOptions() const { return configuration; }
    const Places& getPlaces() const { return places; }
    const std::vector<double>& getParameters() const { return parameters; }
    int getNumClouds() const { return getParticles().copies + 1; }
    /** Get the number of vectors that a frame takes: where it starts, and its axes. */
    int getVectorsPerFrame() const;
    /** Get the number of coordinates in a frame that are transformed. */
    int getNumCoordinates() const;
    /** Get the number of parameters of the function of one coordinate. */
    int getParametersPerCoordinate() const;
    /** Get how many vectors of a particle a coupling's network moves. */
    int getNumVectors(const CouplingPlace& coupling) const;

private:
    EquivariantCouplingModel(const Particles& particles, const Base& base,
                             const Configuration& configuration);
    void setParameters(const std::vector<double>& values);
    void layOut();
    BlockPlace layOutBlock(const std::string& name, int index, int numVectors, int numClouds);
    ResidualPlace layOutResidual(const std::string& name, int inputs, int hidden);
    Configuration configuration;
    Places places;
    std::vector<double> parameters;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_EQUIVARIANTCOUPLINGMODEL_H_*/
