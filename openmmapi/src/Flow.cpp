/* The file of a Flow is a safetensors file. Its metadata are
 *
 *   format            "openmm-flow"
 *   format_version    "1"
 *   family            the name of the family, such as "internal"
 *   configuration     a JSON object, which the family defines
 *   metadata.<key>    the descriptive entries: any number, any key, any text
 *
 * and nothing else. The prefix keeps descriptive entries apart from what a reader depends on. The tensors are
 * the family's. docs/file-format.md describes them. */

#include "openmmflow/Flow.h"

#include "Hash.h"
#include "Quote.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/internal/FlowModel.h"
#include "openmmflow/internal/TensorFile.h"

namespace OpenMMFlow {

using std::map;
using std::shared_ptr;
using std::string;

namespace {

const string formatName = "openmm-flow";
const string formatVersion = "1";
const string prefix = "metadata.";

string hashModel(const FlowModel& model) {
    TensorFile file;
    model.write(file);
    Hash hash;
    hash.add(model.getFamily()).add(model.getConfiguration());
    for (const auto& [name, tensor] : file.getTensors()) {
        hash.add(name);
        for (int64_t dimension : tensor.shape)
            hash.add(std::to_string(dimension));
        hash.add(tensor.bytes);
    }
    return hash.toString();
}

void checkFlowFormat(const TensorFile& file) {
    if (file.getMetadata().count("format") == 0 || file.getMetadata("format") != formatName)
        file.fail("it is a safetensors file, but not that of a flow");
    const string& version = file.getMetadata("format_version");
    if (version == formatVersion)
        return;
    bool number =
        !version.empty() && version[0] != '0' && version.find_first_not_of("0123456789") == string::npos;
    if (number)
        file.fail("its format version is " + quote(version) + " and this version of openmm-flow reads up to "
                  + formatVersion + "; install a newer openmm-flow");
    file.fail("its format version " + quote(version) + " makes no sense");
}

Flow readFlow(const TensorFile& file) {
    checkFlowFormat(file);
    map<string, string> metadata;
    for (const auto& [key, value] : file.getMetadata())
        if (key.compare(0, prefix.size(), prefix) == 0)
            metadata[key.substr(prefix.size())] = value;
        else if (key != "format" && key != "format_version" && key != "family" && key != "configuration")
            file.fail("its metadata have the unknown entry " + quote(key));
    shared_ptr<const FlowModel> model = FlowModel::read(file);
    file.requireAllRead();
    return Flow(model, metadata);
}

TensorFile writeFlow(const Flow& flow) {
    TensorFile file;
    flow.getModel().write(file);
    file.getMetadata()["format"] = formatName;
    file.getMetadata()["format_version"] = formatVersion;
    for (const auto& [key, value] : flow.getMetadata())
        file.getMetadata()[prefix + key] = value;
    return file;
}

}  // namespace

struct Flow::Data {
    shared_ptr<const FlowModel> model;
    map<string, string> metadata;
    string hash;
};

Flow::Flow(shared_ptr<const FlowModel> model, const map<string, string>& metadata) {
    if (!model)
        throw OpenMM::OpenMMException("A Flow needs a model.");
    data = std::make_shared<Data>(Data{model, metadata, hashModel(*model)});
}

Flow Flow::load(const string& path) {
    return readFlow(TensorFile::load(path));
}

void Flow::save(const string& path) const {
    writeFlow(*this).save(path);
}

Flow Flow::fromBytes(const string& bytes) {
    return readFlow(TensorFile::parse(bytes, "the bytes of a flow"));
}

string Flow::toBytes() const {
    return writeFlow(*this).serialize();
}

int Flow::getNumParticles() const {
    return data->model->getNumParticles();
}

int Flow::getNumAugmentedParticles() const {
    return data->model->getNumAugmentedParticles();
}

const string& Flow::getFamily() const {
    return data->model->getFamily();
}

string Flow::getConfiguration() const {
    return data->model->getConfiguration();
}

const map<string, string>& Flow::getMetadata() const {
    return data->metadata;
}

Flow Flow::withMetadata(const string& key, const string& value) const {
    Data changed = *data;
    changed.metadata[key] = value;
    Flow result(*this);
    result.data = std::make_shared<Data>(std::move(changed));
    return result;
}

const string& Flow::getHash() const {
    return data->hash;
}

const FlowModel& Flow::getModel() const {
    return *data->model;
}

}  // namespace OpenMMFlow
