#ifndef OPENMMFLOW_TESTS_FLOWMOVECHAIN_H_
#define OPENMMFLOW_TESTS_FLOWMOVECHAIN_H_

#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "SeparablePeroxide.h"
#include "openmm/Context.h"
#include "openmm/CustomExternalForce.h"
#include "openmm/CustomIntegrator.h"
#include "openmmflow/FlowContext.h"
#include "openmmflow/MonteCarloFlowMove.h"

/** Chains of flow moves for a molecule whose averages are known in closed form. */
namespace OpenMMFlow::tests {

/** An integrator whose steps do nothing but let Forces update the state of the Context. */
inline std::unique_ptr<OpenMM::CustomIntegrator> makeIdleIntegrator() {
    auto integrator = std::make_unique<OpenMM::CustomIntegrator>(0.001);
    integrator->addUpdateContextState();
    return integrator;
}

/** A move with a flow that is near the target. */
inline MonteCarloFlowMove* makeMove(int frequency, const std::vector<int>& particles = {}) {
    auto* move = new MonteCarloFlowMove(peroxide::makeFlow(), peroxide::temperature, frequency, particles);
    move->setRandomNumberSeed(4);
    return move;
}

/** Make the Context compute the energies of moves: this Force is zero, but may be a field, for all one knows.
 */
inline void preventBatches(OpenMM::System& system) {
    auto* field = new OpenMM::CustomExternalForce("0*x");
    field->addParticle(0);
    system.addForce(field);
}

/** The positions of a configuration that the flow proposes, with their centre at a place. */
inline std::vector<OpenMM::Vec3> getSample(const Flow& flow, uint64_t sample,
                                           const OpenMM::Vec3& center = OpenMM::Vec3()) {
    std::vector<double> x, logQ;
    FlowContext(flow, OpenMM::Platform::getPlatformByName("Reference")).sample(1, x, logQ, 77, sample);
    std::vector<OpenMM::Vec3> positions;
    for (size_t i = 0; i < x.size(); i += 3)
        positions.push_back(center + OpenMM::Vec3(x[i], x[i + 1], x[i + 2]));
    return positions;
}

/** A quantity of hydrogen peroxide along a chain. */
class Series {
public:
    void add(double value) { values.push_back(value); }
    double getMean(size_t first, size_t last) const {
        double sum = 0;
        for (size_t i = first; i < last; i++)
            sum += values[i];
        return sum / (double)(last - first);
    }
    double getMean() const { return getMean(0, values.size()); }
    /** The standard error, from blocks much longer than the chain remembers. */
    double getError() const {
        const size_t numBlocks = 40, size = values.size() / numBlocks;
        double sumOfSquares = 0;
        for (size_t i = 0; i < numBlocks; i++)
            sumOfSquares += std::pow(getMean(i * size, (i + 1) * size) - getMean(0, numBlocks * size), 2);
        return std::sqrt(sumOfSquares / (double)(numBlocks * (numBlocks - 1)));
    }

private:
    std::vector<double> values;
};

struct Observable {
    std::function<double(const std::vector<double>&)> measure;
    double exact;
};

inline double measureMiddleBond(const std::vector<double>& x) {
    const OpenMM::Vec3 bond = peroxide::atom(x, 0, 2) - peroxide::atom(x, 0, 1);
    return std::sqrt(bond.dot(bond));
}

/** The average of a function of the torsion with weight exp(-tilt cos phi) times the Boltzmann distribution.
 */
inline double averageOverTorsion(const std::function<double(double)>& f, double tilt) {
    auto weight = [tilt](double phi) {
        return peroxide::torsionWeight(phi) * std::exp(-tilt * std::cos(phi));
    };
    return peroxide::integrate(-M_PI, M_PI, [&](double phi) { return f(phi) * weight(phi); })
           / peroxide::integrate(-M_PI, M_PI, weight);
}

/** Quantities whose averages are one-dimensional integrals. */
inline std::map<std::string, Observable> getObservables(double longest = 0.5, double tilt = 0) {
    using Positions = std::vector<double>;
    std::map<std::string, Observable> observables;
    auto addTorsion = [&](const std::string& name, const std::function<double(double)>& f) {
        observables[name] = {[f](const Positions& x) { return f(peroxide::measureTorsion(x, 0)); },
                             averageOverTorsion(f, tilt)};
    };
    addTorsion("cos phi", [](double phi) { return std::cos(phi); });
    addTorsion("sin phi", [](double phi) { return std::sin(phi); });
    addTorsion("cos 2 phi", [](double phi) { return std::cos(2 * phi); });
    addTorsion("left", [](double phi) { return phi < 0 ? 1.0 : 0.0; });
    const double normalization = peroxide::integrateMiddleBond(0, longest);
    observables["length"] = {measureMiddleBond, peroxide::integrateMiddleBond(1, longest) / normalization};
    observables["length^2"] = {[](const Positions& x) { return std::pow(measureMiddleBond(x), 2); },
                               peroxide::integrateMiddleBond(2, longest) / normalization};
    return observables;
}

/** Advance a Context and measure after every so many steps. */
inline std::map<std::string, Series> runChain(OpenMM::Context& context, int count, int interval,
                                              const std::map<std::string, Observable>& observables,
                                              const std::vector<int>& particles = {0, 1, 2, 3}) {
    std::map<std::string, Series> series;
    for (int k = 0; k < count; k++) {
        context.getIntegrator().step(interval);
        const std::vector<OpenMM::Vec3> positions = context.getState(OpenMM::State::Positions).getPositions();
        std::vector<double> x;
        for (int particle : particles)
            for (int j = 0; j < 3; j++)
                x.push_back(positions[particle][j]);
        for (const auto& [name, observable] : observables)
            series[name].add(observable.measure(x));
    }
    return series;
}

}  // namespace OpenMMFlow::tests

#endif /*OPENMMFLOW_TESTS_FLOWMOVECHAIN_H_*/
