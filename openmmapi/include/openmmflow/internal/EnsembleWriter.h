#ifndef OPENMMFLOW_ENSEMBLEWRITER_H_
#define OPENMMFLOW_ENSEMBLEWRITER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "openmmflow/WeightedEnsemble.h"

namespace OpenMMFlow {

class AtomicFile;

/**
 * Writes the file of a WeightedEnsemble while its positions are still being made, so that they need not be in
 * memory all at once. The header is written last, into a space that is reserved for it and padded with
 * blanks, as safetensors allows, so that the file may hold fewer samples than were planned.
 *
 * The file appears under its name on finish(). Without that, nothing is left behind. Every method throws an
 * OpenMM::OpenMMException if the file cannot be written.
 */
class EnsembleWriter {
public:
    /**
     * Start a file.
     *
     * @param path            the path of the file
     * @param description     an ensemble with the metadata and the sample ranges that the final one will have
     * at most
     * @param maxCount        the number of samples that may be written at most
     * @param hasPositions    whether the file holds positions
     */
    EnsembleWriter(const std::string& path, const WeightedEnsemble& description, long long maxCount,
                   bool hasPositions);
    ~EnsembleWriter();
    /** Write the positions of the next samples, (count, N, 3) in nm. */
    void addPositions(const std::vector<double>& positions);
    /** Write all else, and give the file its name. The ensemble has as many samples as positions were added.
     */
    void finish(const WeightedEnsemble& ensemble);

private:
    std::string makeHeader(const WeightedEnsemble& ensemble, long long count) const;
    std::unique_ptr<AtomicFile> file;
    std::string path;
    bool hasPositions;
    size_t headerSize, numCoordinates = 0;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ENSEMBLEWRITER_H_*/
