#ifndef OPENMMFLOW_POTENTIALMODELBUILDER_H_
#define OPENMMFLOW_POTENTIALMODELBUILDER_H_

#include <array>
#include <map>
#include <utility>
#include <vector>

#include "openmm/System.h"
#include "openmmflow/internal/PotentialModel.h"

namespace OpenMMFlow {

/** Gathers the terms of a PotentialModel and merges those of the same atoms. */
class PotentialModelBuilder {
public:
    explicit PotentialModelBuilder(const OpenMM::System& system);
    void addBond(int a, int b, double length, double k);
    void addAngle(int a, int b, int c, double angle, double k);
    /** Find the torsion a-b-c-d, which is that of d-c-b-a, or add it. */
    int addTorsion(int a, int b, int c, int d);
    /** Add cosine cos(n phi) + sine sin(n phi) to a torsion. */
    void addHarmonic(int torsion, int n, double cosine, double sine);
    int addMap(PotentialModel::TorsionMap map);
    void addMappedTorsions(int first, int second, int map) {
        model.mappedTorsions.push_back({{first, second}, map});
    }
    /** Add pairs; those without an energy are left out. */
    void addPairs(const PotentialModel::PairList& pairs);
    void addGeneralizedBorn(const PotentialModel::GeneralizedBorn& born) {
        model.generalizedBorn.push_back(born);
    }
    void addCustomTerms(PotentialModel::CustomTerms terms) { model.customTerms.push_back(std::move(terms)); }
    void addCustomBorn(PotentialModel::CustomBorn born) { model.customBorn.push_back(std::move(born)); }
    /** Add a virtual site; those among its parents come first. */
    void addVirtualSite(const PotentialModel::VirtualSite& site) { model.virtualSites.push_back(site); }
    int getNumParticles() const { return model.numParticles; }
    PotentialModel build();

private:
    PotentialModel model;
    std::map<std::array<int, 4>, int> torsions;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_POTENTIALMODELBUILDER_H_*/
