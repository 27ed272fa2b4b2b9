#ifndef OPENMMFLOW_CPUINTERNALFLOW_H_
#define OPENMMFLOW_CPUINTERNALFLOW_H_

#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "CpuFlow.h"
#include "Lanes.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

/** An array of rows, one row a quantity, one column a sample, aligned for vectors. */
template <class T>
class AlignedRows {
public:
    AlignedRows(int rows, int columns) : columns(columns) {
        const size_t bytes = ((size_t)(rows > 0 ? rows : 1) * columns * sizeof(T) + 63) / 64 * 64;
        data.reset((T*)std::aligned_alloc(64, bytes));
        if (!data)
            throw std::bad_alloc();
    }
    T* row(int i) { return data.get() + (size_t)i * columns; }
    const T* row(int i) const { return data.get() + (size_t)i * columns; }

private:
    struct Free {
        void operator()(void* p) const { std::free(p); }
    };
    int columns;
    std::unique_ptr<T[], Free> data;
};

using Rows = AlignedRows<Scalar>;
using Noise = AlignedRows<double>;

struct Dense {
    explicit Dense(const DenseLayer& layer);
    int inputs, outputs;
    std::vector<Scalar> weight, bias;
};

struct Coupling {
    std::vector<int> transformed, conditioning;
    Dense input;
    std::vector<std::pair<Dense, Dense>> blocks;
    Dense output;
};

/** The internal-coordinate spline flow in one precision. */
class InternalFlow : public CpuFlow {
public:
    InternalFlow(const InternalFlowModel& model, const MatrixProducts& products);
    std::unique_ptr<CpuFlowBlock> createBlock() const override;
    /** op(A) B: the product that belongs to this precision. */
    void multiply(const Dense& layer, bool transpose, int count, const Scalar* b, Scalar* c,
                  int columns) const;

    InternalCoordinates coordinates;
    InternalFlowModel::Activation activation;
    std::vector<Coupling> couplings;
    std::vector<SplineShape> shapes;
    std::vector<int> numParameters;
    int numCoordinates, numLinear, numFeatures, numOutputs, numHidden, numBlocks;
    double logDensityConstant;

private:
    MatrixProducts products;
};

/** A block of samples on their way through an InternalFlow. `count` below is a multiple of LANES in private
 * methods. */
class InternalFlowBlock : public CpuFlowBlock {
public:
    static constexpr int COLUMNS = 256;
    explicit InternalFlowBlock(const InternalFlow& flow);
    ~InternalFlowBlock();
    int getBlockSize() const override { return COLUMNS; }
    void sample(int count, uint64_t seed, uint64_t first, double* positions, double* logQ) override;
    void computeLogDensity(int count, const double* positions, double* logQ, double* gradient) override;

private:
    void drawBase(int count, uint64_t seed, uint64_t first);
    void addBaseLogDensity(int count);
    void computeFeatures(const Coupling& coupling, int count);
    /** From the conditioning coordinates to the parameters, which still lack the bias of the last layer. */
    void computeParameters(const Coupling& coupling, int count);
    void applyCoupling(const Coupling& coupling, int count);
    void invertCoupling(const Coupling& coupling, int count);
    /** From what the inverse of a coupling gave to what it was given, for all that is in `reverse`. */
    void backpropagateCoupling(const Coupling& coupling, int count);
    void backpropagateParameters(const Coupling& coupling, int count);

    // InternalFlowGeometry.cpp: between coordinates and positions.
    void placeAtoms(int count);
    void measureCoordinates(int count);
    void backpropagateCoordinates(int count);
    void storePositions(int count, double* positions) const;
    void loadPositions(int count, int columns, const double* positions);
    void storeGradient(int count, double* gradient) const;

    /** What the gradient needs besides, made on first use. */
    struct Reverse {
        explicit Reverse(const InternalFlow& flow);
        /** The coordinates that each coupling was given, and the arguments of the activations of one
         * coupling. */
        std::vector<Rows> given, arguments;
        /** What each quantity is worth: the derivative of log q with respect to it. */
        Rows adjoint, parameterAdjoint, hiddenAdjoint, innerAdjoint, featureAdjoint, gradient;
    };

    const InternalFlow& flow;
    const int numParticles;
    Rows z, values, logDensity, support, finite, features, hidden, inner, parameters, positions;
    const int numNormals, numUniforms;
    Noise normals, uniforms;
    bool recording = false;
    std::unique_ptr<Reverse> reverse;
};

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CPUINTERNALFLOW_H_*/
