#include "openmmflow/internal/InternalCoordinates.h"

#include <cmath>
#include <sstream>

#include "CoordinateChoice.h"
#include "MolecularGraph.h"
#include "openmm/OpenMMException.h"
#include "shared/DoubleMath.h"

using namespace OpenMMFlow;
using namespace std;
using OpenMM::OpenMMException;

namespace {

// How far coordinates typically move at room temperature, in nm and radians.
const double typicalBond = 0.003, typicalAngle = 0.06, typicalTorsion = 0.15;
/** No scale is smaller than this part of the typical one, so that data without spread do not make a delta
 * function. */
const double smallestScale = 0.05;

shared::real3 getPosition(const double* positions, int atom) {
    return shared::make_real3(positions[3 * atom], positions[3 * atom + 1], positions[3 * atom + 2]);
}

string inDegrees(double angle) {
    stringstream text;
    text << round(angle * 180 / M_PI);
    return text.str();
}

/** The first coordinate whose value is outside the support, -1 if there is none. */
int findViolation(const InternalCoordinates& coordinates, const vector<double>& values) {
    const int count = coordinates.getNumParticles();
    for (int j = 0; j < coordinates.getNumCoordinates(); j++) {
        double lower = 0, upper = j < count - 1 ? HUGE_VAL : M_PI;
        if (j >= 2 * count - 3) {
            bool circular = coordinates.circular[j];
            lower = circular ? -HUGE_VAL : coordinates.torsionLower[j - 2 * count + 3];
            upper = circular ? HUGE_VAL : coordinates.torsionUpper[j - 2 * count + 3];
        }
        if (!(values[j] > lower && values[j] < upper))
            return j;
    }
    return -1;
}

/** The weights of frames (all equal if there are none), with a sum of 1. */
vector<double> normalizeWeights(vector<double> weights, size_t numFrames) {
    if (weights.empty())
        weights.assign(numFrames, 1);
    if (weights.size() != numFrames)
        throw OpenMMException("There are " + to_string(numFrames) + " frames but " + to_string(weights.size())
                              + " weights: give one weight per frame, or none.");
    double total = 0;
    for (size_t frame = 0; frame < numFrames; frame++) {
        if (!(weights[frame] >= 0 && isfinite(weights[frame])))
            throw OpenMMException("The weight of frame " + to_string(frame) + " is negative or not finite.");
        total += weights[frame];
    }
    if (!(total > 0 && isfinite(total)))
        throw OpenMMException("The sum of the weights is zero or infinite: at least one frame must count.");
    for (double& weight : weights)
        weight /= total;
    return weights;
}

}  // namespace

InternalCoordinates InternalCoordinates::choose(const Molecule& molecule) {
    MolecularGraph graph(molecule);
    CoordinateChoice choice(graph);
    InternalCoordinates result;
    result.atomNames = graph.getNames();
    for (const CoordinateChoice::Choice& c : choice.getChoices())
        result.placements.push_back(c.placement);
    const int count = graph.getNumAtoms(), numStretching = 2 * count - 3;
    result.circular.assign(numStretching, false);
    for (int i = 3; i < count; i++) {
        TorsionKind kind = choice.getChoices()[i].kind;
        result.torsionKinds.push_back(kind);
        result.circular.push_back(kind == TorsionKind::Free);
    }
    result.center.assign(3 * count - 6, 0);
    result.torsionLower.assign(count - 3, -M_PI);
    result.torsionUpper.assign(count - 3, M_PI);
    vector<double> reference;
    for (const OpenMM::Vec3& r : molecule.positions)
        reference.insert(reference.end(), {r[0], r[1], r[2]});
    // About centers of zero, values are the plain ones; then the CisTrans and Planar torsions unwrap about
    // their own.
    vector<double> values = result.measure(reference.data());
    for (int i = 0; i < count - 3; i++) {
        double value = values[numStretching + i];
        switch (result.torsionKinds[i]) {
            case TorsionKind::Free:
                break;
            case TorsionKind::Planar:
                result.torsionLower[i] = value - M_PI;
                result.torsionUpper[i] = value + M_PI;
                break;
            case TorsionKind::Chiral:
                result.torsionLower[i] = value > 0 ? 0 : -M_PI;
                result.torsionUpper[i] = value > 0 ? M_PI : 0;
                break;
            case TorsionKind::CisTrans: {
                double middle = CoordinateChoice::getCisTransCenter(value);
                result.torsionLower[i] = middle - M_PI / 2;
                result.torsionUpper[i] = middle + M_PI / 2;
            }
        }
    }
    for (int j = 0; j < result.getNumCoordinates(); j++) {
        result.center[j] = result.circular[j] ? 0 : values[j];
        result.scale.push_back(result.circular[j]  ? 1
                               : j < count - 1     ? typicalBond
                               : j < numStretching ? typicalAngle
                                                   : typicalTorsion);
    }
    return result;
}

int InternalCoordinates::getNumLinear() const {
    int result = 0;
    for (char c : circular)
        result += !c;
    return result;
}

vector<double> InternalCoordinates::measure(const double* positions) const {
    const int count = getNumParticles();
    vector<double> values(getNumCoordinates());
    for (int i = 1; i < count; i++) {
        const Placement& placement = placements[i];
        shared::real3 atom = getPosition(positions, placement.atom),
                      bond = getPosition(positions, placement.bond);
        values[i - 1] = shared::measureBond(atom, bond);
        if (i < 2)
            continue;
        shared::real3 angle = getPosition(positions, placement.angle);
        values[count + i - 3] = shared::measureAngle(atom, bond, angle);
        if (i < 3)
            continue;
        shared::real3 torsion = getPosition(positions, placement.torsion);
        const int j = 2 * count + i - 6;
        values[j] =
            center[j] + shared::wrapAngle(shared::measureTorsion(atom, bond, angle, torsion) - center[j]);
    }
    return values;
}

bool InternalCoordinates::isInSupport(const vector<double>& values) const {
    return findViolation(*this, values) < 0;
}

string InternalCoordinates::describeViolation(const double* positions) const {
    const int count = getNumParticles();
    for (int i = 0; i < 3 * count; i++)
        if (!isfinite(positions[i]))
            return "the position of atom " + getName(i / 3) + " is not finite";
    vector<double> values = measure(positions);
    int j = findViolation(*this, values);
    if (j < 0)
        return "";
    if (j < count - 1)
        return "the two atoms of " + describeCoordinate(j) + " coincide";
    if (j < 2 * count - 3)
        return "the three atoms of " + describeCoordinate(j) + " lie on one line";
    int i = j - 2 * count + 3;
    const Placement& placement = placements[i + 3];
    string bond = getName(placement.bond), angle = getName(placement.angle);
    string what = describeCoordinate(j) + " is " + inDegrees(shared::wrapAngle(values[j])) + " degrees";
    switch (torsionKinds[i]) {
        case TorsionKind::Chiral:
            return "atom " + bond + " has the other hand than in the reference conformation (or atoms "
                   + getName(placement.atom) + " and " + getName(placement.torsion)
                   + " have exchanged places): " + what;
        case TorsionKind::CisTrans: {
            double middle = (torsionLower[i] + torsionUpper[i]) / 2;
            if (fabs(sin(middle)) > 0.5)
                return "the double bonds at " + bond + "-" + angle
                       + " are twisted to the other hand than in the reference conformation: " + what;
            bool cis = cos(values[j]) > 0;
            return "the bond " + bond + "-" + angle + " is " + (cis ? "cis" : "trans") + " and not "
                   + (cis ? "trans" : "cis") + " as in the reference conformation: " + what;
        }
        default:
            return what + ", on the edge of its range";
    }
}

string InternalCoordinates::getName(int atom) const {
    return atomNames.empty() ? to_string(atom) : atomNames[atom];
}

string InternalCoordinates::describeCoordinate(int j) const {
    const int count = getNumParticles();
    if (j < count - 1) {
        const Placement& p = placements[j + 1];
        return "bond " + getName(p.atom) + "-" + getName(p.bond);
    }
    if (j < 2 * count - 3) {
        const Placement& p = placements[j - count + 3];
        return "angle " + getName(p.atom) + "-" + getName(p.bond) + "-" + getName(p.angle);
    }
    const Placement& p = placements[j - 2 * count + 6];
    return "torsion " + getName(p.atom) + "-" + getName(p.bond) + "-" + getName(p.angle) + "-"
           + getName(p.torsion);
}

void InternalCoordinates::standardize(const vector<double>& positions, const vector<double>& weights) {
    const size_t frameSize = 3 * placements.size(), numFrames = positions.size() / frameSize;
    const int count = getNumParticles();
    if (positions.size() % frameSize != 0)
        throw OpenMMException("The data have " + to_string(positions.size())
                              + " numbers, which is no whole number of frames of " + to_string(count)
                              + " atoms.");
    if (numFrames == 0)
        throw OpenMMException("The data hold no frame: coordinates are standardized from at least one.");
    const vector<double> share = normalizeWeights(weights, numFrames);

    // Planar torsions cover the full turn about their center, so the center must be known, by its direction
    // on the circle, before they are unwrapped.
    const int dimensions = getNumCoordinates(), firstTorsion = 2 * count - 3;
    vector<double> sine(dimensions, 0), cosine(dimensions, 0);
    auto forEachFrame = [&](auto use) {
        for (size_t frame = 0; frame < numFrames; frame++)
            if (share[frame] > 0)
                use(frame, share[frame], &positions[frame * frameSize]);
    };
    forEachFrame([&](size_t frame, double weight, const double* r) {
        string violation = describeViolation(r);
        if (!violation.empty())
            throw OpenMMException("Frame " + to_string(frame)
                                  + " (counted from 0) lies outside what this flow covers: " + violation
                                  + ".");
        vector<double> values = measure(r);
        for (int j = firstTorsion; j < dimensions; j++) {
            sine[j] += weight * sin(values[j]);
            cosine[j] += weight * cos(values[j]);
        }
    });
    for (int j = firstTorsion; j < dimensions; j++)
        if (torsionKinds[j - firstTorsion] == TorsionKind::Planar) {
            center[j] = atan2(sine[j], cosine[j]);
            torsionLower[j - firstTorsion] = center[j] - M_PI;
            torsionUpper[j - firstTorsion] = center[j] + M_PI;
        }
    vector<double> mean(dimensions, 0), square(dimensions, 0);
    forEachFrame([&](size_t, double weight, const double* r) {
        vector<double> values = measure(r);
        for (int j = 0; j < dimensions; j++) {
            double deviation = values[j] - center[j];
            mean[j] += weight * deviation;
            square[j] += weight * deviation * deviation;
        }
    });
    for (int j = 0; j < dimensions; j++) {
        if (circular[j])
            continue;
        bool restricted = j < firstTorsion || torsionKinds[j - firstTorsion] != TorsionKind::Planar;
        double variance = square[j] - (restricted ? mean[j] * mean[j] : 0);
        if (restricted)
            center[j] += mean[j];
        double typical = j < count - 1 ? typicalBond : j < firstTorsion ? typicalAngle : typicalTorsion;
        // One frame says where the coordinates are, and nothing about how far they move.
        if (numFrames > 1)
            scale[j] = max(sqrt(max(variance, 0.0)), smallestScale * typical);
    }
}
