#include "MatrixProducts.h"

#include <cblas.h>
#include <oneapi/dnnl/dnnl.h>

#include "openmm/OpenMMException.h"

// OpenBLAS from PyPI (scipy-openblas32) has a prefix on every name, so that it can live beside another copy.
#define JOIN(a, b) a##b
#define PREFIXED(prefix, name) JOIN(prefix, name)
#ifdef OPENBLAS_SYMBOL_PREFIX
#define BLAS_FUNCTION(name) PREFIXED(OPENBLAS_SYMBOL_PREFIX, name)
#else
#define BLAS_FUNCTION(name) name
#endif

namespace OpenMMFlow {

static void multiplySingle(bool transposeA, int m, int n, int k, const float* a, const float* b, float* c,
                           int columns) {
    if (dnnl_sgemm(transposeA ? 'T' : 'N', 'N', m, n, k, 1.0f, a, transposeA ? m : k, b, columns, 0.0f, c,
                   columns)
        != dnnl_success)
        throw OpenMM::OpenMMException(
            "oneDNN could not compute a matrix product; use the property Precision=double.");
}

static void multiplyDouble(bool transposeA, int m, int n, int k, const double* a, const double* b, double* c,
                           int columns) {
    BLAS_FUNCTION(cblas_dgemm)
    (CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, CblasNoTrans, m, n, k, 1.0, a, transposeA ? m : k,
     b, columns, 0.0, c, columns);
}

const MatrixProducts& getMatrixProducts() {
    static const MatrixProducts products = {multiplySingle, multiplyDouble};
    return products;
}

SingleThreadedBlas::SingleThreadedBlas() : previous(BLAS_FUNCTION(openblas_get_num_threads)()) {
    BLAS_FUNCTION(openblas_set_num_threads)(1);
}

SingleThreadedBlas::~SingleThreadedBlas() {
    BLAS_FUNCTION(openblas_set_num_threads)(previous);
}

}  // namespace OpenMMFlow
