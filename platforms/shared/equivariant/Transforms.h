// What a coupling does to a point in a frame (EquivariantCouplingModel::Transform): forwards, backwards, and
// the adjoint of the latter. Included inside a namespace after CoordinateFunction.h. No
// include guard: each meaning of `real` includes it once.

/** A point, and the log of the volume that a map gives to a volume of 1. */
struct MappedPoint {
    real3 point;
    real logVolume;
};

/** Maps points in frames. */
class PointTransform {
public:
    using Kind = EquivariantCouplingModel::Transform;
    explicit PointTransform(const EquivariantCouplingModel& model)
        : kind(model.getOptions().transform),
          dimensions(model.getParticles().dimensions),
          numParameters(model.getParametersPerCoordinate() * STRIDE) {
        const auto& options = model.getOptions();
        const bool isCartesian = kind == Kind::CartesianAffine || kind == Kind::CartesianSpline;
        const double range = options.range / options.lengthUnit;
        for (int c = 0; c < model.getNumCoordinates(); c++) {
            CoordinateFunction function;
            function.isAffine = kind == Kind::CartesianAffine;
            // What a reflection reverses is the coordinate along the second axis, or the angle around the
            // third.
            function.isOdd =
                options.reflections && c == (isCartesian ? 1 : dimensions - 1) && kind != Kind::Vector;
            const bool isAngle = !isCartesian && c > 0;
            const bool isCircular = isAngle && c == dimensions - 1 && !function.isOdd;
            function.ends = isCircular ? SPLINE_CIRCULAR : SPLINE_FREE_ENDS;
            const double upper = isAngle ? M_PI : range;
            const bool isSymmetric = isCircular || (isCartesian && !function.isOdd);
            function.shape = {options.bins,
                              real(isSymmetric ? -upper : 0.0),
                              real(upper),
                              real(options.minBinFraction),
                              real(options.minDerivative),
                              real(getSplineDerivativeOffset(options.minDerivative))};
            functions.push_back(function);
        }
    }
    int getNumVectors() const { return kind == Kind::Vector ? 1 : dimensions; }
    /** Get the number of rows of parameters. */
    int getNumParameters() const { return (int)functions.size() * numParameters / STRIDE; }
    Frame makeAxes(real3 first, real3 second) const {
        return dimensions == 3 ? makeFrame(first, second) : makePlaneFrame(first);
    }
    /** Map a vector from the origin of a frame; `parameters` lie STRIDE apart. */
    template <bool INVERSE>
    MappedPoint map(const Frame& frame, real3 u, const real* parameters) const {
        real values[3] = {real(0.0), real(0.0), real(0.0)};
        real logVolume = real(0.0);
        const real3 c = measure(frame, u, values);
        for (size_t i = 0; i < functions.size(); i++) {
            const real* p = parameters + i * numParameters;
            const SplineResult result =
                INVERSE ? functions[i].inverse(values[i], p) : functions[i].forward(values[i], p);
            values[i] = result.value;
            logVolume = logVolume + result.logDerivative;
        }
        return place(frame, u, c, values, logVolume);
    }
    /** What a point, its frame and the parameters are worth. */
    struct Adjoint {
        real3 point, x, y, z;
    };
    /** Given what the point that map<true>() returns is worth, and its log volume `logAdjoint`. */
    Adjoint inverseAdjoint(const Frame& frame, real3 u, const real* parameters, real3 pointAdjoint,
                           real logAdjoint, real* parameterAdjoint) const {
        const real zero = real(0.0);
        real values[3] = {zero, zero, zero}, results[3] = {zero, zero, zero}, resultAdjoints[3],
             valueAdjoints[3] = {zero, zero, zero};
        const real3 c = measure(frame, u, values);
        for (size_t i = 0; i < functions.size(); i++)
            results[i] = functions[i].inverse(values[i], parameters + i * numParameters).value;
        Adjoint adjoint;
        adjoint.x = adjoint.y = adjoint.z = make_real3(zero, zero, zero);
        if (kind == Kind::Vector) {
            // u' = (r'/r) u, and the log volume has (D-1) log(r'/r).
            const real ratio = results[0] / values[0], power = logAdjoint * real(dimensions - 1.0);
            const real ratioAdjoint = dotProduct(pointAdjoint, u) + power / ratio;
            resultAdjoints[0] = ratioAdjoint / values[0];
            adjoint.point = ratio * pointAdjoint - (ratioAdjoint * ratio / (values[0] * values[0])) * u;
        } else {
            const real3 placed = unmeasure(results);
            real3 worth = toFrame(frame, pointAdjoint);
            adjoint.x = placed.x * pointAdjoint;
            adjoint.y = placed.y * pointAdjoint;
            adjoint.z = placed.z * pointAdjoint;
            if (kind == Kind::Spherical) {
                const real3 s = make_real3(results[0], results[1], dimensions == 3 ? results[2] : zero);
                worth = dimensions == 3 ? fromSphericalAdjoint(s, worth, logAdjoint)
                                        : fromPolarAdjoint(s, worth, logAdjoint);
            }
            resultAdjoints[0] = worth.x;
            resultAdjoints[1] = worth.y;
            resultAdjoints[2] = worth.z;
        }
        for (size_t i = 0; i < functions.size(); i++)
            valueAdjoints[i] =
                functions[i].inverseAdjoint(values[i], parameters + i * numParameters, resultAdjoints[i],
                                            logAdjoint, parameterAdjoint + i * numParameters);
        if (kind == Kind::Vector) {
            adjoint.point = adjoint.point + (valueAdjoints[0] / values[0]) * u;
            return adjoint;
        }
        real3 worth =
            make_real3(valueAdjoints[0], valueAdjoints[1], dimensions == 3 ? valueAdjoints[2] : zero);
        if (kind == Kind::Spherical)
            worth = dimensions == 3 ? toSphericalAdjoint(c, worth, -logAdjoint)
                                    : toPolarAdjoint(c, worth, -logAdjoint);
        adjoint.point = fromFrame(frame, worth);
        adjoint.x = adjoint.x + worth.x * u;
        adjoint.y = adjoint.y + worth.y * u;
        adjoint.z = adjoint.z + worth.z * u;
        return adjoint;
    }

private:
    /** The coordinates that are transformed, and the Cartesian ones in the frame. */
    real3 measure(const Frame& frame, real3 u, real* values) const {
        if (kind == Kind::Vector) {
            values[0] = SQRT(dotProduct(u, u) + real(TINY_SQUARE));
            return u;
        }
        const real3 c = toFrame(frame, u);
        const real3 s = kind != Kind::Spherical ? c : dimensions == 3 ? toSpherical(c) : toPolar(c);
        values[0] = s.x;
        values[1] = s.y;
        values[2] = s.z;
        return c;
    }
    real3 unmeasure(const real* values) const {
        const real3 s = make_real3(values[0], values[1], dimensions == 3 ? values[2] : real(0.0));
        return kind != Kind::Spherical ? s : dimensions == 3 ? fromSpherical(s) : fromPolar(s);
    }
    MappedPoint place(const Frame& frame, real3 u, real3 c, const real* values, real logVolume) const {
        if (kind == Kind::Vector) {
            const real ratio = values[0] / SQRT(dotProduct(u, u) + real(TINY_SQUARE));
            return {ratio * u, logVolume + real(dimensions - 1.0) * LOG(ratio)};
        }
        if (kind == Kind::Spherical) {
            const real3 s = make_real3(values[0], values[1], dimensions == 3 ? values[2] : real(0.0));
            logVolume = logVolume
                        + (dimensions == 3 ? logVolumeOfSpherical(s) - logVolumeOfPoint(c)
                                           : LOG(s.x) - LOG(toPolar(c).x));
        }
        return {fromFrame(frame, unmeasure(values)), logVolume};
    }
    Kind kind;
    int dimensions;
    /** Reals of parameters for each coordinate. */
    int numParameters;
    std::vector<CoordinateFunction> functions;
};
