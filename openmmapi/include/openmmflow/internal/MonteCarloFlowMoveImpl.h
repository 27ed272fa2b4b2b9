#ifndef OPENMMFLOW_MONTECARLOFLOWMOVEIMPL_H_
#define OPENMMFLOW_MONTECARLOFLOWMOVEIMPL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "openmm/internal/ContextImpl.h"
#include "openmm/internal/ForceImpl.h"
#include "openmmflow/MonteCarloFlowMove.h"

namespace OpenMMFlow {

class FlowProposals;
class MoveEnergies;

/** A MonteCarloFlowMove in a Context: host code that calls public methods of ContextImpl only. */
class MonteCarloFlowMoveImpl : public OpenMM::ForceImpl {
public:
    explicit MonteCarloFlowMoveImpl(const MonteCarloFlowMove& owner);
    ~MonteCarloFlowMoveImpl() override;
    void initialize(OpenMM::ContextImpl& context) override;
    const MonteCarloFlowMove& getOwner() const override { return owner; }
    void updateContextState(OpenMM::ContextImpl& context, bool& forcesInvalid) override;
    double calcForcesAndEnergy(OpenMM::ContextImpl& context, bool includeForces, bool includeEnergy,
                               int groups) override {
        return 0;
    }
    std::map<std::string, double> getDefaultParameters() override;
    std::vector<std::string> getKernelNames() override { return {}; }
    const FlowMoveStatistics& getStatistics() const { return statistics; }

private:
    struct State;
    struct Energies {
        double old;
        std::vector<double> proposed;
    };
    void createBatchedEnergies(const OpenMM::System& system);
    State readState(OpenMM::ContextImpl& context, long long step);
    void checkState(OpenMM::ContextImpl& context, const State& state, long long step);
    std::optional<Energies> computeBatchedEnergies(OpenMM::ContextImpl& context, const State& state);
    Energies computeContextEnergies(OpenMM::ContextImpl& context, const State& state) const;
    std::vector<double> computeLogRatios(const State& state, const Energies& energies);
    void accept(OpenMM::ContextImpl& context, const State& state, int proposal, long long step) const;
    void acceptProposal(OpenMM::ContextImpl& context, const State& state, int proposal, long long step) const;
    std::vector<OpenMM::Vec3> place(const State& state, int proposal) const;
    void setPositions(OpenMM::ContextImpl& context, const std::vector<OpenMM::Vec3>& positions) const;
    /** Set positions and get the forces there. */
    void computeForces(OpenMM::ContextImpl& context, const std::vector<OpenMM::Vec3>& positions, int groups,
                       std::vector<OpenMM::Vec3>& forces) const;
    void warnIfHopeless();
    const MonteCarloFlowMove& owner;
    // These are as they were when the Context was created: other numbers would give a proposal to two moves.
    std::vector<int> particles;
    int frequency, numProposals;
    uint64_t key = 0;
    std::string threads;
    bool isDouble = false, hasWarned = false;
    /** Whether the flow has two dimensions. */
    bool isPlanar = false;
    std::optional<std::vector<std::pair<int, int>>> bonds;
    std::unique_ptr<FlowProposals> proposals;
    std::unique_ptr<MoveEnergies> batchedEnergies;
    /** Of all proposals of the block; empty if they are still to be computed. */
    std::vector<double> preparedEnergies;
    FlowMoveStatistics statistics;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_MONTECARLOFLOWMOVEIMPL_H_*/
