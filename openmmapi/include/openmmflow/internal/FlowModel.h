#ifndef OPENMMFLOW_FLOWMODEL_H_
#define OPENMMFLOW_FLOWMODEL_H_

#include <memory>
#include <string>

namespace OpenMMFlow {

class TensorFile;

/**
 * The parameters of one family of flows, validated and ready for a kernel to read. Each family derives from
 * this class; a kernel finds out which one it was given with dynamic_cast.
 */
class FlowModel {
public:
    virtual ~FlowModel() = default;
    /** The name of the family, as it stands in the file. */
    virtual const std::string& getFamily() const = 0;
    virtual int getNumParticles() const = 0;
    virtual int getNumAugmentedParticles() const { return 0; }
    /** The configuration as JSON. */
    virtual std::string getConfiguration() const = 0;
    /** Add the configuration and the tensors to a file. */
    virtual void write(TensorFile& file) const = 0;
    /**
     * Create the model that a file describes.
     *
     * @throws OpenMM::OpenMMException, with a sentence that names what is wrong, on anything that is not a
     * valid model
     */
    static std::shared_ptr<const FlowModel> read(const TensorFile& file);
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_FLOWMODEL_H_*/
