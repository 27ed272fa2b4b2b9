// Usage: mix FOLDER [MOVES [PLATFORM]]
//
// Langevin dynamics of alanine dipeptide with a flow move after every 500 steps, MOVES of them (100 by
// default). Prints how many were accepted, and how often phi changed its sign. FOLDER holds system.xml,
// topology.pdb and flow.safetensors, as ../alanine-dipeptide/obc1 does.
//
// With OpenMM and openmm-flow in PREFIX it is compiled by
//
//     c++ -std=c++20 mix.cpp -o mix -IPREFIX/include -LPREFIX/lib -lOpenMMFlow -lOpenMM -Wl,-rpath,PREFIX/lib

#include <OpenMM.h>
#include <OpenMMFlow.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace std;

namespace {

const double TEMPERATURE = 300;
const int FREQUENCY = 500;
// C, N, CA, C.
const int PHI[4] = {4, 6, 8, 14};

unique_ptr<System> loadSystem(const string& path) {
    ifstream file(path);
    if (!file)
        throw OpenMMException("The file \"" + path + "\" cannot be read.");
    return unique_ptr<System>(XmlSerializer::deserialize<System>(file));
}

/** A torsion has the sign of the projection of its last bond on the normal of the plane of the first two. */
bool isPhiPositive(const vector<Vec3>& x) {
    const Vec3 first = x[PHI[1]] - x[PHI[0]], axis = x[PHI[2]] - x[PHI[1]], last = x[PHI[3]] - x[PHI[2]];
    return first.cross(axis).dot(last) > 0;
}

void run(const string& folder, int moves, const string& platform) {
    // OpenMM's plugins, and with them openmm-flow's: OPENMM_PLUGIN_DIR says where, if they are not where it
    // was built for.
    Platform::loadPluginsFromDirectory(Platform::getDefaultPluginsDirectory());
    const unique_ptr<System> system = loadSystem(folder + "/system.xml");
    const Flow flow = Flow::load(folder + "/flow.safetensors");
    auto* move = new MonteCarloFlowMove(flow, TEMPERATURE, FREQUENCY);
    move->setRandomNumberSeed(1);
    system->addForce(move);
    LangevinMiddleIntegrator integrator(TEMPERATURE, 1, 0.001);
    integrator.setRandomNumberSeed(1);
    Context context(*system, integrator, Platform::getPlatformByName(platform));

    // Any configuration with a finite energy does to begin with: here one of the flow's own.
    vector<double> x, logQ;
    uint64_t sample = 0;
    do
        FlowContext(flow).sample(1, x, logQ, 1, sample++);
    while (!isfinite(logQ[0]));
    vector<Vec3> positions;
    for (size_t i = 0; i < x.size(); i += 3)
        positions.emplace_back(x[i], x[i + 1], x[i + 2]);
    context.setPositions(positions);
    context.setVelocitiesToTemperature(TEMPERATURE, 1);

    int changes = 0;
    bool wasPositive = isPhiPositive(positions);
    for (int k = 0; k < moves; k++) {
        integrator.step(FREQUENCY);
        const bool isPositive = isPhiPositive(context.getState(State::Positions).getPositions());
        changes += isPositive != wasPositive;
        wasPositive = isPositive;
    }
    cout << move->getStatistics(context).toString() << endl;
    cout << "phi changed its sign " << changes << " times." << endl;
}

}  // namespace

int main(int argc, char* argv[]) {
    const int moves = argc > 2 ? atoi(argv[2]) : 100;
    if (argc < 2 || argc > 4 || moves < 1) {
        cerr << "Usage: mix FOLDER [MOVES [PLATFORM]]" << endl;
        return 2;
    }
    try {
        run(argv[1], moves, argc > 3 ? argv[3] : "CPU");
    } catch (const exception& e) {
        cerr << "mix: " << e.what() << endl;
        return 1;
    }
    return 0;
}
