#include <utility>

#include "openmm/OpenMMException.h"
#include "openmmflow/internal/InternalFlowModel.h"

using namespace OpenMMFlow;
using namespace std;

namespace {

/** Calls visit(layer) for each layer of a coupling, or its place, in the order of the parameters. */
template <class Coupling, class Visit>
void visitLayers(Coupling& coupling, const Visit& visit) {
    visit(coupling.input);
    for (auto& [first, second] : coupling.blocks) {
        visit(first);
        visit(second);
    }
    visit(coupling.output);
}

}  // namespace

vector<InternalFlowModel::CouplingPlace> InternalFlowModel::getPlaces() const {
    vector<CouplingPlace> places;
    size_t next = 0;
    for (const SplineCoupling& coupling : couplings) {
        CouplingPlace place;
        place.blocks.resize(coupling.blocks.size());
        vector<LayerPlace*> layers;
        visitLayers(place, [&](LayerPlace& layer) { layers.push_back(&layer); });
        size_t index = 0;
        visitLayers(coupling, [&](const DenseLayer& layer) {
            const size_t bias = next + layer.weight.size();
            *layers[index++] = {layer.inputs, layer.outputs, next, bias};
            next = bias + layer.bias.size();
        });
        places.push_back(place);
    }
    return places;
}

vector<double> InternalFlowModel::getParameters() const {
    vector<double> parameters;
    for (const SplineCoupling& coupling : couplings)
        visitLayers(coupling, [&](const DenseLayer& layer) {
            parameters.insert(parameters.end(), layer.weight.begin(), layer.weight.end());
            parameters.insert(parameters.end(), layer.bias.begin(), layer.bias.end());
        });
    return parameters;
}

shared_ptr<const InternalFlowModel> InternalFlowModel::withParameters(
    const vector<double>& parameters) const {
    vector<SplineCoupling> changed = couplings;
    size_t next = 0;
    for (SplineCoupling& coupling : changed)
        visitLayers(coupling, [&](DenseLayer& layer) {
            for (vector<double>* values : {&layer.weight, &layer.bias}) {
                if (next + values->size() > parameters.size())
                    throw OpenMM::OpenMMException("There are fewer parameters than the flow has.");
                values->assign(&parameters[next], &parameters[next] + values->size());
                next += values->size();
            }
        });
    if (next != parameters.size())
        throw OpenMM::OpenMMException("There are more parameters than the flow has.");
    return make_shared<InternalFlowModel>(coordinates, configuration, changed);
}
