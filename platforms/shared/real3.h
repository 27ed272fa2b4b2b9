// The vector type of the common compute language and its operators, for C++. Included inside a namespace that
// has `real`; on a GPU the language provides them. No include guard: each meaning of `real` includes it once.

struct real3 {
    real x, y, z;
};

inline real3 make_real3(real x, real y, real z) {
    return real3{x, y, z};
}
inline real3 operator+(real3 a, real3 b) {
    return make_real3(a.x + b.x, a.y + b.y, a.z + b.z);
}
inline real3 operator-(real3 a, real3 b) {
    return make_real3(a.x - b.x, a.y - b.y, a.z - b.z);
}
inline real3 operator*(real s, real3 a) {
    return make_real3(s * a.x, s * a.y, s * a.z);
}
