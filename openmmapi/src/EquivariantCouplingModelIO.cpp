#include <algorithm>

#include "CouplingModelReader.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/internal/EquivariantCouplingModel.h"

namespace OpenMMFlow {

using nlohmann::json;
using std::string;
using std::vector;

namespace {

/** In the order of EquivariantCouplingModel::Transform. */
const vector<string> transformNames = {"spherical", "cartesian-affine", "cartesian-spline", "vector"};

}  // namespace

EquivariantCouplingModel::Transform EquivariantCouplingModel::getTransform(const string& name) {
    const auto found = std::find(transformNames.begin(), transformNames.end(), name);
    if (found == transformNames.end())
        throw OpenMM::OpenMMException("There is no transform '" + name
                                      + "': choose spherical, cartesian-affine, cartesian-spline or vector.");
    return (Transform)(found - transformNames.begin());
}

std::shared_ptr<const EquivariantCouplingModel> EquivariantCouplingModel::read(const TensorFile& file) {
    CouplingModelReader reader(file);
    ConfigurationReader& entries = reader.getEntries();
    Configuration configuration;
    reader.readConfiguration(configuration);
    configuration.transform = (Transform)entries.getChoice("transform", transformNames);
    configuration.repeats = entries.getInteger("repeats");
    configuration.reflections = entries.getBoolean("reflections");
    configuration.blocks = entries.getInteger("blocks");
    configuration.hidden = entries.getInteger("hidden");
    configuration.features = entries.getInteger("features");
    configuration.headHidden = entries.getInteger("head_hidden");
    reader.readTensors();
    std::shared_ptr<EquivariantCouplingModel> model;
    reader.create([&] {
        model.reset(new EquivariantCouplingModel(reader.getParticles(), reader.getBase(), configuration));
        model->setParameters(model->places.layout, model->places.layout.read(file));
    });
    return model;
}

string EquivariantCouplingModel::getConfiguration() const {
    json result = describeCoupling(*this, configuration);
    result.update({{"transform", transformNames[(int)configuration.transform]},
                   {"repeats", configuration.repeats},
                   {"reflections", configuration.reflections},
                   {"blocks", configuration.blocks},
                   {"hidden", configuration.hidden},
                   {"features", configuration.features},
                   {"head_hidden", configuration.headHidden}});
    return result.dump();
}

}  // namespace OpenMMFlow
