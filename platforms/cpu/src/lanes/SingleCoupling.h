// A coupling of an EquivariantCouplingModel for one sample. Included inside a namespace after Coupling.h.

/**
 * What CouplingState does, of one sample in the shortest time: the first column of its points counts, and its
 * particles are put side by side.
 */
class SingleCouplingState {
public:
    using Points = CouplingState::Points;
    using Kept = CouplingState::Kept;
    SingleCouplingState(const EquivariantCouplingModel& model,
                        const EquivariantCouplingModel::CouplingPlace& place,
                        const PointTransforms& transforms)
        : state(model, place, transforms, true),
          layout(model.getNumParticles(), true),
          points(3 * model.getNumClouds(), layout.getNumItems()),
          adjoint(3 * model.getNumClouds(), layout.getNumItems()) {}
    template <bool INVERSE>
    void apply(const Coupling& coupling, WideItems& given, WideSum* logDensity, Kept& kept) {
        spread(given, points);
        layout.repeatParticles(points);
        WideSum sums[STRIDE];
        state.apply<INVERSE>(coupling, points, sums, kept);
        collect(points, given);
        addToFirst(sums, logDensity);
    }
    void backpropagate(const Coupling& coupling, const WideItems& given, Kept& kept, Items& givenAdjoint,
                       const Worth& worth, WideSum* penalty, WeightGradient* gradient) {
        spread(given, points);
        layout.repeatParticles(points);
        // What is left over is worth nothing, and then nothing that comes of it is.
        adjoint.fill(0);
        spread(givenAdjoint, adjoint);
        Lanes logDensityWorth[STRIDE], penaltyWorth[STRIDE];
        std::fill_n(logDensityWorth, STRIDE, Lanes((double)worth.logDensity[0].v[0]));
        if (worth.penalty != nullptr)
            std::fill_n(penaltyWorth, STRIDE, Lanes((double)worth.penalty[0].v[0]));
        WideSum sums[STRIDE];
        state.backpropagate(coupling, points, kept, adjoint,
                            {logDensityWorth, worth.penalty != nullptr ? penaltyWorth : nullptr}, sums,
                            gradient);
        addToFirst(sums, penalty);
        collect(adjoint, givenAdjoint);
    }

private:
    static constexpr int COLUMNS = ParticleLayout::COLUMNS;
    /** From particles as items to particles side by side. */
    template <class Array>
    void spread(const Array& from, Array& to) const {
        for (int row = 0; row < from.getNumRows(); row++)
            for (int i = 0; i < layout.getNumParticles(); i++)
                ParticleLayout::numbers(to, i / COLUMNS, row)[i % COLUMNS] =
                    ParticleLayout::numbers(from, i, row)[0];
    }
    static void addToFirst(const WideSum* sums, WideSum* total) {
        for (int h = 0; h < STRIDE; h++)
            for (int lane = 0; lane < LANES; lane++)
                total[0].add(0, sums[h].get(lane));
    }
    template <class Array>
    void collect(const Array& from, Array& to) const {
        for (int row = 0; row < from.getNumRows(); row++)
            for (int i = 0; i < layout.getNumParticles(); i++)
                ParticleLayout::numbers(to, i, row)[0] =
                    ParticleLayout::numbers(from, i / COLUMNS, row)[i % COLUMNS];
    }
    CouplingState state;
    ParticleLayout layout;
    WideItems points;
    Items adjoint;
};
