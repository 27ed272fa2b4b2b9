%{
#include "openmmflow/internal/EnsembleWriter.h"
%}

namespace OpenMMFlow {

%rename(_EnsembleWriter) EnsembleWriter;

/** Writes the file of an ensemble as its samples arrive. */
class EnsembleWriter {
public:
    EnsembleWriter(const std::string& path, const WeightedEnsemble& description, long long maxCount, bool hasPositions);
    ~EnsembleWriter();
    void addPositions(const std::vector<double>& positions);
    void finish(const WeightedEnsemble& ensemble);
};

}
