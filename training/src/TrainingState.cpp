#include "TrainingState.h"

#include <cmath>
#include <iterator>
#include <type_traits>

#include <ATen/ATen.h>

#include "openmm/OpenMMException.h"

using namespace OpenMMFlow;
using at::Tensor;
using OpenMM::OpenMMException;

namespace {

const char* const FORMAT = "openmm-flow training checkpoint 7";

/** Calls visit(name, member) for each tensor of a state. */
template <typename State, typename Visit>
void forEachTensor(State& state, Visit visit) {
    visit("parameters", state.parameters);
    visit("first_moment", state.firstMoment);
    visit("second_moment", state.secondMoment);
    visit("average", state.average);
    visit("best", state.best);
    visit("curvature", state.curvature);
    visit("bases", state.bases);
}

/** Calls visit(member) for each number of a state. Those that count or are yes or no are integers. */
template <typename State, typename Visit>
void forEachNumber(State& state, Visit visit) {
    visit(state.step);
    visit(state.skippedSteps);
    visit(state.skippedInARow);
    visit(state.bestStep);
    visit(state.validationsSinceBest);
    visit(state.validationNLL);
    visit(state.bestValidationNLL);
    visit(state.bestTrainingNLL);
    visit(state.trainingNLLSum);
    visit(state.trainingNLLCount);
    visit(state.energyEvaluations);
    visit(state.optimizerSteps);
    visit(state.usualObjective);
    visit(state.highInARow);
    visit(state.relapses);
    visit(state.target.proposals);
    visit(state.target.effectiveSampleFraction);
    visit(state.target.paretoK);
    visit(state.target.reverseDivergence);
    visit(state.seconds);
    visit(state.lead);
    visit(state.finished);
}

/** In words, what of an identity has another value in the metadata. */
std::string listDifferences(const std::map<std::string, std::string>& metadata,
                            const std::map<std::string, std::string>& identity) {
    // Longer values, such as lists of blocks, would hide what is said.
    const size_t maxLength = 32;
    std::string result;
    for (const auto& [key, value] : identity) {
        auto found = metadata.find(key);
        const std::string before = found == metadata.end() ? "none" : found->second;
        if (before == value)
            continue;
        result += (result.empty() ? "" : " and ") + key;
        if (before.size() <= maxLength && value.size() <= maxLength)
            result += " (" + before + ", now " + value + ")";
    }
    return result;
}

void readNumber(const TensorFile&, double value, double& number) {
    number = value;
}

template <typename Integer>
void readNumber(const TensorFile& file, double value, Integer& number) {
    // Doubles hold integers exactly up to here.
    const double limit = std::is_same_v<Integer, bool>  ? 1
                         : std::is_same_v<Integer, int> ? 0x1p31 - 1
                                                        : 0x1p53;
    if (!(value >= 0 && value <= limit && value == std::floor(value)))
        file.fail("a count in it is " + std::to_string(value));
    number = (Integer)value;
}

}  // namespace

TrainingState TrainingState::begin(const Tensor& parameters, int64_t numBases) {
    TrainingState state;
    state.parameters = parameters.clone();
    state.firstMoment = at::zeros_like(parameters);
    state.secondMoment = at::zeros_like(parameters);
    state.average = parameters.clone();
    state.best = parameters.clone();
    state.curvature = at::zeros({numBases}, parameters.options());
    state.bases = at::zeros({numBases}, parameters.options());
    return state;
}

double TrainingState::leaveOut() {
    parameters.mutable_grad() = at::full_like(parameters, NAN);
    return INFINITY;
}

void TrainingState::recordValidation(double objective, bool hasBest) {
    validationNLL = objective;
    validationsSinceBest++;
    if (hasBest ? std::isfinite(objective) && !(objective >= bestValidationNLL) : highInARow == 0) {
        bestValidationNLL = objective;
        bestTrainingNLL = getTrainingNLL();
        best.copy_(average);
        bestStep = step;
        validationsSinceBest = 0;
    }
    trainingNLLSum = 0;
    trainingNLLCount = 0;
}

void TrainingState::recordHistory(bool estimated) {
    const TargetEstimate& found = estimated ? target : TargetEstimate();
    history.insert(history.end(), {(double)step, (double)energyEvaluations, seconds, validationNLL,
                                   found.effectiveSampleFraction, found.paretoK});
}

bool TrainingState::isConsistent(int64_t totalSteps) const {
    const bool best = std::isnan(bestValidationNLL) || std::isfinite(bestValidationNLL);
    return lead >= 0 && getPosition() <= (double)totalSteps && optimizerSteps <= step && skippedSteps <= step
           && skippedInARow <= skippedSteps && bestStep <= step && trainingNLLCount <= step
           && validationsSinceBest <= step + 1 && best && seconds >= 0 && std::isfinite(seconds)
           && std::isfinite(trainingNLLSum) && (secondMoment >= 0).all().item<bool>();
}

TensorFile TrainingState::toFile(const std::map<std::string, std::string>& identity) const {
    TensorFile file;
    file.getMetadata() = identity;
    file.getMetadata()["format"] = FORMAT;
    forEachTensor(*this, [&](const char* name, const Tensor& tensor) {
        Tensor values = tensor.detach().to(at::kDouble).contiguous();
        const double* data = values.data_ptr<double>();
        file.setReals(name, {values.numel()}, std::vector<double>(data, data + values.numel()),
                      tensor.scalar_type() == at::kFloat ? TensorFile::Type::F32 : TensorFile::Type::F64);
    });
    std::vector<double> numbers;
    forEachNumber(*this, [&](const auto& number) { numbers.push_back((double)number); });
    file.setReals("numbers", {(int64_t)numbers.size()}, numbers);
    file.setReals("gradient_norms", {(int64_t)gradientNorms.size()}, gradientNorms);
    const int64_t columns = std::size(historyColumns);
    file.setReals("history", {(int64_t)history.size() / columns, columns}, history);
    buffer.save(file);
    return file;
}

void TrainingState::save(const std::string& path, const std::map<std::string, std::string>& identity) const {
    toFile(identity).save(path);
}

TrainingState TrainingState::load(const std::string& path, const std::map<std::string, std::string>& identity,
                                  const TrainingState& begun, int64_t totalSteps) {
    TensorFile file = TensorFile::load(path);
    const auto& metadata = file.getMetadata();
    auto format = metadata.find("format");
    if (format == metadata.end() || format->second != FORMAT)
        throw OpenMMException(
            path + " is not a training checkpoint of this version; name another file for the checkpoint.");
    const std::string differences = listDifferences(metadata, identity);
    if (!differences.empty())
        throw OpenMMException(path + " is the checkpoint of a run with another " + differences
                              + "; delete it or name another file to start anew.");
    TrainingState state = begun;
    state.read(file, totalSteps);
    return state;
}

void TrainingState::share(const ProcessGroup& group, const std::map<std::string, std::string>& identity,
                          int64_t totalSteps) {
    if (group.getSize() == 1)
        return;
    const bool first = group.getRank() == 0;
    const std::string bytes = group.broadcast(first ? toFile(identity).serialize() : "");
    if (first)
        return;
    const TensorFile file = TensorFile::parse(bytes, "What the first process sends");
    const std::string differences = listDifferences(file.getMetadata(), identity);
    if (!differences.empty())
        throw OpenMMException("The first process trains with another " + differences
                              + "; start all processes with the same flow, data and options.");
    read(file, totalSteps);
}

void TrainingState::read(const TensorFile& file, int64_t totalSteps) {
    forEachTensor(*this, [&](const char* name, Tensor& tensor) {
        std::vector<double> values = file.getReals(name, {tensor.numel()});
        tensor = at::tensor(values, at::kDouble).to(tensor.scalar_type());
    });
    int64_t count = 0;
    forEachNumber(*this, [&](auto&) { count++; });
    std::vector<double> numbers = file.getAnyReals("numbers", {count});
    const double* next = numbers.data();
    forEachNumber(*this, [&](auto& number) { readNumber(file, *next++, number); });
    gradientNorms = file.getReals("gradient_norms", file.getShape("gradient_norms"));
    // Estimates that a run does not make are NaN.
    const std::vector<int64_t> shape = file.getShape("history");
    history = file.getAnyReals("history", {shape.empty() ? 0 : shape[0], (int64_t)std::size(historyColumns)});
    buffer.load(file, parameters, step);
    if (!isConsistent(totalSteps))
        file.fail("its numbers contradict each other");
}
