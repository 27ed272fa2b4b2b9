// Rotations that are drawn: they are rotations, and uniform ones.

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "shared/randomRotation.h"

using namespace OpenMMFlow::shared;
using namespace std;

namespace {

const int samples = 200000;

/** Chi squared of counts against equal ones, for 20 bins; p > 1e-3 is below 43.8. */
class Histogram {
public:
    /** A number that should be uniform on (0, 1). */
    void add(double u) { counts[min(19, max(0, (int)(20 * u)))]++; }
    double chiSquared() const {
        double total = 0, result = 0;
        for (int count : counts)
            total += count;
        for (int count : counts)
            result += pow(count - total / 20, 2) / (total / 20);
        return result;
    }

private:
    int counts[20] = {};
};

}  // namespace

TEST(RandomRotation, IsARotation) {
    for (int dimensions : {2, 3})
        for (int k = 0; k < 100; k++) {
            const RotationMatrix r = drawRotation(7, k, dimensions);
            for (int i = 0; i < 3; i++)
                for (int j = 0; j < 3; j++) {
                    double product = 0;
                    for (int l = 0; l < 3; l++)
                        product += r[3 * i + l] * r[3 * j + l];
                    EXPECT_NEAR(product, i == j, 1e-14);
                }
            const double determinant = r[0] * (r[4] * r[8] - r[5] * r[7]) - r[1] * (r[3] * r[8] - r[5] * r[6])
                                       + r[2] * (r[3] * r[7] - r[4] * r[6]);
            EXPECT_NEAR(determinant, 1, 1e-14);
            if (dimensions == 2) {
                EXPECT_EQ(r[8], 1);
            }
        }
}

TEST(RandomRotation, IsUniformInSpace) {
    // The angle of a uniform rotation has the distribution (t - sin t)/pi; what it makes of a fixed vector is
    // uniform on the sphere, and so is its z, and the angle around z, on their ranges; rotations after a
    // fixed one are as uniform.
    const RotationMatrix fixed = drawRotation(99, 0, 3);
    Histogram angles, heights, longitudes, others;
    for (int k = 0; k < samples; k++) {
        const RotationMatrix r = drawRotation(3, k, 3);
        const double t = acos(min(1.0, max(-1.0, (r[0] + r[4] + r[8] - 1) / 2)));
        angles.add((t - sin(t)) / M_PI);
        double vector[6] = {0.6, 0, -0.8, fixed[0], fixed[3], fixed[6]};
        rotate(r, vector, 2);
        heights.add((vector[2] + 1) / 2);
        longitudes.add((atan2(vector[1], vector[0]) + M_PI) / (2 * M_PI));
        others.add((vector[3] + 1) / 2);
    }
    for (const Histogram& histogram : {angles, heights, longitudes, others})
        EXPECT_LT(histogram.chiSquared(), 43.8);
}

TEST(RandomRotation, IsUniformInThePlane) {
    Histogram angles;
    for (int k = 0; k < samples; k++) {
        double vector[3] = {0.3, -0.4, 5};
        rotate(drawRotation(4, k, 2), vector, 1);
        EXPECT_EQ(vector[2], 5);
        angles.add((atan2(vector[1], vector[0]) + M_PI) / (2 * M_PI));
    }
    EXPECT_LT(angles.chiSquared(), 43.8);
}

TEST(RandomRotation, DependsOnSeedAndSampleOnly) {
    EXPECT_EQ(drawRotation(1, 5, 3), drawRotation(1, 5, 3));
    EXPECT_NE(drawRotation(1, 5, 3), drawRotation(1, 6, 3));
    EXPECT_NE(drawRotation(1, 5, 3), drawRotation(2, 5, 3));
}
