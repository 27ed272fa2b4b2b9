#include <algorithm>
#include <limits>

#include "Activations.h"
#include "InternalFlow.h"
#include "NoiseBlock.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

namespace {

const double LOG_2PI = std::log(2 * M_PI);

void fillRow(Rows& rows, int row, int count, double value) {
    for (int s = 0; s < count; s += LANES)
        rows.at(row, s) = Lanes(value);
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
      inner(flow.numHidden, COLUMNS),
      parameters(3 * MAX_SPLINE_BINS + 1, COLUMNS),
      positions(3 * numParticles, COLUMNS),
      // Noise comes in pairs; the orientation takes four normal numbers after those of the coordinates.
      numNormals((flow.numLinear + 1) / 2 * 2 + 4),
      numUniforms((flow.numCoordinates - flow.numLinear + 1) / 2 * 2),
      normals((size_t)numNormals * COLUMNS),
      uniforms((size_t)numUniforms * COLUMNS),
      passing(std::make_unique<CouplingRecord>(flow, false, false, false)),
      record(passing.get()) {}

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
}

CouplingRecord::CouplingRecord(const InternalFlow& flow, bool hasParameters, bool forGradient,
                               bool forWeights)
    : features(flow.numFeatures, InternalFlowBlock::COLUMNS),
      hidden(flow.numHidden, InternalFlowBlock::COLUMNS),
      parameters(hasParameters ? flow.numOutputs : 0, InternalFlowBlock::COLUMNS) {
    auto makeRows = [&] { return Rows(flow.numHidden, InternalFlowBlock::COLUMNS); };
    for (int b = 0; forGradient && b <= flow.numBlocks; b++)
        slopes.push_back(makeRows());
    for (int b = 0; forWeights && b < flow.numBlocks; b++) {
        states.push_back(makeRows());
        inners.push_back(makeRows());
    }
}

void InternalFlowBlock::prepareReverse(bool forWeights) {
    if (reverse)
        return;
    passing = std::make_unique<CouplingRecord>(flow, false, true, forWeights);
    record = passing.get();
    reverse = std::make_unique<Reverse>(flow);
}

void InternalFlowBlock::prepareRecords() {
    // Of each thread, in bytes: a larger flow computes again what it does not keep.
    const size_t largest = (size_t)32 << 20;
    const bool forWeights = !passing->states.empty();
    const size_t numArrays = 2 + flow.numBlocks * (forWeights ? 3 : 1),
                 rows = flow.numFeatures + flow.numOutputs + numArrays * flow.numHidden;
    if (!records.empty() || flow.couplings.size() * rows * COLUMNS * sizeof(Scalar) > largest)
        return;
    std::vector<CouplingRecord> all;
    for (size_t l = 0; l < flow.couplings.size(); l++)
        all.emplace_back(flow, true, true, forWeights);
    records = std::move(all);
}

void InternalFlowBlock::computeFeatures(const Coupling& coupling, int count) {
    const auto& options = flow.model.getOptions();
    Rows& features = record->features;
    for (int s = 0; s < count; s += LANES) {
        int k = 0;
        for (int j : coupling.conditioning) {
            const bool circular = flow.coordinates.circular[j];
            if (circular)
                circularFeatures(z.at(j, s), options.harmonics, Rows::STRIDE, &features.at(k, s));
            else
                features.at(k, s) = z.at(j, s);
            k += options.getNumFeatures(circular);
        }
        for (const auto& [a, b, place] : coupling.products)
            featureProducts(&features.at(a, s), &features.at(b, s), Rows::STRIDE, &features.at(place, s));
    }
}

void InternalFlowBlock::computeHidden(const Coupling& coupling, int count) {
    const auto activation = flow.activation;
    auto activateInto = [&](Rows& result, int layer) {
        Rows* slopes = record->slopes.empty() ? nullptr : &record->slopes[layer];
        return [&result, slopes, activation](int i, int s, Lanes x) {
            result.at(i, s) =
                slopes != nullptr ? activate(activation, x, slopes->at(i, s)) : activate(activation, x);
        };
    };
    computeFeatures(coupling, count);
    const bool forWeights = !record->states.empty();
    auto stateBefore = [&](size_t b) -> Rows& {
        return forWeights && b < coupling.blocks.size() ? record->states[b] : record->hidden;
    };
    coupling.input.weight.multiply(record->features, count, activateInto(stateBefore(0), 0));
    for (size_t b = 0; b < coupling.blocks.size(); b++) {
        const auto& [first, second] = coupling.blocks[b];
        Rows &before = stateBefore(b), &after = stateBefore(b + 1);
        Rows& between = forWeights ? record->inners[b] : inner;
        first.weight.multiply(before, count, activateInto(between, b + 1));
        second.weight.multiply(between, count,
                               [&](int i, int s, Lanes y) { after.at(i, s) = before.at(i, s) + y; });
    }
}

void InternalFlowBlock::applyCoupling(const Coupling& coupling, int count) {
    computeHidden(coupling, count);
    forEachSpline(coupling, count,
                  [&](int j, int s, const SplineShape& shape, auto ends, const Lanes* numbers, Lanes*) {
                      const SplineResult y = splineForward(z.at(j, s), numbers, Rows::STRIDE, shape, ends);
                      z.at(j, s) = y.value;
                      logDensity.at(0, s) = logDensity.at(0, s) - y.logDerivative;
                  });
}

void InternalFlowBlock::invertCoupling(const Coupling& coupling, int count) {
    computeHidden(coupling, count);
    forEachSpline(coupling, count,
                  [&](int j, int s, const SplineShape& shape, auto ends, const Lanes* numbers, Lanes*) {
                      const SplineResult x = splineInverse(z.at(j, s), numbers, Rows::STRIDE, shape, ends);
                      z.at(j, s) = x.value;
                      logDensity.at(0, s) = logDensity.at(0, s) + x.logDerivative;
                  });
}

void InternalFlowBlock::invertCouplings(int count, bool isKept) {
    if (isKept)
        prepareRecords();
    const bool isRecorded = isKept && !records.empty();
    for (int l = (int)flow.couplings.size() - 1; l >= 0; l--) {
        if (isKept)
            reverse->given[l].copyFrom(z, count);
        record = isRecorded ? &records[l] : passing.get();
        invertCoupling(flow.couplings[l], count);
    }
    record = passing.get();
}

void InternalFlowBlock::backpropagateCouplings(int count, const Rows* worths, WeightGradient* gradient) {
    for (size_t l = 0; l < flow.couplings.size(); l++)
        backpropagateCoupling(l, count, worths, gradient);
}

void InternalFlowBlock::backpropagateCoupling(size_t l, int count, const Rows* worths,
                                              WeightGradient* gradient) {
    revisitSplines(
        l, count, [&](int j, int s, const SplineShape& shape, auto ends, const Lanes* numbers, Lanes* worth) {
            Lanes& a = reverse->adjoint.at(j, s);
            a = splineInverseAdjoint(z.at(j, s), numbers, Rows::STRIDE, shape, ends, a,
                                     worths != nullptr ? worths->at(0, s) : Lanes(1.0), Rows::STRIDE, worth);
        });
    backpropagateParameters(l, count, gradient);
    record = passing.get();
}

void InternalFlowBlock::backpropagateParameters(size_t l, int count, WeightGradient* gradient) {
    const Coupling& coupling = flow.couplings[l];
    const InternalFlowModel::CouplingPlace& place = flow.places[l];
    // Of the layer at a place: what its outputs are worth, and what it was given.
    auto addToGradient = [&](const LayerPlace& layer, const Rows& worth, const Rows& given) {
        gradient->add(layer, &worth.at(0, 0), worth.getNumRows(), &given.at(0, 0), given.getNumRows(),
                      count / TILE);
    };
    const Rows& features = record->features;
    Rows &h = reverse->hiddenAdjoint, &inner = reverse->innerAdjoint, &f = reverse->featureAdjoint;
    if (gradient != nullptr)
        addToGradient(place.output, reverse->parameterAdjoint, record->hidden);
    coupling.outputTransposed.multiply(reverse->parameterAdjoint, count,
                                       [&](int i, int s, Lanes y) { h.at(i, s) = y; });
    for (int b = (int)coupling.blocks.size() - 1; b >= 0; b--) {
        const auto& [first, second] = coupling.blocks[b];
        const Rows& slopes = record->slopes[b + 1];
        second.transposed.multiply(h, count,
                                   [&](int i, int s, Lanes y) { inner.at(i, s) = y * slopes.at(i, s); });
        if (gradient != nullptr) {
            addToGradient(place.blocks[b].second, h, record->inners[b]);
            addToGradient(place.blocks[b].first, inner, record->states[b]);
        }
        first.transposed.multiply(inner, count, [&](int i, int s, Lanes y) { h.at(i, s) = h.at(i, s) + y; });
    }
    for (int i = 0; i < flow.numHidden; i++)
        for (int s = 0; s < count; s += LANES)
            h.at(i, s) = h.at(i, s) * record->slopes[0].at(i, s);
    if (gradient != nullptr)
        addToGradient(place.input, h, features);
    coupling.input.transposed.multiply(h, count, [&](int i, int s, Lanes y) { f.at(i, s) = y; });
    // The features are still there from computeFeatures().
    const auto& options = flow.model.getOptions();
    for (int s = 0; s < count; s += LANES) {
        for (const auto& [a, b, place] : coupling.products)
            featureProductsAdjoint(&features.at(a, s), &features.at(b, s), &f.at(place, s), Rows::STRIDE,
                                   &f.at(a, s), &f.at(b, s));
        int k = 0;
        for (int j : coupling.conditioning) {
            const bool circular = flow.coordinates.circular[j];
            Lanes& worth = reverse->adjoint.at(j, s);
            worth = worth
                    + (circular ? circularFeaturesAdjoint(&features.at(k, s), &f.at(k, s), options.harmonics,
                                                          Rows::STRIDE)
                                : f.at(k, s));
            k += options.getNumFeatures(circular);
        }
    }
}

void InternalFlowBlock::startFromBase(int count) {
    for (int j = 0; j < flow.numCoordinates; j++)
        for (int s = 0; s < count; s += LANES)
            reverse->adjoint.at(j, s) = flow.coordinates.circular[j] ? Lanes(0.0) : -z.at(j, s);
}

void InternalFlowBlock::invertCouplingsOfOne() {
    if (!one)
        one = std::make_unique<OneSampleCouplings>(flow.getOneSampleFlow());
    coordinatesOfOne.resize(flow.numCoordinates);
    for (int j = 0; j < flow.numCoordinates; j++)
        coordinatesOfOne[j] = z.scalar(j, 0);
    const Lanes logDerivative = one->invert(coordinatesOfOne);
    for (int j = 0; j < flow.numCoordinates; j++)
        z.at(j, 0) = Lanes(coordinatesOfOne[j]);
    logDensity.at(0, 0) = logDensity.at(0, 0) + logDerivative;
}

void InternalFlowBlock::backpropagateCouplingsOfOne() {
    for (int j = 0; j < flow.numCoordinates; j++)
        coordinatesOfOne[j] = reverse->adjoint.scalar(j, 0);
    one->backpropagate(coordinatesOfOne);
    for (int j = 0; j < flow.numCoordinates; j++)
        reverse->adjoint.at(j, 0) = Lanes(coordinatesOfOne[j]);
}

void InternalFlowBlock::drawBase(int count, uint64_t seed, uint64_t first) {
    lanes_double::drawNoise(seed, first, count, COLUMNS, numNormals, normals.data(), numUniforms,
                            uniforms.data());
    fillRow(logDensity, 0, count, flow.logDensityConstant);
    int linear = 0, circular = 0;
    for (int j = 0; j < flow.numCoordinates; j++) {
        if (flow.coordinates.circular[j]) {
            const double* u = &uniforms[(size_t)COLUMNS * circular++];
            for (int s = 0; s < count; s++)
                z.scalar(j, s) = M_PI * (2 * u[s] - 1);
        } else {
            const double* n = &normals[(size_t)COLUMNS * linear++];
            for (int s = 0; s < count; s++)
                z.scalar(j, s) = n[s];
        }
    }
    addBaseLogDensity(count);
}

void InternalFlowBlock::addBaseLogDensity(int count) {
    for (int j = 0; j < flow.numCoordinates; j++) {
        const bool circular = flow.coordinates.circular[j];
        for (int s = 0; s < count; s += LANES) {
            const Lanes x = z.at(j, s);
            const Lanes term = circular ? Lanes(LOG_2PI) : Lanes(0.5) * (x * x + Lanes(LOG_2PI));
            logDensity.at(0, s) = logDensity.at(0, s) - term;
        }
    }
}

void InternalFlowBlock::sample(int count, uint64_t seed, uint64_t first, double* positionsOut, double* logQ) {
    const int columns = roundUpToTile(count);
    drawBase(columns, seed, first);
    for (const Coupling& coupling : flow.couplings)
        applyCoupling(coupling, columns);
    placeAtoms(columns);
    storePositions(count, positionsOut);
    for (int s = 0; s < count; s++)
        logQ[s] =
            support.scalar(0, s) > 0 ? logDensity.scalar(0, s) : std::numeric_limits<double>::infinity();
}

void InternalFlowBlock::computeLogDensity(int count, const double* positionsIn, double* logQ,
                                          double* gradient) {
    computeLogDensity(count, roundUpToTile(count), false, positionsIn, logQ, gradient);
}

double InternalFlowBlock::computeLogDensityOfOne(const double* positionsIn, double* gradient) {
    double logQ;
    computeLogDensity(1, LANES, true, positionsIn, &logQ, gradient);
    return logQ;
}

void InternalFlowBlock::computeLogDensity(int count, int columns, bool isOne, const double* positionsIn,
                                          double* logQ, double* gradient) {
    if (gradient != nullptr)
        prepareReverse(false);
    fillRow(logDensity, 0, columns, flow.logDensityConstant);
    loadPositions(count, columns, positionsIn);
    measureCoordinates(columns);
    if (isOne)
        invertCouplingsOfOne();
    else
        invertCouplings(columns, gradient != nullptr);
    addBaseLogDensity(columns);
    for (int s = 0; s < count; s++)
        logQ[s] =
            support.scalar(0, s) > 0 ? logDensity.scalar(0, s) : -std::numeric_limits<double>::infinity();
    for (int s = 0; s < count; s++)
        if (finite.scalar(0, s) == 0)
            logQ[s] = std::numeric_limits<double>::quiet_NaN();
    if (gradient == nullptr)
        return;

    startFromBase(columns);
    if (isOne)
        backpropagateCouplingsOfOne();
    else
        backpropagateCouplings(columns);
    backpropagateCoordinates(columns);
    storeGradient(count, gradient);
    for (int s = 0; s < count; s++)
        if (!std::isfinite(logQ[s]))
            std::fill_n(gradient + (size_t)s * 3 * numParticles, 3 * numParticles,
                        std::numeric_limits<double>::quiet_NaN());
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow
