// Included as PotentialEvaluator.h is.

/** Computes the positions of the virtual sites of a PotentialModel, and passes the forces on them to their
 * parents. */
class VirtualSites {
public:
    explicit VirtualSites(const PotentialModel& model) : sites(model.virtualSites) {}
    /** Compute the positions of the sites from those of all other particles. */
    void computePositions(real3* r) const {
        for (const Site& site : sites) {
            real3 position = sum(site, &Parent::weight, r);
            switch (site.kind) {
                case Site::Average:
                    break;
                case Site::OutOfPlane:
                    position =
                        position
                        + real(site.cross) * crossProduct(sum(site, &Parent::x, r), sum(site, &Parent::y, r));
                    break;
                case Site::LocalCoordinates:
                    position = position + pointInAxes(makeAxes(site, r), toReal3(site.local));
                    break;
                case Site::Symmetry:
                    position = make_real3(dotProduct(toReal3(site.rotation[0]), position),
                                          dotProduct(toReal3(site.rotation[1]), position),
                                          dotProduct(toReal3(site.rotation[2]), position))
                               + toReal3(site.offset);
            }
            r[site.particle] = position;
        }
    }
    /** Add the forces on the sites to those on their parents. As in OpenMM, the sites keep them. */
    void distributeForces(const real3* r, real3* force) const {
        // A site that is a parent passes on what it is given.
        for (auto site = sites.rbegin(); site != sites.rend(); ++site) {
            real3 f = force[site->particle];
            DirectionForces directions = {zero(), zero()};
            switch (site->kind) {
                case Site::Average:
                    break;
                case Site::OutOfPlane:
                    directions.x = real(site->cross) * crossProduct(sum(*site, &Parent::y, r), f);
                    directions.y = real(site->cross) * crossProduct(f, sum(*site, &Parent::x, r));
                    break;
                case Site::LocalCoordinates:
                    directions = forcesOnDirections(makeAxes(*site, r), toReal3(site->local), f);
                    break;
                case Site::Symmetry:
                    f = f.x * toReal3(site->rotation[0]) + f.y * toReal3(site->rotation[1])
                        + f.z * toReal3(site->rotation[2]);
            }
            for (const Parent& parent : site->parents)
                force[parent.particle] = force[parent.particle] + real(parent.weight) * f
                                         + real(parent.x) * directions.x + real(parent.y) * directions.y;
        }
    }

private:
    using Site = PotentialModel::VirtualSite;
    using Parent = Site::Parent;

    static real3 zero() { return make_real3(real(0.0), real(0.0), real(0.0)); }
    static real3 toReal3(const double* a) { return make_real3(real(a[0]), real(a[1]), real(a[2])); }
    static real3 sum(const Site& site, double Parent::*weight, const real3* r) {
        real3 result = zero();
        for (const Parent& parent : site.parents)
            result = result + real(parent.*weight) * r[parent.particle];
        return result;
    }
    static LocalAxes makeAxes(const Site& site, const real3* r) {
        return makeLocalAxes(sum(site, &Parent::x, r), sum(site, &Parent::y, r));
    }

    const std::vector<Site>& sites;
};
