#include <algorithm>

#include "Translations.h"
#include "openmm/VirtualSite.h"
#include "openmmflow/internal/PotentialTranslator.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

using Site = PotentialModel::VirtualSite;

Site translateSite(int particle, const VirtualSite& site) {
    Site result{particle, Site::Average, {}};
    const int numParents = site.getNumParticles();
    vector<double> weights(numParents), x(numParents), y(numParents);
    if (const auto* two = dynamic_cast<const TwoParticleAverageSite*>(&site)) {
        for (int i = 0; i < numParents; i++)
            weights[i] = two->getWeight(i);
    } else if (const auto* three = dynamic_cast<const ThreeParticleAverageSite*>(&site)) {
        for (int i = 0; i < numParents; i++)
            weights[i] = three->getWeight(i);
    } else if (const auto* outOfPlane = dynamic_cast<const OutOfPlaneSite*>(&site)) {
        result.kind = Site::OutOfPlane;
        const double w12 = outOfPlane->getWeight12(), w13 = outOfPlane->getWeight13();
        weights = {1 - w12 - w13, w12, w13};
        x = {-1, 1, 0};
        y = {-1, 0, 1};
        result.cross = outOfPlane->getWeightCross();
    } else if (const auto* local = dynamic_cast<const LocalCoordinatesSite*>(&site)) {
        result.kind = Site::LocalCoordinates;
        local->getOriginWeights(weights);
        local->getXWeights(x);
        local->getYWeights(y);
        for (int axis = 0; axis < 3; axis++)
            result.local[axis] = local->getLocalPosition()[axis];
    } else if (const auto* symmetry = dynamic_cast<const SymmetrySite*>(&site)) {
        if (symmetry->getUseBoxVectors())
            throw UntranslatableForce("a SymmetrySite that uses box vectors");
        result.kind = Site::Symmetry;
        weights = {1};
        Vec3 rows[3];
        symmetry->getRotationMatrix(rows[0], rows[1], rows[2]);
        for (int axis = 0; axis < 3; axis++) {
            result.offset[axis] = symmetry->getOffsetVector()[axis];
            for (int j = 0; j < 3; j++)
                result.rotation[axis][j] = rows[axis][j];
        }
    } else
        throw UntranslatableForce("a virtual site of a kind that openmm-flow does not know");
    for (int i = 0; i < numParents; i++)
        result.parents.push_back({site.getParticle(i), weights[i], x[i], y[i]});
    return result;
}

}  // namespace

void translateVirtualSites(const System& system, PotentialModelBuilder& builder) {
    vector<bool> isComputed(system.getNumParticles());
    for (int i = 0; i < system.getNumParticles(); i++)
        isComputed[i] = !system.isVirtualSite(i);
    // Parents may be virtual sites too. OpenMM has refused those that depend on themselves.
    for (bool isDone = false; !isDone;) {
        isDone = true;
        for (int i = 0; i < system.getNumParticles(); i++) {
            if (isComputed[i])
                continue;
            const Site site = translateSite(i, system.getVirtualSite(i));
            if (all_of(site.parents.begin(), site.parents.end(),
                       [&](const Site::Parent& parent) { return isComputed[parent.particle]; })) {
                builder.addVirtualSite(site);
                isComputed[i] = true;
                isDone = false;
            }
        }
    }
}

}  // namespace OpenMMFlow
