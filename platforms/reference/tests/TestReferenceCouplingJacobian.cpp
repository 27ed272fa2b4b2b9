// The joint log density of the coupling flows against the Jacobian of the flow as a map, in an
// orthonormal basis of (zero-centre x) times R^3A, and its gradient. Derivatives are those of dual numbers,
// which the same code computes with: they know no formula for a log-determinant or an adjoint.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "../src/ReferenceCouplingFlow.h"
#include "Determinant.h"
#include "DualMath.h"
#include "RandomCouplingFlow.h"
#include "openmmflow/internal/AugmentedCouplingModel.h"
#include "openmmflow/internal/EquivariantCouplingModel.h"
#include "shared/SplineOffset.h"

using namespace OpenMMFlow;
using namespace std;

namespace OpenMMFlow {
namespace duals {
namespace {
namespace wide = OpenMMFlow::duals;

#include "shared/equivariant/Collinearity.h"
#include "shared/equivariant/DoubleMatrix.h"
#include "shared/equivariant/Worth.h"

#include "shared/equivariant/Items.h"

#include "shared/equivariant/ParticleLayout.h"

#include "shared/equivariant/Normalization.h"

#include "shared/equivariant/ResidualNetwork.h"

#include "shared/equivariant/Network.h"

#include "shared/equivariant/Edges.h"

#include "shared/equivariant/NetworkState.h"

#include "shared/equivariant/CoordinateFunction.h"
#include "shared/equivariant/Transforms.h"

#include "shared/equivariant/Coupling.h"

#include "shared/augmented/Attention.h"

#include "shared/augmented/Transformer.h"

#include "shared/augmented/ElementwiseCoupling.h"

#include "shared/equivariant/CouplingFlow.h"

/** A flow of any family on dual numbers. */
struct DualFlow {
    virtual ~DualFlow() = default;
    virtual Items& getPoints() = 0;
    /** Take the points to the base, and return their log density. */
    virtual Dual evaluate() = 0;
};

template <class Family>
struct DualFlowOfFamily : public DualFlow {
    explicit DualFlowOfFamily(const typename Family::Model& model) : flow(model), state(flow) {}
    Items& getPoints() override { return state.getPoints(); }
    Dual evaluate() override {
        state.evaluate(false);
        return state.getLogDensity(0).get();
    }
    CouplingFlow<Family> flow;
    CouplingFlowState<Family> state;
};

unique_ptr<DualFlow> makeDualFlow(const CouplingModel& model) {
    if (const auto* augmented = dynamic_cast<const AugmentedCouplingModel*>(&model))
        return make_unique<DualFlowOfFamily<AugmentedFamily>>(*augmented);
    return make_unique<DualFlowOfFamily<EquivariantFamily>>(
        dynamic_cast<const EquivariantCouplingModel&>(model));
}
}  // namespace
}  // namespace duals
}  // namespace OpenMMFlow

namespace {

/** Joint configurations in orthonormal coordinates, and what a density of them is in the base. */
class JointCoordinates {
public:
    explicit JointCoordinates(const CouplingModel& model)
        : model(model), n(model.getNumParticles()), dimensions(model.getParticles().dimensions) {}
    int size() const { return dimensions * (n - 1 + n * model.getParticles().copies); }
    vector<double> toCoordinates(const vector<double>& positions) const {
        vector<double> result;
        for (int k = 1; k < n; k++)
            for (int axis = 0; axis < dimensions; axis++) {
                double sum = -k * positions[3 * k + axis];
                for (int i = 0; i < k; i++)
                    sum += positions[3 * i + axis];
                result.push_back(sum / sqrt(k * (k + 1.0)));
            }
        for (size_t i = n; i < positions.size() / 3; i++)
            for (int axis = 0; axis < dimensions; axis++)
                result.push_back(positions[3 * i + axis]);
        return result;
    }
    vector<double> toPositions(const vector<double>& coordinates) const {
        vector<double> result(3 * n * model.getNumClouds());
        size_t next = 0;
        for (int k = 1; k < n; k++)
            for (int axis = 0; axis < dimensions; axis++) {
                const double c = coordinates[next++] / sqrt(k * (k + 1.0));
                result[3 * k + axis] -= k * c;
                for (int i = 0; i < k; i++)
                    result[3 * i + axis] += c;
            }
        for (size_t i = n; i < result.size() / 3; i++)
            for (int axis = 0; axis < dimensions; axis++)
                result[3 * i + axis] = coordinates[next++];
        return result;
    }
    /** The base: springs along its bonds, or to the centre, and a Gaussian around each particle. */
    double baseLogDensity(const vector<double>& positions) const {
        const auto& base = model.getBase();
        double result = 0;
        for (int axis = 0; axis < dimensions; axis++) {
            vector<vector<double>> precision(n - 1, vector<double>(n - 1));
            for (int a = 0; a < n - 1; a++) {
                vector<double> x = helmertVector(a);
                for (int b = 0; b < n - 1; b++)
                    precision[a][b] = springs(x, helmertVector(b)) / (base.scale * base.scale);
            }
            vector<double> x;
            for (int i = 0; i < n; i++)
                x.push_back(positions[3 * i + axis]);
            result += 0.5 * logAbsoluteDeterminant(precision) - 0.5 * (n - 1) * log(2 * M_PI)
                      - 0.5 * springs(x, x) / (base.scale * base.scale);
            for (size_t i = n; i < positions.size() / 3; i++) {
                const double z =
                    (positions[3 * i + axis] - positions[3 * (i % n) + axis]) / base.augmentedScale;
                result -= 0.5 * z * z + 0.5 * log(2 * M_PI) + log(base.augmentedScale);
            }
        }
        return result;
    }

private:
    vector<double> helmertVector(int a) const {
        vector<double> x(n);
        const int k = a + 1;
        for (int i = 0; i < k; i++)
            x[i] = 1 / sqrt(k * (k + 1.0));
        x[k] = -k / sqrt(k * (k + 1.0));
        return x;
    }
    /** Of zero centre. */
    double springs(const vector<double>& x, const vector<double>& y) const {
        double sum = 0;
        for (const auto& [i, j] : model.getBase().bonds)
            sum += (x[i] - x[j]) * (y[i] - y[j]);
        if (model.getBase().bonds.empty())
            for (int i = 0; i < n; i++)
                sum += x[i] * y[i];
        return sum;
    }
    const CouplingModel& model;
    int n, dimensions;
};

class CouplingJacobian : public testing::TestWithParam<CouplingVariant> {
protected:
    /** Take positions to the base, with their derivatives in a direction. */
    struct Image {
        double logDensity, logDensityDerivative;
        vector<double> derivative;
    };
    Image invertDual(const vector<double>& positions, const vector<double>& direction) {
        const int n = model.getNumParticles();
        for (int i = 0; i < 3 * numPositions; i++)
            dual->getPoints().at(3 * (i / 3 / n) + i % 3, i / 3 % n) = {positions[i] / unit,
                                                                        direction[i] / unit};
        const duals::Dual logDensity = dual->evaluate();
        Image image{logDensity.value, logDensity.derivative, {}};
        for (int i = 0; i < 3 * numPositions; i++)
            image.derivative.push_back(unit
                                       * dual->getPoints().at(3 * (i / 3 / n) + i % 3, i / 3 % n).derivative);
        for (int i = 3 * numPositions - 1; i >= 0; i--) {
            double center = 0;
            for (int j = i % 3; j < 3 * n; j += 3)
                center += image.derivative[j] / n;
            if (i >= 3 * n)
                image.derivative[i] -= center;
        }
        return image;
    }
    vector<double> drawJoint(int sample) const {
        vector<double> positions(3 * numPositions);
        map.sample(1, sample, positions.data());
        return positions;
    }
    const Flow flow = makeRandomCouplingFlow(GetParam(), 3);
    const CouplingModel& model = dynamic_cast<const CouplingModel&>(flow.getModel());
    const ReferenceCouplingFlow map{flow};
    const JointCoordinates coordinates{model};
    const int numPositions = model.getNumParticles() * model.getNumClouds();
    const double unit = GetParam().lengthUnit;
    const unique_ptr<duals::DualFlow> dual = duals::makeDualFlow(model);
};

TEST_P(CouplingJacobian, LogDensityIsThatOfTheMap) {
    double smallest = INFINITY, largest = -INFINITY;
    for (int sample = 0; sample < 40; sample++) {
        const vector<double> positions = drawJoint(sample);
        vector<double> base(positions.size()), again(positions.size());
        const double logQ = map.computeLogDensity(positions.data(), nullptr);
        EXPECT_NEAR(map.invert(positions.data(), base.data()), logQ, 1e-12);
        EXPECT_NEAR(map.transform(base.data(), again.data()), logQ, 1e-8);
        for (size_t i = 0; i < positions.size(); i++)
            EXPECT_NEAR(again[i], positions[i], 1e-8 * unit);
        vector<vector<double>> jacobian;
        for (int i = 0; i < coordinates.size(); i++) {
            vector<double> direction(coordinates.size());
            direction[i] = 1;
            jacobian.push_back(coordinates.toCoordinates(
                invertDual(positions, coordinates.toPositions(direction)).derivative));
        }
        const double baseLogQ = coordinates.baseLogDensity(base),
                     logVolume = logAbsoluteDeterminant(jacobian);
        EXPECT_NEAR(logQ, baseLogQ + logVolume, 1e-8);
        smallest = min(smallest, logVolume);
        largest = max(largest, logVolume);
    }
    EXPECT_GT(largest - smallest, 1.0) << "the log-determinants must differ for the test to mean anything";
}

TEST_P(CouplingJacobian, GradientIsThatOfTheLogDensity) {
    for (int sample = 0; sample < 10; sample++) {
        const vector<double> positions = drawJoint(sample);
        vector<double> gradient(positions.size()), direction(positions.size());
        const double logQ = map.computeLogDensity(positions.data(), gradient.data());
        double size = 0;
        for (double g : gradient)
            size = max(size, fabs(g));
        for (size_t i = 0; i < positions.size(); i++) {
            direction.assign(positions.size(), 0);
            direction[i] = (int)i % 3 < model.getParticles().dimensions;
            const Image image = invertDual(positions, direction);
            EXPECT_NEAR(image.logDensity, logQ, 1e-8);
            EXPECT_NEAR(gradient[i], image.logDensityDerivative, 1e-8 * size);
        }
    }
}

TEST_P(CouplingJacobian, ParameterGradientIsThatOfTheLogDensity) {
    const vector<double> positions = drawJoint(0);
    vector<double> gradient(model.getParameters().size());
    double logQ, penalty;
    map.addParameterGradient(positions.data(), 1, 0, logQ, penalty, gradient.data());
    EXPECT_EQ(penalty, 0);
    double size = 0;
    for (double g : gradient)
        size = max(size, fabs(g));
    int checked = 0, agree = 0, zero = 0;
    const size_t step = max<size_t>(1, gradient.size() / 300);
    for (size_t i = 0; i < gradient.size(); i += step) {
        const double h = 1e-5;
        double logQ[4];
        for (int k = 0; k < 4; k++) {
            vector<double> moved = model.getParameters();
            moved[i] += (k < 2 ? k - 2 : k - 1) * h;
            logQ[k] = ReferenceCouplingFlow(makeCouplingFlow(model, moved))
                          .computeLogDensity(positions.data(), nullptr);
        }
        const double numeric = (logQ[0] - 8 * logQ[1] + 8 * logQ[2] - logQ[3]) / (12 * h);
        checked++;
        agree += fabs(numeric - gradient[i]) < 1e-6 * size;
        zero += gradient[i] == 0;
    }
    EXPECT_GT(agree, 0.97 * checked);
    // The rest straddle knots. Bins of splines that no particle lies in, and shifts of odd functions, do not
    // count.
    EXPECT_LT(zero, 0.6 * checked);
}

INSTANTIATE_TEST_SUITE_P(Variants, CouplingJacobian, testing::ValuesIn(getCouplingVariants()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
