// What Forces need: their base class, which OpenMM's own module wraps, and casts from what System.getForce() returns.
%import(module="openmm") "swig/openmm_force.i"

%{
/** Read indices of any type of integer, numpy's included. Returns false with an error set. */
static bool indicesFromPython(PyObject* object, std::vector<int>& values) {
    PyObject* sequence = PySequence_Fast(object, "a sequence of particle indices is needed");
    if (sequence == NULL)
        return false;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence) && !PyErr_Occurred(); i++) {
        PyObject* index = PyNumber_Index(PySequence_Fast_GET_ITEM(sequence, i));
        const long value = index == NULL ? -1 : PyLong_AsLong(index);
        Py_XDECREF(index);
        values.push_back(value == (int)value ? (int)value : -1);
    }
    Py_DECREF(sequence);
    return !PyErr_Occurred();
}
%}

%typemap(in) const std::vector<int>& particles (std::vector<int> values) {
    if (!indicesFromPython($input, values))
        SWIG_fail;
    $1 = &values;
}
%typemap(in) const std::vector<int>* particles (std::vector<int> values) {
    if ($input != Py_None && !indicesFromPython($input, values))
        SWIG_fail;
    $1 = &values;
}
%typemap(out) const std::vector<int>& {
    $result = PyTuple_New($1->size());
    for (size_t i = 0; i < $1->size(); i++)
        PyTuple_SET_ITEM($result, i, PyLong_FromLong((*$1)[i]));
}

%{
template <class T> static T& castForce(OpenMM::Force& force, const char* name) {
    T* result = dynamic_cast<T*>(&force);
    if (result == NULL)
        throw OpenMM::OpenMMException("The Force \"" + force.getName() + "\" is not a " + name + ".");
    return *result;
}
%}

%define FORCE_CASTS(CLASS)
%feature("docstring") CLASS::cast "Get a Force that System.getForce() returned as what it is.";
%feature("docstring") CLASS::isinstance "Get whether a Force that System.getForce() returned is one of these.";
%extend CLASS {
    static CLASS& cast(OpenMM::Force& force) { return castForce<CLASS>(force, #CLASS); }
    static bool isinstance(OpenMM::Force& force) { return dynamic_cast<CLASS*>(&force) != NULL; }
}
%enddef
