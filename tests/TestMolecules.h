#ifndef OPENMMFLOW_TESTMOLECULES_H_
#define OPENMMFLOW_TESTMOLECULES_H_

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "openmmflow/Molecule.h"

/** Load a molecule of tests/molecules. */
inline OpenMMFlow::Molecule loadMolecule(const std::string& name) {
    const char* source = std::getenv("OPENMMFLOW_SOURCE_DIR");
    std::ifstream file(std::string(source ? source : ".") + "/tests/molecules/" + name + ".json");
    nlohmann::json json = nlohmann::json::parse(file);
    OpenMMFlow::Molecule molecule;
    json["atomicNumbers"].get_to(molecule.atomicNumbers);
    json["atomNames"].get_to(molecule.atomNames);
    json["bonds"].get_to(molecule.bonds);
    json["bondOrders"].get_to(molecule.bondOrders);
    for (const auto& r : json["positions"])
        molecule.positions.push_back(OpenMM::Vec3(r[0], r[1], r[2]));
    return molecule;
}

inline std::vector<double> flatten(const std::vector<OpenMM::Vec3>& positions) {
    std::vector<double> result;
    for (const OpenMM::Vec3& r : positions)
        result.insert(result.end(), {r[0], r[1], r[2]});
    return result;
}

#endif /*OPENMMFLOW_TESTMOLECULES_H_*/
