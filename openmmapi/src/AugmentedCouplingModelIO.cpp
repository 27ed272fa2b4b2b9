#include <algorithm>

#include "CouplingModelReader.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/internal/AugmentedCouplingModel.h"

namespace OpenMMFlow {

using nlohmann::json;
using std::string;
using std::vector;

namespace {

/** In the order of AugmentedCouplingModel::Transform. */
const vector<string> coordinateTransformNames = {"affine", "spline"};

}  // namespace

AugmentedCouplingModel::Transform AugmentedCouplingModel::getTransform(const string& name) {
    const auto found = std::find(coordinateTransformNames.begin(), coordinateTransformNames.end(), name);
    if (found == coordinateTransformNames.end())
        throw OpenMM::OpenMMException("There is no transform '" + name + "': choose affine or spline.");
    return (Transform)(found - coordinateTransformNames.begin());
}

std::shared_ptr<const AugmentedCouplingModel> AugmentedCouplingModel::read(const TensorFile& file) {
    CouplingModelReader reader(file);
    ConfigurationReader& entries = reader.getEntries();
    Configuration configuration;
    reader.readConfiguration(configuration);
    configuration.transform = (Transform)entries.getChoice("transform", coordinateTransformNames);
    configuration.blocks = entries.getInteger("blocks");
    configuration.attentionHeads = entries.getInteger("attention_heads");
    configuration.keySize = entries.getInteger("key_size");
    configuration.hidden = entries.getInteger("hidden");
    configuration.headHidden = entries.getInteger("head_hidden");
    reader.readTensors();
    std::shared_ptr<AugmentedCouplingModel> model;
    reader.create([&] {
        model.reset(new AugmentedCouplingModel(reader.getParticles(), reader.getBase(), configuration));
        model->setParameters(model->places.layout, model->places.layout.read(file));
    });
    return model;
}

string AugmentedCouplingModel::getConfiguration() const {
    json result = describeCoupling(*this, configuration);
    result.update({{"transform", coordinateTransformNames[(int)configuration.transform]},
                   {"blocks", configuration.blocks},
                   {"attention_heads", configuration.attentionHeads},
                   {"key_size", configuration.keySize},
                   {"hidden", configuration.hidden},
                   {"head_hidden", configuration.headHidden}});
    return result.dump();
}

}  // namespace OpenMMFlow
