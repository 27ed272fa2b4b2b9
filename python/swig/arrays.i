// numpy arrays in and out. What a vector returns becomes an array without a copy: the array owns the vector.
%{
#define NPY_NO_DEPRECATED_API NPY_1_20_API_VERSION
#include <numpy/arrayobject.h>

template <class T> constexpr int numpyType = NPY_NOTYPE;
template <> constexpr int numpyType<double> = NPY_DOUBLE;
template <> constexpr int numpyType<int> = NPY_INT;
template <> constexpr int numpyType<bool> = NPY_BOOL;

/** Read an array of any layout and number type, of any shape: the vector is flat. Returns false with an error set. */
template <class T> static bool vectorFromPython(PyObject* object, std::vector<T>& values) {
    PyArrayObject* array = (PyArrayObject*)PyArray_FROM_OTF(object, numpyType<T>, NPY_ARRAY_IN_ARRAY);
    if (array == NULL)
        return false;
    const T* data = (const T*)PyArray_DATA(array);
    values.assign(data, data + PyArray_SIZE(array));
    Py_DECREF(array);
    return true;
}

static PyObject* arrayFromVector(std::vector<double>&& values) {
    auto* owned = new std::vector<double>(std::move(values));
    PyObject* capsule = PyCapsule_New(owned, NULL, [](PyObject* self) {
        delete (std::vector<double>*)PyCapsule_GetPointer(self, NULL);
    });
    npy_intp size = owned->size();
    // numpy allocates when it is given no memory, which is what an empty vector has.
    PyObject* array = PyArray_SimpleNewFromData(1, &size, NPY_DOUBLE, size == 0 ? NULL : owned->data());
    PyArray_SetBaseObject((PyArrayObject*)array, capsule);
    return array;
}

/** A read-only array which shows memory that `owner` keeps alive. */
static PyObject* viewOfVector(const std::vector<double>& values, PyObject* owner) {
    npy_intp size = values.size();
    PyObject* array = PyArray_SimpleNewFromData(1, &size, NPY_DOUBLE, size == 0 ? NULL : (void*)values.data());
    PyArray_CLEARFLAGS((PyArrayObject*)array, NPY_ARRAY_WRITEABLE);
    Py_INCREF(owner);
    PyArray_SetBaseObject((PyArrayObject*)array, owner);
    return array;
}
%}

%init %{
import_array();
%}

%define VECTOR_TYPEMAPS(TYPE)
%typemap(in) const std::vector<TYPE>& (std::vector<TYPE> values) {
    if (!vectorFromPython($input, values))
        SWIG_fail;
    $1 = &values;
}
%enddef
VECTOR_TYPEMAPS(double)
VECTOR_TYPEMAPS(int)
VECTOR_TYPEMAPS(bool)

%typemap(out) std::vector<double> {
    $result = arrayFromVector(std::move($1));
}
%typemap(in, numinputs=0) std::vector<double>& OUTPUT (std::vector<double> values) {
    $1 = &values;
}
%typemap(argout) std::vector<double>& OUTPUT {
    $result = SWIG_AppendOutput($result, arrayFromVector(std::move(*$1)));
}
%apply std::vector<double>& OUTPUT {
    std::vector<double>& OUTPUT_POSITIONS, std::vector<double>& OUTPUT_LOG_Q, std::vector<double>& OUTPUT_GRADIENT,
    std::vector<double>& OUTPUT_ENERGIES, std::vector<double>& OUTPUT_FORCES
};
