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
// What was cast may be the only owner.
%feature("pythonappend") CLASS::cast "val._owner = args[0]";
%feature("docstring") CLASS::isinstance "Get whether a Force that System.getForce() returned is one of these.";
%extend CLASS {
    static CLASS& cast(OpenMM::Force& force) { return castForce<CLASS>(force, #CLASS); }
    static bool isinstance(OpenMM::Force& force) { return dynamic_cast<CLASS*>(&force) != NULL; }

    // OpenMM's own methods would leave a pointer to a plain Force behind.
    %pythoncode %{
        def __setstate__(self, xml):
            force = openmm.XmlSerializer.deserialize(xml)
            self.this = self.cast(force).this
            force.this.disown()
            self.this.acquire()

        def __copy__(self):
            duplicate = self.__new__(type(self))
            duplicate.__dict__.update({name: value for name, value in self.__dict__.items() if name != "this"})
            duplicate.__setstate__(self.__getstate__())
            return duplicate
    %}
}
%enddef
