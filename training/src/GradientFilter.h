#ifndef OPENMMFLOW_GRADIENTFILTER_H_
#define OPENMMFLOW_GRADIENTFILTER_H_

#include <vector>

#include "openmmflow/FlowTrainer.h"

namespace OpenMMFlow {

/** Decides by its norm, and by those of earlier steps, what becomes of a gradient. */
class GradientFilter {
public:
    explicit GradientFilter(const FlowTrainerOptions& options) : options(options) {}
    /**
     * Get by what a gradient is to be divided, at least 1; infinity if it is to be skipped.
     *
     * @param norm     its norm
     * @param recent   the norms of the latest steps, to which this one is added if it is finite
     */
    double getDivisor(double norm, std::vector<double>& recent) const;

private:
    FlowTrainerOptions options;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_GRADIENTFILTER_H_*/
