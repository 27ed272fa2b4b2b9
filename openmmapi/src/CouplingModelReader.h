#ifndef OPENMMFLOW_COUPLINGMODELREADER_H_
#define OPENMMFLOW_COUPLINGMODELREADER_H_

#include <functional>
#include <nlohmann/json.hpp>

#include "ConfigurationReader.h"
#include "openmmflow/internal/CouplingModel.h"

namespace OpenMMFlow {

/** Reads what every coupling flow has in its file; the entries of a family are read from getEntries(). */
class CouplingModelReader {
public:
    explicit CouplingModelReader(const TensorFile& file);
    ConfigurationReader& getEntries() { return entries; }
    void readConfiguration(CouplingModel::Configuration& configuration);
    /** Read the tensors that describe particles and base, when the configuration has been read. */
    void readTensors();
    /** Call a function that makes a model; what it finds invalid is an error of the file. */
    void create(const std::function<void()>& make) const;
    const AugmentedFlowModel::Particles& getParticles() const { return particles; }
    const AugmentedFlowModel::Base& getBase() const { return base; }

private:
    const TensorFile& file;
    ConfigurationReader entries;
    AugmentedFlowModel::Particles particles;
    AugmentedFlowModel::Base base;
    int64_t numParticles;
    bool isHarmonic;
};

/** Describe what the reader reads, but the tensors. */
nlohmann::json describeCoupling(const CouplingModel& model,
                                const CouplingModel::Configuration& configuration);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_COUPLINGMODELREADER_H_*/
