// A coupling of an AugmentedCouplingModel. Included inside a namespace after Worth.h,
// Transformer.h and CoordinateFunction.h. No include guard: each meaning of `real` includes it once.

/** The function of each coordinate: the same for all, but for its parameters. */
struct ElementwiseTransform {
    explicit ElementwiseTransform(const AugmentedCouplingModel& model)
        : numParameters(model.getParametersPerCoordinate()) {
        const auto& options = model.getOptions();
        const double range = options.range / options.lengthUnit;
        function = {options.transform == AugmentedCouplingModel::Transform::Affine,
                    false,
                    SPLINE_FREE_ENDS,
                    {options.bins, real(-range), real(range), real(options.minBinFraction),
                     real(options.minDerivative), real(getSplineDerivativeOffset(options.minDerivative))}};
    }
    CoordinateFunction function;
    int numParameters;
};

/** The weights of a coupling. Shared by all threads. */
struct ElementwiseCoupling {
    ElementwiseCoupling(const AugmentedCouplingModel& model,
                        const AugmentedCouplingModel::CouplingPlace& place, const double* parameters)
        : transformed(place.transformed),
          conditioning(place.conditioning),
          network(model, place, parameters),
          head(place.head, parameters),
          output(place.output, parameters) {}
    int getNumRepeats() const { return 1; }
    std::vector<int> transformed, conditioning;
    Transformer network;
    Residual head;
    Layer output;
};

/** Couplings of one size on their way through a few samples. Each thread has its own. */
class ElementwiseCouplingState {
public:
    using Points = Items;
    ElementwiseCouplingState(const AugmentedCouplingModel& model,
                             const AugmentedCouplingModel::CouplingPlace& place,
                             const ElementwiseTransform& transform)
        : transform(transform),
          numParticles(model.getNumParticles()),
          dimensions(model.getParticles().dimensions),
          network(model, place.input.inputs),
          head(model.getOptions().headHidden, numParticles),
          parameters(place.output.outputs, numParticles) {}
    /** Nothing that backpropagate() needs is kept: it evaluates the network again. */
    struct Kept {};
    /** Transform the points (3 a cloud, particles), forwards or backwards, and subtract the log volume from,
     * or add it to, `logDensity`, one for each real of an item. */
    template <bool INVERSE>
    void apply(const ElementwiseCoupling& coupling, Items& points, WideSum* logDensity, Kept&) {
        evaluateNetwork(coupling, points, false);
        forEachCoordinate(coupling, [&](int row, int parameterRow, int v) {
            const real origin = origins[row % 3 * STRIDE + v % STRIDE];
            const real* p = &parameters.at(parameterRow, v);
            real& x = points.at(row, v);
            const SplineResult result = INVERSE ? transform.function.inverse(x - origin, p)
                                                : transform.function.forward(x - origin, p);
            x = origin + result.value;
            logDensity[v % STRIDE].add(INVERSE ? result.logDerivative : -result.logDerivative);
        });
    }
    /**
     * From what the points that apply<true>() has made are worth to what those that it was given are worth,
     * in `adjoint`.
     *
     * @param points   what it was given
     * @param worth    what the log volume is worth; there are no frames that could have a penalty
     */
    void backpropagate(const ElementwiseCoupling& coupling, const Items& points, Kept&, Items& adjoint,
                       const Worth& worth, WideSum*, WeightGradient* gradient) {
        if (parametersAdjoint.getNumRows() == 0) {
            parametersAdjoint = parameters;
            featuresAdjoint = network.getFeatures();
        }
        evaluateNetwork(coupling, points, true);
        std::fill_n(originAdjoints, 3 * STRIDE, real(0.0));
        forEachCoordinate(coupling, [&](int row, int parameterRow, int v) {
            const int axis = row % 3 * STRIDE + v % STRIDE;
            const real given = adjoint.at(row, v);
            adjoint.at(row, v) = transform.function.inverseAdjoint(
                points.at(row, v) - origins[axis], &parameters.at(parameterRow, v), given,
                worth.logDensity[v % STRIDE], &parametersAdjoint.at(parameterRow, v));
            originAdjoints[axis] = originAdjoints[axis] + given - adjoint.at(row, v);
        });
        backpropagateHead(coupling, gradient);
        const Items& inputAdjoint = network.backpropagate(coupling.network, featuresAdjoint, gradient);
        forEachInput(coupling, [&](int row, int inputRow, int v) {
            const int axis = row % 3 * STRIDE + v % STRIDE;
            adjoint.at(row, v) = adjoint.at(row, v) + inputAdjoint.at(inputRow, v);
            originAdjoints[axis] = originAdjoints[axis] - inputAdjoint.at(inputRow, v);
        });
        for (int axis = 0; axis < dimensions; axis++)
            for (int v = 0; v < numParticles * STRIDE; v++) {
                real& given = adjoint.at(3 * coupling.conditioning[0] + axis, v);
                given = given + real(1.0 / numParticles) * originAdjoints[axis * STRIDE + v % STRIDE];
            }
    }

private:
    /** Call visit(row, inputRow, v) for the coordinates that the network is given, with their rows among the
     * points and in its input. */
    template <class Visit>
    void forEachInput(const ElementwiseCoupling& coupling, const Visit& visit) const {
        for (size_t c = 0; c < coupling.conditioning.size(); c++)
            for (int axis = 0; axis < dimensions; axis++)
                for (int v = 0; v < numParticles * STRIDE; v++)
                    visit(3 * coupling.conditioning[c] + axis, (int)c * dimensions + axis, v);
    }
    /** Call visit(row, parameterRow, v) for the coordinates that are transformed, with the first row of their
     * parameters. */
    template <class Visit>
    void forEachCoordinate(const ElementwiseCoupling& coupling, const Visit& visit) const {
        for (int v = 0; v < numParticles * STRIDE; v++)
            for (size_t t = 0; t < coupling.transformed.size(); t++)
                for (int axis = 0; axis < dimensions; axis++)
                    visit(3 * coupling.transformed[t] + axis,
                          ((int)t * dimensions + axis) * transform.numParameters, v);
    }

    void evaluateNetwork(const ElementwiseCoupling& coupling, const Items& points, bool isKept) {
        for (int axis = 0; axis < dimensions; axis++)
            for (int h = 0; h < STRIDE; h++) {
                real sum = real(0.0);
                for (int i = 0; i < numParticles; i++)
                    sum = sum + points.at(3 * coupling.conditioning[0] + axis, i * STRIDE + h);
                origins[axis * STRIDE + h] = real(1.0 / numParticles) * sum;
            }
        Items& input = network.getInput();
        forEachInput(coupling, [&](int row, int inputRow, int v) {
            input.at(inputRow, v) = points.at(row, v) - origins[row % 3 * STRIDE + v % STRIDE];
        });
        network.evaluate(coupling.network, isKept);
        head.keep(isKept);
        coupling.head.first.weight.multiply(network.getFeatures().begin(), numParticles, head.getArgument());
        head.evaluate(coupling.head.second, numParticles);
        coupling.output.weight.multiply(head.output.begin(), numParticles, parameters.begin());
    }

    void backpropagateHead(const ElementwiseCoupling& coupling, WeightGradient* gradient) {
        if (gradient != nullptr)
            gradient->add(coupling.output.place, parametersAdjoint.begin(), head.output.begin(),
                          numParticles);
        coupling.output.transposed.multiply(parametersAdjoint.begin(), numParticles, head.adjoint.begin());
        head.backpropagate(coupling.head.second, numParticles, gradient);
        if (gradient != nullptr)
            gradient->add(coupling.head.first.place, head.adjoint.begin(), network.getFeatures().begin(),
                          numParticles);
        coupling.head.first.transposed.multiply(head.adjoint.begin(), numParticles, featuresAdjoint.begin());
    }

    const ElementwiseTransform& transform;
    int numParticles, dimensions;
    TransformerState network;
    ResidualState head;
    Items parameters, parametersAdjoint, featuresAdjoint;
    /** The centre that coordinates are relative to, (axes, STRIDE). */
    real origins[3 * STRIDE], originAdjoints[3 * STRIDE];
};

/** What the flow (CouplingFlow) of an AugmentedCouplingModel is made of. */
struct AugmentedFamily {
    using Model = AugmentedCouplingModel;
    using Transform = ElementwiseTransform;
    using Weights = ElementwiseCoupling;
    using State = ElementwiseCouplingState;
};
