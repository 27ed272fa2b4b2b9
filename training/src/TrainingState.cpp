#include "TrainingState.h"

#include <cmath>
#include <vector>

#include <ATen/ATen.h>

#include "openmm/OpenMMException.h"
#include "openmmflow/internal/TensorFile.h"

using namespace OpenMMFlow;
using at::Tensor;
using OpenMM::OpenMMException;

namespace {

const char* const FORMAT = "openmm-flow training checkpoint 1";

/** Calls visit(name, member) for each tensor of a state. */
template <typename State, typename Visit>
void forEachTensor(State& state, Visit visit) {
    visit("parameters", state.parameters);
    visit("first_moment", state.firstMoment);
    visit("second_moment", state.secondMoment);
    visit("average", state.average);
    visit("best", state.best);
}

/** Calls visit(member) for each number of a state. */
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
    visit(state.target.proposals);
    visit(state.target.effectiveSampleFraction);
    visit(state.target.paretoK);
    visit(state.seconds);
    visit(state.finished);
}

}  // namespace

TrainingState TrainingState::begin(const Tensor& parameters) {
    TrainingState state;
    state.parameters = parameters.clone();
    state.firstMoment = at::zeros_like(parameters);
    state.secondMoment = at::zeros_like(parameters);
    state.average = parameters.clone();
    state.best = parameters.clone();
    return state;
}

void TrainingState::recordValidation(double nll) {
    validationNLL = nll;
    validationsSinceBest++;
    if (std::isfinite(nll) && !(nll >= bestValidationNLL)) {
        bestValidationNLL = nll;
        bestTrainingNLL = getTrainingNLL();
        best.copy_(average);
        bestStep = step;
        validationsSinceBest = 0;
    }
    trainingNLLSum = 0;
    trainingNLLCount = 0;
}

void TrainingState::save(const std::string& path, const std::map<std::string, std::string>& identity) const {
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
    file.save(path);
}

TrainingState TrainingState::load(const std::string& path, const std::map<std::string, std::string>& identity,
                                  const Tensor& parameters) {
    TensorFile file = TensorFile::load(path);
    const auto& metadata = file.getMetadata();
    auto format = metadata.find("format");
    if (format == metadata.end() || format->second != FORMAT)
        throw OpenMMException(
            path + " is not a training checkpoint of this version; name another file for the checkpoint.");
    for (const auto& [key, value] : identity) {
        auto found = metadata.find(key);
        if (found == metadata.end() || found->second != value)
            throw OpenMMException(path + " is the checkpoint of a run with another " + key + " ("
                                  + (found == metadata.end() ? "none" : found->second) + ", now " + value
                                  + "); delete it or name another file to start anew.");
    }
    TrainingState state = begin(parameters);
    forEachTensor(state, [&](const char* name, Tensor& tensor) {
        std::vector<double> values = file.getReals(name, {parameters.numel()});
        tensor = at::tensor(values, at::kDouble).to(parameters.scalar_type());
    });
    int64_t count = 0;
    forEachNumber(state, [&](auto&) { count++; });
    std::vector<double> numbers = file.getAnyReals("numbers", {count});
    const double* next = numbers.data();
    forEachNumber(state, [&](auto& number) { number = (std::decay_t<decltype(number)>)*next++; });
    return state;
}
