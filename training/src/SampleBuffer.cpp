#include "SampleBuffer.h"

#include <algorithm>

#include "TensorArrays.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/internal/TensorFile.h"

using namespace OpenMMFlow;

namespace {

/** Calls visit(name, member) for each array that has a number for each sample, or none. */
template <typename Buffer, typename Visit>
void forEachArray(Buffer& buffer, Visit visit) {
    visit("buffer_log_q", buffer.logQ);
    visit("buffer_energies", buffer.energies);
    visit("buffer_log_weights", buffer.logWeights);
}

}  // namespace

void OpenMMFlow::roundToSingle(std::vector<double>& values) {
    for (double& value : values)
        value = (float)value;
}

void SampleBuffer::clear() {
    for (std::vector<double>* values : {&coordinates, &logQ, &energies, &logWeights, &stepSizes})
        values->clear();
    proposal = at::Tensor();
    firstStep = -1;
    next = 0;
}

void SampleBuffer::require(bool hasEnergies) const {
    const bool isComplete =
        hasEnergies ? energies.size() == logQ.size() && proposal.defined() : logWeights.size() == logQ.size();
    if (size() == 0 || !isComplete)
        throw OpenMM::OpenMMException(
            "The checkpoint lacks the samples that its objective keeps: delete it to start anew.");
}

void SampleBuffer::add(const double* sample, double sampleLogQ, double logWeight, int64_t capacity) {
    int64_t place = next % std::max<int64_t>(1, size());
    if (size() < capacity) {
        place = size();
        coordinates.resize(coordinates.size() + numCoordinates);
        logQ.push_back(0);
        logWeights.push_back(0);
    }
    std::copy_n(sample, numCoordinates, &coordinates[place * numCoordinates]);
    logQ[place] = sampleLogQ;
    logWeights[place] = logWeight;
    next = (place + 1) % capacity;
}

void SampleBuffer::save(TensorFile& file) const {
    file.setReals("buffer_coordinates", {size(), numCoordinates}, coordinates, TensorFile::Type::F32);
    forEachArray(*this, [&](const char* name, const std::vector<double>& values) {
        file.setReals(name, {(int64_t)values.size()}, values);
    });
    file.setReals("buffer_target", {2}, {target.flowExponent, target.targetExponent});
    file.setIntegers("buffer_counts", {3}, {firstStep, drawn, next});
    file.setReals("step_sizes", {(int64_t)stepSizes.size()}, stepSizes);
    const std::vector<double> values = proposal.defined() ? toVector(proposal) : std::vector<double>();
    file.setReals("proposal", {(int64_t)values.size()}, values,
                  proposal.defined() && proposal.scalar_type() == at::kFloat ? TensorFile::Type::F32
                                                                             : TensorFile::Type::F64);
}

void SampleBuffer::load(const TensorFile& file, const at::Tensor& parameters, int64_t step) {
    const std::vector<int64_t> shape = file.getShape("buffer_log_q");
    const int64_t count = shape.size() == 1 ? shape[0] : 0;
    coordinates = file.getReals("buffer_coordinates", {count, numCoordinates});
    forEachArray(*this, [&](const char* name, std::vector<double>& values) {
        const std::vector<int64_t> size = file.getShape(name);
        values = file.getReals(name, {size.size() == 1 && size[0] == 0 ? 0 : count});
    });
    const std::vector<double> exponents = file.getReals("buffer_target", {2});
    target = {exponents[0], exponents[1]};
    const std::vector<int64_t> counts = file.getIntegers("buffer_counts", {3}, -1, (int64_t)1 << 53);
    firstStep = counts[0];
    drawn = counts[1];
    next = counts[2];
    stepSizes = file.getReals("step_sizes", file.getShape("step_sizes"));
    for (double stepSize : stepSizes)
        if (!(stepSize > 0))
            file.fail("a step size in it is not positive");
    const std::vector<int64_t> proposalShape = file.getShape("proposal");
    if (proposalShape.empty() || proposalShape[0] > 0)
        proposal = at::tensor(file.getReals("proposal", {parameters.numel()})).to(parameters.scalar_type());
    const bool begun = firstStep >= 0;
    if (firstStep > step || drawn < 0 || next < 0 || next > count || begun != (count > 0)
        || std::max(energies.size(), logWeights.size()) != (size_t)count
        || std::min(energies.size(), logWeights.size()) != 0)
        file.fail("its buffer contradicts itself");
}
