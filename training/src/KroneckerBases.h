#ifndef OPENMMFLOW_KRONECKERBASES_H_
#define OPENMMFLOW_KRONECKERBASES_H_

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "openmmflow/internal/ParameterLayout.h"

namespace OpenMMFlow {

/**
 * Bases in which the entries of the gradient of each weight matrix are nearly uncorrelated: the eigenvectors
 * of the averages of G G^T and of G^T G, where G is the gradient of that matrix (SOAP; Vyas et al. 2024,
 * arXiv 2409.11321). Sides of a matrix that are too long for an eigenvalue problem, and biases, keep theirs.
 */
class KroneckerBases {
public:
    /** @param layers   the places of the weight matrices in a flat array of parameters */
    explicit KroneckerBases(const std::vector<LayerPlace>& layers);
    /** Get the number of values in all averages, and in all bases. */
    int64_t getSize() const { return size; }
    /** Move the averages towards what a gradient gives, by this fraction of the way. */
    void average(at::Tensor& averages, const at::Tensor& gradient, double fraction) const;
    /** Find the eigenvectors of the averages. */
    void solve(at::Tensor& bases, const at::Tensor& averages) const;
    /** Move bases towards the eigenvectors of the averages, by one step of the orthogonal iteration. */
    void refine(at::Tensor& bases, const at::Tensor& averages) const;
    /** Get an array of parameters in these bases. */
    at::Tensor rotate(const at::Tensor& parameters, const at::Tensor& bases) const;
    /** Get an array of parameters that is given in these bases. */
    at::Tensor rotateBack(const at::Tensor& parameters, const at::Tensor& bases) const;

private:
    /** One side of a matrix. */
    struct Side {
        LayerPlace layer;
        /** Of outputs, rather than of inputs. */
        bool left;
        int64_t length, place;
    };
    template <class Multiply>
    at::Tensor transform(const at::Tensor& parameters, const Multiply& multiply) const;
    static at::Tensor getSquare(const at::Tensor& array, const Side& side);
    static at::Tensor getMatrix(const at::Tensor& array, const LayerPlace& layer);
    std::vector<Side> sides;
    int64_t size = 0;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_KRONECKERBASES_H_*/
