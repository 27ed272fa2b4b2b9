#include <algorithm>
#include <cmath>

#include "openmm/OpenMMException.h"
#include "openmmflow/internal/InternalCoordinates.h"
#include "openmmflow/internal/TensorFile.h"

namespace OpenMMFlow {

using OpenMM::OpenMMException;
using std::string;
using std::to_string;
using std::vector;

namespace {

const int64_t maxParticles = 1000000;

[[noreturn]] void throwInvalidCoordinates(const string& reason) {
    throw OpenMMException("Invalid internal coordinates: " + reason + ".");
}

void checkPlacements(const vector<InternalCoordinates::Placement>& placements) {
    int n = (int)placements.size();
    vector<char> placed(n, false);
    for (int i = 0; i < n; i++) {
        const InternalCoordinates::Placement& p = placements[i];
        string subject = "atom " + to_string(p.atom);
        if (p.atom < 0 || p.atom >= n)
            throwInvalidCoordinates(subject + " does not exist among " + to_string(n) + " atoms");
        if (placed[p.atom])
            throwInvalidCoordinates(subject + " is placed twice");
        int references[3] = {p.bond, p.angle, p.torsion};
        for (int k = 0; k < 3; k++) {
            if (k >= i) {
                if (references[k] != -1)
                    throwInvalidCoordinates(subject + " refers to more atoms than there are before it");
                continue;
            }
            if (references[k] < 0 || references[k] >= n || !placed[references[k]])
                throwInvalidCoordinates(subject + " refers to atom " + to_string(references[k])
                                        + ", which is not placed before it");
            if (std::find(references, references + k, references[k]) != references + k)
                throwInvalidCoordinates(subject + " refers to atom " + to_string(references[k]) + " twice");
        }
        placed[p.atom] = true;
    }
}

}  // namespace

void InternalCoordinates::validate() const {
    size_t n = placements.size();
    if (n < 3)
        throwInvalidCoordinates("there are " + to_string(n) + " atoms, and at least 3 are needed");
    size_t numCoordinates = 3 * n - 6, numTorsions = n - 3, firstAngle = n - 1, firstTorsion = 2 * n - 3;
    if (circular.size() != numCoordinates || center.size() != numCoordinates || scale.size() != numCoordinates
        || torsionLower.size() != numTorsions || torsionUpper.size() != numTorsions
        || torsionKinds.size() != numTorsions || (!atomNames.empty() && atomNames.size() != n))
        throwInvalidCoordinates("an array does not have the size that " + to_string(n) + " atoms need");
    checkPlacements(placements);
    for (const string& name : atomNames)
        if (name.size() > 60
            || std::any_of(name.begin(), name.end(), [](char c) { return c < ' ' || c > '~'; }))
            throwInvalidCoordinates(
                "an atom's name is longer than 60 characters or holds others than printable ASCII "
                "characters");
    for (size_t j = 0; j < numCoordinates; j++) {
        string subject = "coordinate " + to_string(j);
        if (!std::isfinite(scale[j]) || scale[j] <= 0)
            throwInvalidCoordinates("the scale of " + subject + " is not a positive number");
        if (!std::isfinite(center[j]))
            throwInvalidCoordinates("the center of " + subject + " is not a number");
        if (j < firstTorsion) {
            if (circular[j])
                throwInvalidCoordinates(subject + " is circular, but only torsions can be");
            if (center[j] <= 0 || (j >= firstAngle && center[j] >= M_PI))
                throwInvalidCoordinates(
                    "the center of " + subject
                    + (j < firstAngle ? ", a bond, is not positive" : ", an angle, is not between 0 and pi"));
        } else if (!circular[j]) {
            double lower = torsionLower[j - firstTorsion], upper = torsionUpper[j - firstTorsion];
            // A full turn may have been computed as center-pi and center+pi, with rounding.
            bool valid = std::abs(lower) <= 4 * M_PI && lower < center[j] && center[j] < upper
                         && upper <= lower + 2 * M_PI + 1e-9;
            if (!valid)
                throwInvalidCoordinates(
                    "the limits of " + subject
                    + ", a torsion, do not lie on either side of its center and within one turn");
        }
    }
}

InternalCoordinates InternalCoordinates::read(const TensorFile& file) {
    vector<int64_t> shape = file.getShape("coordinates.placements");
    if (shape.size() != 2 || shape[1] != 4 || shape[0] < 3 || shape[0] > maxParticles)
        file.fail("the tensor 'coordinates.placements' does not have the shape (N, 4) with N at least 3");
    int64_t n = shape[0], numCoordinates = 3 * n - 6, numTorsions = n - 3;
    InternalCoordinates result;
    vector<int64_t> indices = file.getIntegers("coordinates.placements", shape, -1, n - 1);
    for (int64_t i = 0; i < n; i++)
        result.placements.push_back(
            {(int)indices[4 * i], (int)indices[4 * i + 1], (int)indices[4 * i + 2], (int)indices[4 * i + 3]});
    for (int64_t value : file.getIntegers("coordinates.circular", {numCoordinates}, 0, 1))
        result.circular.push_back((char)value);
    result.center = file.getReals("coordinates.center", {numCoordinates});
    result.scale = file.getReals("coordinates.scale", {numCoordinates});
    result.torsionLower = file.getReals("coordinates.torsion_lower", {numTorsions});
    result.torsionUpper = file.getReals("coordinates.torsion_upper", {numTorsions});
    for (int64_t value :
         file.getIntegers("coordinates.torsion_kind", {numTorsions}, 0, (int64_t)TorsionKind::CisTrans))
        result.torsionKinds.push_back((TorsionKind)value);
    try {
        result.validate();
    } catch (const OpenMMException& e) {
        throw OpenMMException("Cannot read " + file.getDescription() + ": " + e.what());
    }
    return result;
}

void InternalCoordinates::write(TensorFile& file) const {
    int64_t n = getNumParticles(), numCoordinates = 3 * n - 6, numTorsions = n - 3;
    vector<int64_t> indices, kinds;
    for (const Placement& p : placements)
        indices.insert(indices.end(), {p.atom, p.bond, p.angle, p.torsion});
    for (TorsionKind kind : torsionKinds)
        kinds.push_back((int64_t)kind);
    file.setIntegers("coordinates.placements", {n, 4}, indices);
    file.setIntegers("coordinates.circular", {numCoordinates},
                     vector<int64_t>(circular.begin(), circular.end()), TensorFile::Type::U8);
    file.setReals("coordinates.center", {numCoordinates}, center);
    file.setReals("coordinates.scale", {numCoordinates}, scale);
    file.setReals("coordinates.torsion_lower", {numTorsions}, torsionLower);
    file.setReals("coordinates.torsion_upper", {numTorsions}, torsionUpper);
    file.setIntegers("coordinates.torsion_kind", {numTorsions}, kinds, TensorFile::Type::U8);
}

}  // namespace OpenMMFlow
