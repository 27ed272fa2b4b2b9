// A coupling of an EquivariantCouplingModel. Included inside a namespace after Worth.h, NetworkState.h and
// Transforms.h, the latter in `wide` too. No include guard: each meaning of `real` includes it once.

/**
 * What maps points, and what differentiates the maps. Frames that are nearly collinear, and points close to
 * their origins, magnify round-off: points, their frames and maps are in the wide precision, though networks
 * and derivatives need not be.
 */
struct PointTransforms {
    explicit PointTransforms(const EquivariantCouplingModel& model) : map(model), derivative(model) {}
    wide::PointTransform map;
    PointTransform derivative;
};

inline Frame narrowFrame(const wide::Frame& frame) {
    return {convertVector<real3>(frame.x),      convertVector<real3>(frame.y),
            convertVector<real3>(frame.z),      convert<real>(frame.inverseFirst),
            convert<real>(frame.inverseSecond), convert<real>(frame.projection)};
}

/** The weights of a coupling. Shared by all threads. */
struct Coupling {
    struct Head {
        Residual hidden;
        Layer output;
    };
    Coupling(const EquivariantCouplingModel& model, const EquivariantCouplingModel::CouplingPlace& place,
             const double* parameters)
        : transformed(place.transformed), network(model, place, parameters) {
        for (const auto& head : place.heads)
            heads.push_back({Residual(head.hidden, parameters), Layer(head.output, parameters)});
    }
    /** The cloud that the frames of the t-th transformed cloud stand on. */
    int getSource(int t) const { return network.conditioning[t % network.conditioning.size()]; }
    int getNumRepeats() const { return (int)heads.size(); }
    std::vector<int> transformed;
    Network network;
    std::vector<Head> heads;
};

/** Couplings of one size on their way through a few samples, or one whose particles are side by side. Each
 * thread has its own. */
class CouplingState {
public:
    using Points = WideItems;
    CouplingState(const EquivariantCouplingModel& model, const EquivariantCouplingModel::CouplingPlace& place,
                  const PointTransforms& transforms, bool isAcross = false)
        : transforms(transforms),
          layout(model.getNumParticles(), isAcross),
          numItems(layout.getNumItems()),
          numFeatures(model.getOptions().features),
          numParameters(transforms.map.getNumParameters() * (int)place.transformed.size()),
          network(model, layout, model.getNumVectors(place), (int)place.conditioning.size()),
          headInput(numFeatures, numItems),
          head(model.getOptions().headHidden, numItems),
          parameters(numParameters, numItems),
          wideParameters(transforms.map.getNumParameters(), 1) {}
    /** What backpropagate() is spared by what apply() has done. */
    using Kept = NetworkValues;
    /** Transform the points (3 a cloud, particles), forwards or backwards, and subtract the log volume from,
     * or add it to, `logDensity`, one for each real of an item. */
    template <bool INVERSE>
    void apply(const Coupling& coupling, WideItems& points, WideSum* logDensity, Kept& kept) {
        network.evaluate(coupling.network, points, kept);
        evaluateSoftmax();
        head.keep(false);
        const int repeats = (int)coupling.heads.size();
        for (int r = 0; r < repeats; r++)
            applyRepeat<INVERSE>(coupling, INVERSE ? repeats - 1 - r : r, points, logDensity);
    }
    /**
     * From what the points that apply<true>() has made are worth to what those that it was given are worth,
     * in `adjoint`.
     *
     * @param points   what it was given
     * @param kept     what it has kept
     * @param worth    what the log volume and the penalty are worth
     * @param penalty   to which the penalty on frames is added, for each real of an item
     */
    void backpropagate(const Coupling& coupling, const WideItems& points, Kept& kept, Items& adjoint,
                       const Worth& worth, WideSum* penalty, WeightGradient* gradient) {
        if (parametersAdjoint.getNumRows() == 0) {
            parametersAdjoint = Items(numParameters, numItems);
            headInputAdjoint = Items(numFeatures, numItems);
        }
        network.select(points, kept);
        evaluateSoftmax();
        const int repeats = (int)coupling.heads.size();
        given.resize(repeats);
        given[repeats - 1] = points;
        WideSum unused[STRIDE];
        for (int repeat = repeats - 1; repeat > 0; repeat--) {
            given[repeat - 1] = given[repeat];
            applyRepeat<true>(coupling, repeat, given[repeat - 1], unused);
        }
        network.clearAdjoints();
        head.keep(true);
        headInputAdjoint.fill(0);
        for (int repeat = 0; repeat < repeats; repeat++)
            backpropagateRepeat(coupling, repeat, adjoint, worth, penalty, gradient);
        backpropagateSoftmax();
        network.backpropagate(coupling.network, adjoint, gradient);
    }

private:
    /** From the features of the network to what the heads are given. */
    void evaluateSoftmax() {
        const Items& features = network.getFeatures();
        for (int v = 0; v < numItems * STRIDE; v++) {
            real largest = features.at(0, v), sum = real(0.0);
            for (int f = 1; f < numFeatures; f++)
                largest = SELECT(features.at(f, v) > largest, features.at(f, v), largest);
            for (int f = 0; f < numFeatures; f++) {
                headInput.at(f, v) = EXP(features.at(f, v) - largest);
                sum = sum + headInput.at(f, v);
            }
            const real scale = real((double)numFeatures) / sum;
            for (int f = 0; f < numFeatures; f++)
                headInput.at(f, v) = scale * headInput.at(f, v);
        }
    }

    void evaluateHead(const Coupling::Head& weights) {
        weights.hidden.first.weight.multiply(headInput.begin(), numItems, head.getArgument());
        head.evaluate(weights.hidden.second, numItems);
        weights.output.weight.multiply(head.output.begin(), numItems, parameters.begin());
    }

    template <bool INVERSE>
    void applyRepeat(const Coupling& coupling, int repeat, WideItems& points, WideSum* logDensity) {
        evaluateHead(coupling.heads[repeat]);
        forEachPoint(coupling, repeat, [&](int t, int v, int firstVector) {
            const int row = 3 * coupling.transformed[t];
            const PlacedFrame placed = placeFrame(coupling, points, t, v, firstVector);
            const auto mapped = transforms.map.template map<INVERSE>(
                placed.frame, points.point(row, v) - placed.origin, widenParameters(t, v));
            points.setPoint(row, v, placed.origin + mapped.point);
            logDensity[v % STRIDE].add(
                layout.dropRepeated(INVERSE ? mapped.logVolume : -mapped.logVolume, v));
        });
    }

    /** Those of the transform of a point, STRIDE apart, until the next call. */
    const wide::real* widenParameters(int t, int v) {
        const int rows = transforms.map.getNumParameters();
        for (int row = 0; row < rows; row++)
            wideParameters.at(row, 0) = convert<wide::real>(parameters.at(t * rows + row, v));
        return wideParameters.begin();
    }

    /** Call visit(t, v, k) for each vector v of the t-th transformed cloud, with its first vector k. */
    template <class Visit>
    void forEachPoint(const Coupling& coupling, int repeat, const Visit& visit) const {
        const int repeats = (int)coupling.heads.size();
        for (int t = 0; t < (int)coupling.transformed.size(); t++)
            for (int v = 0; v < numItems * STRIDE; v++)
                visit(t, v, (t * repeats + repeat) * transforms.map.getNumVectors());
    }

    /** A frame, and where it is. */
    struct PlacedFrame {
        wide::real3 origin;
        wide::Frame frame;
    };
    PlacedFrame placeFrame(const Coupling& coupling, const WideItems& points, int t, int v,
                           int firstVector) const {
        auto getMove = [&](int k) { return convertVector<wide::real3>(network.getMove(firstVector + k, v)); };
        PlacedFrame placed = {points.point(3 * coupling.getSource(t), v) + getMove(0), {}};
        const int axes = transforms.map.getNumVectors() - 1;
        if (axes > 0)
            placed.frame = transforms.map.makeAxes(getMove(1), getMove(axes));
        return placed;
    }

    void backpropagateRepeat(const Coupling& coupling, int repeat, Items& adjoint, const Worth& worth,
                             WideSum* penalty, WeightGradient* gradient) {
        const Coupling::Head& weights = coupling.heads[repeat];
        const PointTransform& transform = transforms.derivative;
        const WideItems& points = given[repeat];
        evaluateHead(weights);
        forEachPoint(coupling, repeat, [&](int t, int v, int firstVector) {
            const int row = 3 * coupling.transformed[t];
            const PlacedFrame placed = placeFrame(coupling, points, t, v, firstVector);
            const Frame frame = narrowFrame(placed.frame);
            const real3 mappedAdjoint = adjoint.point(row, v);
            const PointTransform::Adjoint result =
                transform.inverseAdjoint(frame, convertVector<real3>(points.point(row, v) - placed.origin),
                                         &parameters.at(t * transform.getNumParameters(), v), mappedAdjoint,
                                         layout.dropRepeated(worth.logDensity[v % STRIDE], v),
                                         &parametersAdjoint.at(t * transform.getNumParameters(), v));
            adjoint.setPoint(row, v, result.point);
            const real3 originAdjoint = mappedAdjoint - result.point;
            adjoint.addPoint(3 * coupling.getSource(t), v, originAdjoint);
            network.addMoveAdjoint(firstVector, v, originAdjoint);
            const int axes = transform.getNumVectors() - 1;
            if (axes == 1)
                network.addMoveAdjoint(firstVector + 1, v, makePlaneFrameAdjoint(frame, result.x, result.y));
            if (axes == 2) {
                const real3 second = network.getMove(firstVector + 2, v);
                const FrameAdjoint vectors = makeFrameAdjoint(frame, second, result.x, result.y, result.z);
                network.addMoveAdjoint(firstVector + 1, v, vectors.first);
                network.addMoveAdjoint(firstVector + 2, v, vectors.second);
            }
            if (axes == 2 && worth.penalty != nullptr) {
                const Collinearity collinearity = computeCollinearity(network.getMove(firstVector + 1, v),
                                                                      network.getMove(firstVector + 2, v));
                const real factor = layout.dropRepeated(worth.penalty[v % STRIDE], v);
                penalty[v % STRIDE].add(layout.dropRepeated(collinearity.penalty, v));
                network.addMoveAdjoint(firstVector + 1, v, factor * collinearity.first);
                network.addMoveAdjoint(firstVector + 2, v, factor * collinearity.second);
            }
        });
        if (gradient != nullptr)
            gradient->add(weights.output.place, parametersAdjoint.begin(), head.output.begin(), numItems);
        weights.output.transposed.multiply(parametersAdjoint.begin(), numItems, head.adjoint.begin());
        head.backpropagate(weights.hidden.second, numItems, gradient);
        if (gradient != nullptr)
            gradient->add(weights.hidden.first.place, head.adjoint.begin(), headInput.begin(), numItems);
        weights.hidden.first.transposed.multiply(head.adjoint.begin(), numItems, [&](int f, int v, real y) {
            headInputAdjoint.at(f, v) = headInputAdjoint.at(f, v) + y;
        });
    }

    void backpropagateSoftmax() {
        Items& featuresAdjoint = network.getFeaturesAdjoint();
        for (int v = 0; v < numItems * STRIDE; v++) {
            real mean = real(0.0);
            for (int f = 0; f < numFeatures; f++)
                mean = mean + headInput.at(f, v) * headInputAdjoint.at(f, v);
            mean = mean * real(1.0 / numFeatures);
            for (int f = 0; f < numFeatures; f++)
                featuresAdjoint.at(f, v) = headInput.at(f, v) * (headInputAdjoint.at(f, v) - mean);
        }
    }

    const PointTransforms& transforms;
    const ParticleLayout layout;
    int numItems, numFeatures, numParameters;
    NetworkState network;
    Items headInput;
    ResidualState head;
    Items parameters, parametersAdjoint, headInputAdjoint;
    WideItems wideParameters;
    /** The points before each repeat. */
    std::vector<WideItems> given;
};

/** What the flow (CouplingFlow) of an EquivariantCouplingModel is made of. */
struct EquivariantFamily {
    using Model = EquivariantCouplingModel;
    using Transform = PointTransforms;
    using Weights = Coupling;
    using State = CouplingState;
};
