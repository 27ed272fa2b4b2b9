// A CouplingModel as a map and a density, for a few tiles of samples, each of as many as STRIDE reals hold.
// Its family names the model, and what is particular to it: EquivariantFamily, for one. Included inside a
// namespace after Worth.h and Items.h. No include guard: each meaning of `real` includes it once.

/** The weights of a flow. Shared by all threads; the model outlives them. */
template <class Family>
struct CouplingFlow {
    using Model = typename Family::Model;
    explicit CouplingFlow(const Model& model) : model(model), transform(model) {
        setParameters(model.getParameters().data());
    }
    /** Take other parameters than the model has. */
    void setParameters(const double* parameters) {
        // One at a time, so that each takes memory that another has left.
        const auto& places = model.getPlaces().couplings;
        for (size_t c = 0; c < places.size(); c++) {
            typename Family::Weights coupling(model, places[c], parameters);
            if (c < couplings.size())
                couplings[c] = std::move(coupling);
            else
                couplings.push_back(std::move(coupling));
        }
        scalings.clear();
        for (size_t place : model.getPlaces().scaling)
            scalings.emplace_back(parameters + place, parameters + place + 2 * model.getNumClouds() - 1);
    }
    const Model& model;
    typename Family::Transform transform;
    std::vector<typename Family::Weights> couplings;
    /** For each layer, the logits of the factors of its scaling. */
    std::vector<std::vector<double>> scalings;
};

/**
 * Samples on their way through a flow, in one tile or more: all go through a coupling before the next, whose
 * weights then stay in the second cache. Each thread has its own. Points are (3 a cloud, particles), in the
 * unit of length of the flow; in two dimensions every z is 0. `State` is what a coupling needs.
 */
template <class Family, class State = typename Family::State>
class CouplingFlowState {
public:
    using Points = typename State::Points;
    explicit CouplingFlowState(const CouplingFlow<Family>& flow)
        : flow(flow),
          numParticles(flow.model.getNumParticles()),
          numClouds(flow.model.getNumClouds()),
          dimensions(flow.model.getParticles().dimensions) {
        setNumTiles(1);
        const auto& couplings = flow.model.getPlaces().couplings;
        for (int side = 0; side < 2; side++)
            states.emplace_back(flow.model, couplings[side], flow.transform);
        passing.resize(2);
    }
    int getNumNormals() const { return dimensions * numParticles * numClouds; }
    /** Set how many tiles are on their way. */
    void setNumTiles(int count) {
        while ((int)tiles.size() < count)
            tiles.emplace_back(3 * numClouds, numParticles);
        numTiles = count;
    }
    Points& getPoints(int tile = 0) { return tiles[tile].points; }
    /** Get the log density, in nm, of real h of an item. */
    const WideSum& getLogDensity(int h, int tile = 0) const { return tiles[tile].logDensity[h]; }
    /** Get the sum of computeCollinearity() over all frames, if the family has any, for real h of an item,
     * after backpropagate() if that was worth something. */
    const WideSum& getPenalty(int h) const { return penalty[h]; }
    /** Get the number of transforms of points, each of which may have a frame. */
    int countTransforms() const {
        int count = 0;
        for (const auto& coupling : flow.couplings)
            count += numParticles * (int)coupling.transformed.size() * coupling.getNumRepeats();
        return count;
    }
    /** Make the points samples. normal(n, t, h) is the n-th standard normal number of real h of tile t. */
    template <class Normal>
    void sample(const Normal& normal) {
        for (int t = 0; t < numTiles; t++)
            drawBase(tiles[t].points, [&](int n, int h) { return normal(n, t, h); });
        transform();
    }
    /** Transform the points from those of the base. */
    void transform() {
        forEachTile([&](Tile& tile) {
            tile.clearLogDensity();
            addBaseLogDensity(tile);
        });
        for (int l = 0; l < flow.model.getOptions().layers; l++) {
            forEachTile([&](Tile& tile) { scale<false>(l, tile); });
            for (int side = 0; side < 2; side++)
                forEachTile([&](Tile& tile) {
                    states[side].template apply<false>(flow.couplings[2 * l + side], tile.points,
                                                       tile.logDensity, passing[side]);
                });
        }
    }
    /** Compute the log density of the points, which become those of the base; what is before each step is
     * kept if `isKept`, of one tile. */
    void evaluate(bool isKept) {
        if (isKept) {
            kept.resize(flow.couplings.size());
            keptBeforeScaling.resize(flow.model.getOptions().layers);
        }
        forEachTile([](Tile& tile) { tile.clearLogDensity(); });
        for (int l = flow.model.getOptions().layers - 1; l >= 0; l--) {
            for (int side = 1; side >= 0; side--)
                forEachTile([&](Tile& tile) {
                    const int c = 2 * l + side;
                    if (isKept)
                        kept[c].points = tile.points;
                    states[side].template apply<true>(flow.couplings[c], tile.points, tile.logDensity,
                                                      isKept ? kept[c].values : passing[side]);
                });
            forEachTile([&](Tile& tile) {
                if (isKept && flow.model.getOptions().scaling)
                    keptBeforeScaling[l] = tile.points;
                scale<true>(l, tile);
            });
        }
        forEachTile([&](Tile& tile) { addBaseLogDensity(tile); });
    }
    /** The gradient by the points of the log density and the penalty, each times its worth, after
     * evaluate(true) of one tile; that by the parameters is added to `gradient` unless it is null. */
    const Items& backpropagate(const Worth& given, WeightGradient* gradient) {
        worth = given.logDensity;
        for (WideSum& sum : penalty)
            sum = WideSum();
        adjoint = Items(3 * numClouds, numParticles);
        backpropagateBase();
        for (int l = 0; l < flow.model.getOptions().layers; l++) {
            if (flow.model.getOptions().scaling) {
                getPoints() = keptBeforeScaling[l];
                backpropagateScale(l, gradient);
            }
            for (int side = 0; side < 2; side++) {
                auto& [before, values] = kept[2 * l + side];
                states[side].backpropagate(flow.couplings[2 * l + side], before, values, adjoint, given,
                                           penalty, gradient);
            }
        }
        return adjoint;
    }

private:
    using Real = typename Points::Real;
    using Point = typename Points::Point;

    struct Tile {
        Tile(int rows, int items) : points(rows, items) {}
        void clearLogDensity() {
            for (WideSum& sum : logDensity)
                sum = WideSum();
        }
        Points points;
        WideSum logDensity[STRIDE];
    };

    template <class Visit>
    void forEachTile(const Visit& visit) {
        for (int t = 0; t < numTiles; t++)
            visit(tiles[t]);
    }

    template <class Normal>
    void drawBase(Points& points, const Normal& normal) const {
        const auto& base = flow.model.getBase();
        const double unit = flow.model.getOptions().lengthUnit;
        const std::vector<double>& matrix = flow.model.getSamplingMatrix();
        points.fill(0);
        for (int h = 0; h < STRIDE; h++)
            for (int axis = 0; axis < dimensions; axis++) {
                auto draw = [&](int cloud, int i) {
                    return normal((cloud * numParticles + i) * dimensions + axis, h);
                };
                Real mean = Real(0.0);
                for (int i = 0; i < numParticles; i++) {
                    Real sum = Real(0.0);
                    for (int k = i; k < numParticles; k++)
                        sum = sum + Real(matrix[(size_t)i * numParticles + k] / unit) * draw(0, k);
                    points.at(axis, i * STRIDE + h) = sum;
                    mean = mean + sum;
                }
                mean = mean * Real(1.0 / numParticles);
                for (int i = 0; i < numParticles; i++) {
                    Real& x = points.at(axis, i * STRIDE + h);
                    x = x - mean;
                    for (int cloud = 1; cloud < numClouds; cloud++)
                        points.at(3 * cloud + axis, i * STRIDE + h) =
                            x + Real(base.augmentedScale / unit) * draw(cloud, i);
                }
            }
    }

    /** Call visit(i, j, precision) for the pairs i <= j that the base couples. */
    template <class Visit>
    void forEachPrecision(const Visit& visit) const {
        const double unit = flow.model.getOptions().lengthUnit;
        const std::vector<double>& precision = flow.model.getPrecision();
        for (int i = 0; i < numParticles; i++)
            for (int j = i; j < numParticles; j++)
                if (precision[(size_t)i * numParticles + j] != 0)
                    visit(i, j, precision[(size_t)i * numParticles + j] * unit * unit);
    }

    double getAugmentedPrecision() const {
        const double scale = flow.model.getBase().augmentedScale / flow.model.getOptions().lengthUnit;
        return 1 / (scale * scale);
    }

    void addBaseLogDensity(Tile& tile) const {
        const Points& points = tile.points;
        for (int h = 0; h < STRIDE; h++) {
            WideSum& sum = tile.logDensity[h];
            sum.add(Real(flow.model.getLogNormalization()));
            forEachPrecision([&](int i, int j, double precision) {
                sum.add(Real((i == j ? -0.5 : -1.0) * precision)
                        * dotProduct(points.point(0, i * STRIDE + h), points.point(0, j * STRIDE + h)));
            });
            for (int i = 0; i < numParticles; i++)
                for (int cloud = 1; cloud < numClouds; cloud++) {
                    const Point d = points.point(3 * cloud, i * STRIDE + h) - points.point(0, i * STRIDE + h);
                    sum.add(Real(-0.5 * getAugmentedPrecision()) * dotProduct(d, d));
                }
        }
    }

    void backpropagateBase() {
        const Points& points = getPoints();
        for (int h = 0; h < STRIDE; h++) {
            forEachPrecision([&](int i, int j, double element) {
                const real precision = worth[h] * real(element);
                const int v = i * STRIDE + h, w = j * STRIDE + h;
                adjoint.addPoint(0, v, -precision * convertVector<real3>(points.point(0, w)));
                if (i != j)
                    adjoint.addPoint(0, w, -precision * convertVector<real3>(points.point(0, v)));
            });
            for (int i = 0; i < numParticles; i++)
                for (int cloud = 1; cloud < numClouds; cloud++) {
                    const int v = i * STRIDE + h;
                    const real3 pull =
                        worth[h] * real(getAugmentedPrecision())
                        * convertVector<real3>(points.point(3 * cloud, v) - points.point(0, v));
                    adjoint.addPoint(0, v, pull);
                    adjoint.addPoint(3 * cloud, v, real(-1.0) * pull);
                }
        }
    }

    /** The factors of a layer's scaling: of the size of each cloud, then of the distances of centres. */
    double getScaleLogit(int layer, int index) const { return flow.scalings[layer][index]; }
    double getScale(int layer, int index) const {
        const double offset = getSplineDerivativeOffset(flow.model.getOptions().minDerivative);
        const double u = getScaleLogit(layer, index) + offset;
        return flow.model.getOptions().minDerivative + std::max(u, 0.0) + std::log1p(std::exp(-std::abs(u)));
    }
    /** How many coordinates a factor acts on. */
    int getScaledDimensions(int index) const {
        return dimensions * (index < numClouds ? numParticles - 1 : 1);
    }

    template <class Array>
    typename Array::Point centerOf(const Array& items, int cloud, int h) const {
        using Element = typename Array::Real;
        typename Array::Point sum = {Element(0.0), Element(0.0), Element(0.0)};
        for (int i = 0; i < numParticles; i++)
            sum = sum + items.point(3 * cloud, i * STRIDE + h);
        return Element(1.0 / numParticles) * sum;
    }

    template <bool INVERSE>
    void scale(int layer, Tile& tile) const {
        if (!flow.model.getOptions().scaling)
            return;
        Points& points = tile.points;
        double logVolume = 0;
        for (int index = 0; index < 2 * numClouds - 1; index++)
            logVolume += getScaledDimensions(index) * std::log(getScale(layer, index));
        for (int h = 0; h < STRIDE; h++) {
            const Point origin = centerOf(points, 0, h);
            for (int cloud = 0; cloud < numClouds; cloud++) {
                const Point center = centerOf(points, cloud, h);
                const double size = getScale(layer, cloud);
                const double distance = cloud == 0 ? 1 : getScale(layer, numClouds + cloud - 1);
                const Point moved = origin + Real(INVERSE ? 1 / distance : distance) * (center - origin);
                for (int v = h; v < numParticles * STRIDE; v += STRIDE)
                    points.setPoint(
                        3 * cloud, v,
                        moved + Real(INVERSE ? 1 / size : size) * (points.point(3 * cloud, v) - center));
            }
            tile.logDensity[h].add(Real(-logVolume));
        }
    }

    /** The points are what the scaling was given, backwards. */
    void backpropagateScale(int layer, WeightGradient* gradient) {
        const Points& points = getPoints();
        for (int h = 0; h < STRIDE; h++) {
            const Point origin = centerOf(points, 0, h);
            real3 originAdjoint = make_real3(real(0.0), real(0.0), real(0.0));
            for (int cloud = 0; cloud < numClouds; cloud++) {
                const Point center = centerOf(points, cloud, h);
                const real3 mean = centerOf(adjoint, cloud, h);
                const double size = getScale(layer, cloud);
                const double distance = cloud == 0 ? 1 : getScale(layer, numClouds + cloud - 1);
                real sizeAdjoint = real(0.0);
                for (int v = h; v < numParticles * STRIDE; v += STRIDE) {
                    const real3 given = adjoint.point(3 * cloud, v);
                    sizeAdjoint =
                        sizeAdjoint
                        + dotProduct(given, convertVector<real3>(points.point(3 * cloud, v) - center));
                    adjoint.setPoint(3 * cloud, v,
                                     real(1 / size) * given + real(1 / distance - 1 / size) * mean);
                }
                originAdjoint = originAdjoint + real(1 - 1 / distance) * mean;
                if (gradient == nullptr)
                    continue;
                addScaleGradient(layer, cloud, h, sizeAdjoint, gradient);
                if (cloud > 0)
                    addScaleGradient(
                        layer, numClouds + cloud - 1, h,
                        real((double)numParticles) * dotProduct(mean, convertVector<real3>(center - origin)),
                        gradient);
            }
            for (int v = h; v < numParticles * STRIDE; v += STRIDE)
                adjoint.addPoint(0, v, originAdjoint);
        }
    }

    /** `inverseAdjoint` is what 1/factor is worth; log q has -log(factor) for each coordinate. */
    void addScaleGradient(int layer, int index, int h, real inverseAdjoint, WeightGradient* gradient) {
        const double factor = getScale(layer, index);
        const double offset = getSplineDerivativeOffset(flow.model.getOptions().minDerivative);
        const double slope = 1 / (1 + std::exp(-getScaleLogit(layer, index) - offset));
        gradient->addNumber(flow.model.getPlaces().scaling[layer] + index,
                            real(-slope / (factor * factor)) * inverseAdjoint
                                - real(slope * getScaledDimensions(index) / factor) * worth[h]);
    }

    const CouplingFlow<Family>& flow;
    int numParticles, numClouds, dimensions;
    int numTiles = 0;
    std::vector<Tile> tiles;
    std::vector<State> states;
    Items adjoint;
    /** Of each coupling, what it was given and what it has kept; what none keeps, of each side. */
    struct Kept {
        Points points;
        typename State::Kept values;
    };
    std::vector<Kept> kept;
    std::vector<typename State::Kept> passing;
    std::vector<Points> keptBeforeScaling;
    WideSum penalty[STRIDE];
    const real* worth = nullptr;
};
