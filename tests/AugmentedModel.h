#ifndef OPENMMFLOW_TESTS_AUGMENTEDMODEL_H_
#define OPENMMFLOW_TESTS_AUGMENTEDMODEL_H_

#include <memory>
#include <string>

#include "openmmflow/Flow.h"
#include "openmmflow/internal/FlowModel.h"
#include "openmmflow/internal/TensorFile.h"

namespace OpenMMFlow::tests {

/** A flow with augmented particles that no kernel can evaluate: for what must be refused before. */
inline Flow makeAugmentedFlow(int numParticles) {
    class AugmentedModel : public FlowModel {
    public:
        explicit AugmentedModel(int numParticles) : numParticles(numParticles) {}
        const std::string& getFamily() const override { return family; }
        int getNumParticles() const override { return numParticles; }
        int getNumAugmentedParticles() const override { return numParticles; }
        std::string getConfiguration() const override { return "{}"; }
        void write(TensorFile& file) const override {}

    private:
        std::string family = "augmented";
        int numParticles;
    };
    return Flow(std::make_shared<AugmentedModel>(numParticles));
}

}  // namespace OpenMMFlow::tests

#endif /*OPENMMFLOW_TESTS_AUGMENTEDMODEL_H_*/
