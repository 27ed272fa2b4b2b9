#ifndef OPENMMFLOW_INTERNALFLOWMODEL_H_
#define OPENMMFLOW_INTERNALFLOWMODEL_H_

#include <cmath>
#include <vector>

#include "openmmflow/internal/FlowModel.h"
#include "openmmflow/internal/InternalCoordinates.h"
#include "openmmflow/internal/ParameterLayout.h"

namespace OpenMMFlow {

/** A dense layer, y = W x + b; the weight is row-major, (outputs, inputs). */
struct DenseLayer {
    int inputs, outputs;
    std::vector<double> weight, bias;
};

/**
 * One coupling of the internal family: monotonic rational-quadratic splines (Durkan et al. 2019, arXiv
 * 1906.04032) on the `transformed` coordinates, circular ones (Rezende et al. 2020, arXiv 2002.02428) where
 * the coordinate is, whose parameters are a residual network of the `conditioning` coordinates.
 *
 * The features are, in the order of `conditioning`, z of a linear coordinate, and the harmonics cos z, sin z,
 * cos 2z, sin 2z ... of a circular one; then, if products are asked for, the products (cos cos, cos sin, sin
 * cos, sin sin) of each two circular ones. The network is h = act(input(f)), then h += second(act(first(h)))
 * for each block, then output(h). Its outputs are, in the order of `transformed`, for a linear coordinate L
 * widths, L heights, L-1 derivatives; for a circular one K widths, K heights, K derivatives and a phase.
 */
struct SplineCoupling {
    std::vector<int> transformed, conditioning;
    DenseLayer input;
    std::vector<std::pair<DenseLayer, DenseLayer>> blocks;
    DenseLayer output;
};

/**
 * The internal-coordinate spline flow: standard normal base for linear coordinates (standardised) and uniform
 * base on
 * (-pi, pi) for circular ones, couplings, internal coordinates, uniform orientation.
 */
class InternalFlowModel : public FlowModel {
public:
    enum class Activation { ReLU, SiLU };
    struct Configuration {
        int couplings = 12;
        int hidden = 128;
        int blocks = 2;
        /** K and L, of circular and of linear splines. */
        int bins = 8;
        int linearBins = 4;
        /** The harmonics of each circular coordinate among the features, and whether products are. */
        int harmonics = 4;
        bool products = true;
        Activation activation = Activation::SiLU;
        /** Linear splines act on (-tailBound, tailBound) in standardised units, and are the identity outside.
         */
        double tailBound = 5.0;
        double minBinFraction = 1e-3;
        double minDerivative = 1e-3;

        /** Get half the width of the interval that a spline acts on. */
        double getBound(bool circular) const { return circular ? M_PI : tailBound; }
        int getBins(bool circular) const { return circular ? bins : linearBins; }
        int getNumSplineParameters(bool circular) const {
            return 3 * getBins(circular) + (circular ? 1 : -1);
        }
        /** Get the number of features of one coordinate, without products. */
        int getNumFeatures(bool circular) const { return circular ? 2 * harmonics : 1; }
    };
    /**
     * Create a model whose couplings have random hidden layers and zero output layers: every spline is the
     * identity.
     *
     * @param seed   determines the masks and the hidden layers
     */
    InternalFlowModel(const InternalCoordinates& coordinates, const Configuration& configuration,
                      unsigned seed);
    /** Create a model from its parts. Everything is checked. */
    InternalFlowModel(const InternalCoordinates& coordinates, const Configuration& configuration,
                      const std::vector<SplineCoupling>& couplings);
    static std::shared_ptr<const InternalFlowModel> read(const TensorFile& file);

    const std::string& getFamily() const override;
    int getNumParticles() const override { return coordinates.getNumParticles(); }
    std::string getConfiguration() const override;
    void write(TensorFile& file) const override;

    const InternalCoordinates& getCoordinates() const { return coordinates; }
    const Configuration& getOptions() const { return configuration; }
    const std::vector<SplineCoupling>& getCouplings() const { return couplings; }
    /** Where the layers of a coupling stand among the parameters. */
    struct CouplingPlace {
        LayerPlace input;
        std::vector<std::pair<LayerPlace, LayerPlace>> blocks;
        LayerPlace output;
    };
    std::vector<CouplingPlace> getPlaces() const;
    /** Get the parameters as one array: coupling by coupling and layer by layer, weights, then biases. */
    std::vector<double> getParameters() const;
    /**
     * Create the same model with other parameters.
     *
     * @throws OpenMM::OpenMMException if there are not as many, or one is not finite in single precision
     */
    std::shared_ptr<const InternalFlowModel> withParameters(const std::vector<double>& parameters) const;
    int getNumFeatures(const SplineCoupling& coupling) const;
    /** Two circular coordinates, by where their features begin, and where the products of these begin. */
    struct FeatureProduct {
        int first, second, place;
    };
    /** Get the products among the features of a coupling, in ascending order of the coordinates. */
    std::vector<FeatureProduct> getFeatureProducts(const SplineCoupling& coupling) const;
    int getNumOutputs(const SplineCoupling& coupling) const;
    /**
     * The part of -log|det| that does not depend on the configuration: the scales of the linear coordinates,
     * the volume of SO(3), and the step from positions relative to one atom to the zero-centre subspace: -sum
     * log scale - log 8 pi^2 + 3/2 log N.
     */
    double getLogDensityConstant() const;

private:
    InternalCoordinates coordinates;
    Configuration configuration;
    std::vector<SplineCoupling> couplings;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_INTERNALFLOWMODEL_H_*/
