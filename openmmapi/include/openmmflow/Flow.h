#ifndef OPENMMFLOW_FLOW_H_
#define OPENMMFLOW_FLOW_H_

#include <map>
#include <memory>
#include <string>

namespace OpenMMFlow {

class FlowModel;

/**
 * A Flow is a normalizing flow over the configurations of a molecule: a base distribution and an ordered list
 * of transforms, x = T(z), whose probability density is known exactly.
 *
 * A Flow is to a FlowContext what a System is to a Context: it says what the model is, and knows nothing
 * about how or where it is computed. It is immutable, and copies share their storage, so that it can be
 * passed by value.
 *
 * Densities follow one convention for every family of flows: log q(x) is the density with respect to Lebesgue
 * measure on the (3N-3)-dimensional subspace of configurations whose centre of geometry is at the origin, in
 * nm^-(3N-3).
 */
class Flow {
public:
    /**
     * Load a Flow from a safetensors file.
     *
     * @param path   the path of the file
     * @throws OpenMM::OpenMMException if the file cannot be read, is damaged, or was written by a newer
     * version
     */
    static Flow load(const std::string& path);
    /**
     * Save this Flow to a safetensors file. The file is written under a temporary name and then renamed, so
     * that an interrupted call never leaves a damaged file.
     *
     * @param path   the path of the file
     * @throws OpenMM::OpenMMException if the file cannot be written
     */
    void save(const std::string& path) const;
    /** Create a Flow from the bytes of a safetensors file. */
    static Flow fromBytes(const std::string& bytes);
    /** Get the bytes of the safetensors file which save() would write. */
    std::string toBytes() const;
    /** Create a Flow from a model, with descriptive metadata. Used by FlowBuilder and by training. */
    explicit Flow(std::shared_ptr<const FlowModel> model,
                  const std::map<std::string, std::string>& metadata = {});
    /** Get the number of particles, N. */
    int getNumParticles() const;
    /** Get the number of augmented particles, A: 0 unless the family is an augmented one. */
    int getNumAugmentedParticles() const;
    /** Get the name of the family, such as "internal". */
    const std::string& getFamily() const;
    /** Get the configuration of the family (layers, widths, bins, ...) as JSON. */
    std::string getConfiguration() const;
    /**
     * Get descriptive metadata: the provenance of training, the temperature, the atoms. None of it changes
     * log q.
     */
    const std::map<std::string, std::string>& getMetadata() const;
    /** Get a copy of this Flow whose metadata has one entry set to a new value. */
    Flow withMetadata(const std::string& key, const std::string& value) const;
    /**
     * Get a hash of everything that determines log q, as 16 hexadecimal digits. Two Flows with the same hash
     * are the same distribution, whatever their metadata.
     */
    const std::string& getHash() const;
    /** Get the model. For kernels; a script has no need of it. */
    const FlowModel& getModel() const;

private:
    struct Data;
    std::shared_ptr<const Data> data;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_FLOW_H_*/
