#ifndef OPENMMFLOW_CONDITIONERFEATURES_H_
#define OPENMMFLOW_CONDITIONERFEATURES_H_

#include <vector>

#include "openmmflow/internal/InternalFlowModel.h"
#include "shared/DoubleMath.h"

namespace OpenMMFlow {
namespace shared {

/** What the network of a coupling is given of one sample: the features, as SplineCoupling defines them, with
 * the products that the model places among them. */
inline std::vector<double> computeFeatures(const InternalFlowModel& model, const SplineCoupling& coupling,
                                           const std::vector<InternalFlowModel::FeatureProduct>& products,
                                           const std::vector<double>& z) {
    const auto& circular = model.getCoordinates().circular;
    const int harmonics = model.getOptions().harmonics;
    std::vector<double> features(model.getNumFeatures(coupling));
    int k = 0;
    for (int j : coupling.conditioning) {
        if (circular[j])
            circularFeatures(z[j], harmonics, 1, &features[k]);
        else
            features[k] = z[j];
        k += model.getOptions().getNumFeatures(circular[j]);
    }
    for (const auto& [a, b, place] : products)
        featureProducts(&features[a], &features[b], 1, &features[place]);
    return features;
}

/** Add to what each coordinate is worth, from the features and what each of them is worth. */
inline void backpropagateFeatures(const InternalFlowModel& model, const SplineCoupling& coupling,
                                  const std::vector<InternalFlowModel::FeatureProduct>& products,
                                  const std::vector<double>& features, std::vector<double> adjoint,
                                  std::vector<double>& zAdjoint) {
    const auto& circular = model.getCoordinates().circular;
    const int harmonics = model.getOptions().harmonics;
    for (const auto& [a, b, place] : products)
        featureProductsAdjoint(&features[a], &features[b], &adjoint[place], 1, &adjoint[a], &adjoint[b]);
    int k = 0;
    for (int j : coupling.conditioning) {
        zAdjoint[j] +=
            circular[j] ? circularFeaturesAdjoint(&features[k], &adjoint[k], harmonics, 1) : adjoint[k];
        k += model.getOptions().getNumFeatures(circular[j]);
    }
}

}  // namespace shared
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CONDITIONERFEATURES_H_*/
