// Energies and forces of many configurations: BatchedPotential against a C++ loop over one Context for each
// thread, on Reference and on CPU, in turns. Usage: energies SYSTEM.xml POSITIONS THREADS SECONDS PRECISION,
// POSITIONS being raw doubles. Prints one line for each of them: its name and configurations per second, and
// how they agree.

#include <OpenMM.h>
#include <OpenMMFlow.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace std;

namespace {

using Clock = chrono::steady_clock;

double measure(double seconds, long long count, const function<void()>& evaluate) {
    long long done = 0;
    const auto start = Clock::now();
    double elapsed;
    do {
        evaluate();
        done += count;
        elapsed = chrono::duration<double>(Clock::now() - start).count();
    } while (elapsed < seconds);
    return done / elapsed;
}

/** What a user of OpenMM writes: one Context for each thread, positions in, energy and forces out. */
class Loop {
public:
    Loop(const System& system, const string& platform, int threads) {
        for (int i = 0; i < threads; i++) {
            integrators.push_back(make_unique<VerletIntegrator>(0.001));
            map<string, string> properties;
            if (platform == "CPU")
                properties["Threads"] = "1";
            contexts.push_back(make_unique<Context>(system, *integrators.back(),
                                                    Platform::getPlatformByName(platform), properties));
        }
    }
    void evaluate(const vector<vector<Vec3>>& configurations, vector<double>& energies) {
        vector<jthread> threads;
        for (size_t t = 0; t < contexts.size(); t++)
            threads.emplace_back([&, t] {
                for (size_t k = t; k < configurations.size(); k += contexts.size()) {
                    contexts[t]->setPositions(configurations[k]);
                    const State state = contexts[t]->getState(State::Energy | State::Forces);
                    energies[k] = state.getPotentialEnergy() + 0 * state.getForces()[0][0];
                }
            });
    }

private:
    vector<unique_ptr<VerletIntegrator>> integrators;
    vector<unique_ptr<Context>> contexts;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 6)
        return fputs("Usage: energies SYSTEM.xml POSITIONS THREADS SECONDS PRECISION\n", stderr), 1;
    for (const char* variable : {"OPENMM_PLUGIN_DIR", "OPENMMFLOW_PLUGIN_DIR"})
        if (const char* folder = getenv(variable))
            Platform::loadPluginsFromDirectory(folder);
    ifstream xml(argv[1]), raw(argv[2], ios::binary);
    unique_ptr<System> system(XmlSerializer::deserialize<System>(xml));
    const string bytes((istreambuf_iterator<char>(raw)), istreambuf_iterator<char>());
    vector<double> positions((const double*)bytes.data(), (const double*)(bytes.data() + bytes.size()));
    const int threads = atoi(argv[3]), numParticles = system->getNumParticles();
    const double seconds = atof(argv[4]);
    const long long count = positions.size() / (3 * numParticles);
    vector<vector<Vec3>> configurations(count, vector<Vec3>(numParticles));
    for (long long k = 0; k < count; k++)
        for (int i = 0; i < numParticles; i++) {
            const double* r = &positions[3 * (k * numParticles + i)];
            configurations[k][i] = Vec3(r[0], r[1], r[2]);
        }
    BatchedPotential batched(*system,
                             {{"Threads", argv[3]}, {"Precision", argv[5]}, {"Implementation", "batched"}});
    // As many copies of the configurations as make a call worth its overhead, and fill all lanes.
    const long long pairs = (long long)numParticles * numParticles;
    const long long copies = max(1LL, clamp(400'000'000 / pairs, 16LL * threads, 4096LL) / count);
    vector<double> many, energies, forces, reference(count), cpu(count);
    for (long long i = 0; i < copies; i++)
        many.insert(many.end(), positions.begin(), positions.end());
    Loop onReference(*system, "Reference", threads), onCpu(*system, "CPU", threads);
    vector<double> rates[3];
    for (int round = 0; round < 5; round++) {
        rates[0].push_back(measure(seconds, count * copies,
                                   [&] { batched.computeEnergiesAndForces(many, energies, forces); }));
        rates[1].push_back(measure(seconds, count, [&] { onReference.evaluate(configurations, reference); }));
        rates[2].push_back(measure(seconds, count, [&] { onCpu.evaluate(configurations, cpu); }));
    }
    double largest = 0;
    for (long long k = 0; k < count; k++)
        largest = max(largest, abs(energies[k] - reference[k]));
    const char* names[] = {"batched", "Reference", "CPU"};
    for (int i = 0; i < 3; i++) {
        nth_element(rates[i].begin(), rates[i].begin() + 2, rates[i].end());
        printf("%s %.6g\n", names[i], rates[i][2]);
    }
    printf("implementation %s\ndifference %.3g\n", batched.getDescription().c_str(), largest);
}
