/* Standard normal numbers from uniform ones. Common compute language. */

typedef struct {
    real first, second;
} NormalPair;

DEVICE NormalPair boxMuller(real u, real v) {
    real radius = SQRT((real)-2 * LOG(u));
    real angle = (real)6.283185307179586477 * v;
    NormalPair result;
    result.first = radius * COS(angle);
    result.second = radius * SIN(angle);
    return result;
}
