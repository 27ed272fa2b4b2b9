#ifndef OPENMMFLOW_COUPLINGMODEL_H_
#define OPENMMFLOW_COUPLINGMODEL_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "openmmflow/internal/AugmentedFlowModel.h"
#include "openmmflow/internal/ParameterLayout.h"

namespace OpenMMFlow {

/**
 * What the families of coupling flows over joint configurations (x, a) have in common: layers of two
 * couplings, and parameters in one array.
 *
 * The clouds (x, and the copies of a) form two sets; cloud 0, x, is in the first, which is the larger. A
 * layer is a scaling, if there is one, a coupling that transforms the second set given the first, and one
 * that transforms the first given the second.
 *
 * All lengths inside are in units of `lengthUnit`.
 */
class CouplingModel : public AugmentedFlowModel {
public:
    struct Configuration {
        bool scaling = false;
        int layers = 12;
        int bins = 8;
        /** Splines act on distances in (0, range) and on Cartesian coordinates in (-range, range), in nm, and
         * are straight lines beyond. */
        double range = 10;
        double minBinFraction = 1e-4, minDerivative = 1e-4;
        /** The length that is 1 for the networks, in nm. */
        double lengthUnit = 1;
    };
    /** The clouds that a coupling transforms, and those that tell how. */
    struct CloudSets {
        std::vector<int> transformed, conditioning;
    };
    template <class CouplingPlace>
    struct LayerPlaces {
        ParameterLayout layout;
        /** One a layer: a logit for the size of each cloud, then one for the distance of the centre of each
         * copy from that of x. Empty without scaling. */
        std::vector<size_t> scaling;
        std::vector<CouplingPlace> couplings;
    };
    void write(TensorFile& file) const override;
    const std::vector<double>& getParameters() const { return parameters; }
    int getNumClouds() const { return getParticles().copies + 1; }
    /** Create a model that differs in its parameters. */
    virtual std::shared_ptr<const CouplingModel> withParameters(
        const std::vector<double>& parameters) const = 0;
    /** Whether the density does not depend on orientation. */
    virtual bool isRotationInvariant() const = 0;
    /** Get the names and places of the parameters. */
    virtual const ParameterLayout& getLayout() const = 0;

protected:
    /** @param description   what errors call the model, such as "equivariant coupling flow" */
    CouplingModel(const std::string& description, const Particles& particles, const Base& base,
                  const Configuration& configuration);
    [[noreturn]] void fail(const std::string& reason) const;
    void checkNumber(const char* subject, int value, int minimum, int maximum) const;
    void checkNumParameters(double count) const;
    /** Add the scaling of each layer to a layout, and call addCoupling(name, sets) for each coupling. */
    void layOutLayers(const Configuration& configuration, ParameterLayout& layout,
                      std::vector<size_t>& scaling,
                      const std::function<void(const std::string&, const CloudSets&)>& addCoupling) const;
    void createParameters(const ParameterLayout& layout, unsigned seed);
    void setParameters(const ParameterLayout& layout, const std::vector<double>& values);

private:
    std::string description;
    std::vector<double> parameters;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_COUPLINGMODEL_H_*/
