// A coupling of an EquivariantCouplingModel for one sample. Included inside a namespace after Coupling.h.

/**
 * What CouplingState does, of one sample in the shortest time: the first column of its points counts, and its
 * particles are put side by side. There is no gradient of the parameters.
 */
class SingleCouplingState {
public:
    using Kept = CouplingState::Kept;
    SingleCouplingState(const EquivariantCouplingModel& model,
                        const EquivariantCouplingModel::CouplingPlace& place, const PointTransform& transform)
        : state(model, place, transform, true),
          layout(model.getNumParticles(), true),
          points(3 * model.getNumClouds(), layout.getNumItems()),
          adjoint(points) {}
    template <bool INVERSE>
    void apply(const Coupling& coupling, Items& given, WideSum* logDensity, Kept& kept) {
        spread(given, points);
        WideSum sums[STRIDE];
        state.apply<INVERSE>(coupling, points, sums, kept);
        collect(points, given);
        for (const WideSum& sum : sums)
            for (int lane = 0; lane < LANES; lane++)
                logDensity[0].add(0, sum.get(lane));
    }
    void backpropagate(const Coupling& coupling, const Items& given, Kept& kept, Items& givenAdjoint,
                       const Worth& worth, WideSum* penalty, WeightGradient*) {
        spread(given, points);
        spread(givenAdjoint, adjoint);
        state.backpropagate(coupling, points, kept, adjoint, worth, penalty, nullptr);
        collect(adjoint, givenAdjoint);
    }

private:
    static constexpr int COLUMNS = ParticleLayout::COLUMNS;
    /** From particles as items to particles side by side. */
    void spread(const Items& from, Items& to) const {
        for (int row = 0; row < from.getNumRows(); row++)
            for (int i = 0; i < layout.getNumParticles(); i++)
                ParticleLayout::numbers(to, i / COLUMNS, row)[i % COLUMNS] =
                    ParticleLayout::numbers(from, i, row)[0];
        layout.repeatParticles(to);
    }
    void collect(const Items& from, Items& to) const {
        for (int row = 0; row < from.getNumRows(); row++)
            for (int i = 0; i < layout.getNumParticles(); i++)
                ParticleLayout::numbers(to, i, row)[0] =
                    ParticleLayout::numbers(from, i / COLUMNS, row)[i % COLUMNS];
    }
    CouplingState state;
    ParticleLayout layout;
    Items points, adjoint;
};
