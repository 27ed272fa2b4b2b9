#include <algorithm>
#include <limits>

#include "InternalFlow.h"
#include "NoiseBlock.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

namespace {

const double LOG_2PI = std::log(2 * M_PI);
// Enough for 32 bins: widths, heights, derivatives and a phase.
constexpr int MAX_PARAMETERS = 3 * MAX_SPLINE_BINS + 1;

Lanes activate(InternalFlowModel::Activation activation, Lanes x) {
    if (activation == InternalFlowModel::Activation::ReLU)
        return SELECT(x > Lanes(0.0), x, Lanes(0.0));
    return x * sigmoid(x);
}

Lanes activationDerivative(InternalFlowModel::Activation activation, Lanes x) {
    if (activation == InternalFlowModel::Activation::ReLU)
        return SELECT(x > Lanes(0.0), Lanes(1.0), Lanes(0.0));
    const Lanes s = sigmoid(x);
    return s * (Lanes(1.0) + x * (Lanes(1.0) - s));
}

/** x = act(x + bias); the argument of the activation is kept in `argument`, if that is not null. */
void activateRows(InternalFlowModel::Activation activation, const Dense& layer, int count, Rows& x,
                  Rows* argument) {
    for (int i = 0; i < layer.outputs; i++) {
        const Lanes bias = layer.bias[i];
        Scalar* row = x.row(i);
        for (int s = 0; s < count; s += LANES) {
            const Lanes a = Lanes::load(row + s) + bias;
            if (argument != nullptr)
                a.store(argument->row(i) + s);
            activate(activation, a).store(row + s);
        }
    }
}

/** x += y + bias. */
void addRows(const Dense& layer, int count, const Rows& y, Rows& x) {
    for (int i = 0; i < layer.outputs; i++) {
        const Lanes bias = layer.bias[i];
        for (int s = 0; s < count; s += LANES)
            (Lanes::load(x.row(i) + s) + Lanes::load(y.row(i) + s) + bias).store(x.row(i) + s);
    }
}

void fillRow(Scalar* row, int count, double value) {
    for (int s = 0; s < count; s += LANES)
        Lanes(value).store(row + s);
}

void loadParameters(const Rows& parameters, const Dense& layer, int offset, int number, int s, Lanes* p) {
    for (int k = 0; k < number; k++)
        p[k] = Lanes::load(parameters.row(offset + k) + s) + Lanes((double)layer.bias[offset + k]);
}

int roundUp(int count) {
    return (count + LANES - 1) / LANES * LANES;
}

}  // namespace

InternalFlowBlock::InternalFlowBlock(const InternalFlow& flow)
    : flow(flow),
      numParticles(flow.coordinates.getNumParticles()),
      z(flow.numCoordinates, COLUMNS),
      values(flow.numCoordinates, COLUMNS),
      logDensity(1, COLUMNS),
      support(1, COLUMNS),
      finite(1, COLUMNS),
      features(flow.numFeatures, COLUMNS),
      hidden(flow.numHidden, COLUMNS),
      inner(flow.numHidden, COLUMNS),
      parameters(std::max(flow.numOutputs, flow.numHidden), COLUMNS),
      positions(3 * numParticles, COLUMNS),
      // Noise comes in pairs; the orientation takes four normal numbers after those of the coordinates.
      numNormals((flow.numLinear + 1) / 2 * 2 + 4),
      numUniforms((flow.numCoordinates - flow.numLinear + 1) / 2 * 2),
      normals(numNormals, COLUMNS),
      uniforms(numUniforms, COLUMNS) {}

InternalFlowBlock::~InternalFlowBlock() = default;

InternalFlowBlock::Reverse::Reverse(const InternalFlow& flow)
    : adjoint(flow.numCoordinates, COLUMNS),
      parameterAdjoint(flow.numOutputs, COLUMNS),
      hiddenAdjoint(flow.numHidden, COLUMNS),
      innerAdjoint(flow.numHidden, COLUMNS),
      featureAdjoint(flow.numFeatures, COLUMNS),
      gradient(3 * flow.coordinates.getNumParticles(), COLUMNS) {
    for (size_t l = 0; l < flow.couplings.size(); l++)
        given.emplace_back(flow.numCoordinates, COLUMNS);
    for (int b = 0; b <= flow.numBlocks; b++)
        arguments.emplace_back(flow.numHidden, COLUMNS);
}

void InternalFlowBlock::computeFeatures(const Coupling& coupling, int count) {
    int k = 0;
    for (int j : coupling.conditioning) {
        const Scalar* source = z.row(j);
        if (flow.coordinates.circular[j]) {
            for (int s = 0; s < count; s += LANES) {
                COS(Lanes::load(source + s)).store(features.row(k) + s);
                SIN(Lanes::load(source + s)).store(features.row(k + 1) + s);
            }
            k += 2;
        } else
            std::copy(source, source + count, features.row(k++));
    }
}

void InternalFlowBlock::computeParameters(const Coupling& coupling, int count) {
    computeFeatures(coupling, count);
    flow.multiply(coupling.input, false, count, features.row(0), hidden.row(0), COLUMNS);
    activateRows(flow.activation, coupling.input, count, hidden,
                 recording ? &reverse->arguments[0] : nullptr);
    // The second product of a block goes to the rows of the parameters, which are not needed yet.
    for (size_t b = 0; b < coupling.blocks.size(); b++) {
        const auto& [first, second] = coupling.blocks[b];
        flow.multiply(first, false, count, hidden.row(0), inner.row(0), COLUMNS);
        activateRows(flow.activation, first, count, inner, recording ? &reverse->arguments[b + 1] : nullptr);
        flow.multiply(second, false, count, inner.row(0), parameters.row(0), COLUMNS);
        addRows(second, count, parameters, hidden);
    }
    flow.multiply(coupling.output, false, count, hidden.row(0), parameters.row(0), COLUMNS);
}

void InternalFlowBlock::applyCoupling(const Coupling& coupling, int count) {
    computeParameters(coupling, count);
    Lanes p[MAX_PARAMETERS];
    int offset = 0;
    for (int j : coupling.transformed) {
        const int circular = flow.coordinates.circular[j];
        for (int s = 0; s < count; s += LANES) {
            loadParameters(parameters, coupling.output, offset, flow.numParameters[j], s, p);
            const SplineResult y = splineForward(Lanes::load(z.row(j) + s), p, 1, flow.shapes[j], circular);
            y.value.store(z.row(j) + s);
            (Lanes::load(logDensity.row(0) + s) - y.logDerivative).store(logDensity.row(0) + s);
        }
        offset += flow.numParameters[j];
    }
}

void InternalFlowBlock::invertCoupling(const Coupling& coupling, int count) {
    computeParameters(coupling, count);
    Lanes p[MAX_PARAMETERS];
    int offset = 0;
    for (int j : coupling.transformed) {
        const int circular = flow.coordinates.circular[j];
        for (int s = 0; s < count; s += LANES) {
            loadParameters(parameters, coupling.output, offset, flow.numParameters[j], s, p);
            const SplineResult x = splineInverse(Lanes::load(z.row(j) + s), p, 1, flow.shapes[j], circular);
            x.value.store(z.row(j) + s);
            (Lanes::load(logDensity.row(0) + s) + x.logDerivative).store(logDensity.row(0) + s);
        }
        offset += flow.numParameters[j];
    }
}

void InternalFlowBlock::backpropagateCoupling(const Coupling& coupling, int count) {
    computeParameters(coupling, count);
    Lanes p[MAX_PARAMETERS], pAdjoint[MAX_PARAMETERS];
    int offset = 0;
    for (int j : coupling.transformed) {
        const int circular = flow.coordinates.circular[j], number = flow.numParameters[j];
        Scalar* adjoint = reverse->adjoint.row(j);
        for (int s = 0; s < count; s += LANES) {
            loadParameters(parameters, coupling.output, offset, number, s, p);
            splineInverseAdjoint(Lanes::load(z.row(j) + s), p, 1, flow.shapes[j], circular,
                                 Lanes::load(adjoint + s), Lanes(1.0), 1, pAdjoint)
                .store(adjoint + s);
            for (int k = 0; k < number; k++)
                pAdjoint[k].store(reverse->parameterAdjoint.row(offset + k) + s);
        }
        offset += number;
    }
    backpropagateParameters(coupling, count);
}

void InternalFlowBlock::backpropagateParameters(const Coupling& coupling, int count) {
    Rows &h = reverse->hiddenAdjoint, &inner = reverse->innerAdjoint;
    auto throughActivation = [&](Rows& adjoint, const Rows& argument) {
        for (int i = 0; i < flow.numHidden; i++)
            for (int s = 0; s < count; s += LANES)
                (Lanes::load(adjoint.row(i) + s)
                 * activationDerivative(flow.activation, Lanes::load(argument.row(i) + s)))
                    .store(adjoint.row(i) + s);
    };
    flow.multiply(coupling.output, true, count, reverse->parameterAdjoint.row(0), h.row(0), COLUMNS);
    for (int b = (int)coupling.blocks.size() - 1; b >= 0; b--) {
        const auto& [first, second] = coupling.blocks[b];
        flow.multiply(second, true, count, h.row(0), inner.row(0), COLUMNS);
        throughActivation(inner, reverse->arguments[b + 1]);
        flow.multiply(first, true, count, inner.row(0), hidden.row(0), COLUMNS);
        for (int i = 0; i < flow.numHidden; i++)
            for (int s = 0; s < count; s += LANES)
                (Lanes::load(h.row(i) + s) + Lanes::load(hidden.row(i) + s)).store(h.row(i) + s);
    }
    throughActivation(h, reverse->arguments[0]);
    Rows& f = reverse->featureAdjoint;
    flow.multiply(coupling.input, true, count, h.row(0), f.row(0), COLUMNS);
    int k = 0;
    for (int j : coupling.conditioning) {
        Scalar* adjoint = reverse->adjoint.row(j);
        for (int s = 0; s < count; s += LANES) {
            Lanes a = Lanes::load(adjoint + s);
            // The features of a circular coordinate are (cos, sin), still there from computeFeatures().
            if (flow.coordinates.circular[j])
                a = a - Lanes::load(features.row(k + 1) + s) * Lanes::load(f.row(k) + s)
                    + Lanes::load(features.row(k) + s) * Lanes::load(f.row(k + 1) + s);
            else
                a = a + Lanes::load(f.row(k) + s);
            a.store(adjoint + s);
        }
        k += flow.coordinates.circular[j] ? 2 : 1;
    }
}

void InternalFlowBlock::drawBase(int count, uint64_t seed, uint64_t first) {
    lanes_double::drawNoise(seed, first, count, COLUMNS, numNormals, normals.row(0), numUniforms,
                            uniforms.row(0));
    fillRow(logDensity.row(0), count, flow.logDensityConstant);
    int linear = 0, circular = 0;
    for (int j = 0; j < flow.numCoordinates; j++) {
        Scalar* row = z.row(j);
        if (flow.coordinates.circular[j]) {
            const double* u = uniforms.row(circular++);
            for (int s = 0; s < count; s++)
                row[s] = M_PI * (2 * u[s] - 1);
        } else {
            const double* n = normals.row(linear++);
            for (int s = 0; s < count; s++)
                row[s] = n[s];
        }
    }
    addBaseLogDensity(count);
}

void InternalFlowBlock::addBaseLogDensity(int count) {
    for (int j = 0; j < flow.numCoordinates; j++) {
        const bool circular = flow.coordinates.circular[j];
        for (int s = 0; s < count; s += LANES) {
            const Lanes x = Lanes::load(z.row(j) + s);
            const Lanes term = circular ? Lanes(LOG_2PI) : Lanes(0.5) * (x * x + Lanes(LOG_2PI));
            (Lanes::load(logDensity.row(0) + s) - term).store(logDensity.row(0) + s);
        }
    }
}

void InternalFlowBlock::sample(int count, uint64_t seed, uint64_t first, double* positionsOut, double* logQ) {
    const int columns = roundUp(count);
    drawBase(columns, seed, first);
    for (const Coupling& coupling : flow.couplings)
        applyCoupling(coupling, columns);
    placeAtoms(columns);
    storePositions(count, positionsOut);
    for (int s = 0; s < count; s++)
        logQ[s] = support.row(0)[s] > 0 ? logDensity.row(0)[s] : std::numeric_limits<double>::infinity();
}

void InternalFlowBlock::computeLogDensity(int count, const double* positionsIn, double* logQ,
                                          double* gradient) {
    const int columns = roundUp(count);
    if (gradient != nullptr && !reverse)
        reverse = std::make_unique<Reverse>(flow);
    recording = gradient != nullptr;
    fillRow(logDensity.row(0), columns, flow.logDensityConstant);
    loadPositions(count, columns, positionsIn);
    measureCoordinates(columns);
    for (int l = (int)flow.couplings.size() - 1; l >= 0; l--) {
        if (recording)
            for (int j = 0; j < flow.numCoordinates; j++)
                std::copy(z.row(j), z.row(j) + columns, reverse->given[l].row(j));
        invertCoupling(flow.couplings[l], columns);
    }
    addBaseLogDensity(columns);
    for (int s = 0; s < count; s++)
        logQ[s] = support.row(0)[s] > 0 ? logDensity.row(0)[s] : -std::numeric_limits<double>::infinity();
    for (int s = 0; s < count; s++)
        if (finite.row(0)[s] == 0)
            logQ[s] = std::numeric_limits<double>::quiet_NaN();
    if (gradient == nullptr)
        return;

    for (int j = 0; j < flow.numCoordinates; j++)
        for (int s = 0; s < columns; s += LANES)
            (flow.coordinates.circular[j] ? Lanes(0.0) : -Lanes::load(z.row(j) + s))
                .store(reverse->adjoint.row(j) + s);
    for (size_t l = 0; l < flow.couplings.size(); l++) {
        for (int j = 0; j < flow.numCoordinates; j++)
            std::copy(reverse->given[l].row(j), reverse->given[l].row(j) + columns, z.row(j));
        backpropagateCoupling(flow.couplings[l], columns);
    }
    backpropagateCoordinates(columns);
    storeGradient(count, gradient);
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow
