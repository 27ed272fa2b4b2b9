#ifndef OPENMMFLOW_MATRIXPRODUCTS_H_
#define OPENMMFLOW_MATRIXPRODUCTS_H_

#include "CpuFlow.h"

namespace OpenMMFlow {

/** Single precision from oneDNN, whose products of this size are faster; double precision, which it lacks,
 * from OpenBLAS. */
const MatrixProducts& getMatrixProducts();

/** While it lives, OpenBLAS uses the calling threads only: the kernel has threads of its own, one a block of
 * samples. */
class SingleThreadedBlas {
public:
    SingleThreadedBlas();
    ~SingleThreadedBlas();
    SingleThreadedBlas(const SingleThreadedBlas&) = delete;

private:
    int previous;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_MATRIXPRODUCTS_H_*/
