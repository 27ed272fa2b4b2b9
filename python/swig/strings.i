// Paths (str, bytes or os.PathLike), bytes, tables of strings and lists of strings.
%include <std_string.i>

%typemap(in) const std::string& path (std::string value) {
    PyObject* bytes = NULL;
    if (!PyUnicode_FSConverter($input, &bytes))
        SWIG_fail;
    value.assign(PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes));
    Py_DECREF(bytes);
    $1 = &value;
}

%typemap(freearg) const std::string& path ""

%typemap(in) const std::string& bytes (std::string value) {
    char* data;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize($input, &data, &size) != 0)
        SWIG_fail;
    value.assign(data, size);
    $1 = &value;
}
%typemap(freearg) const std::string& bytes ""
%typemap(out) std::string toBytes {
    $result = PyBytes_FromStringAndSize($1.data(), $1.size());
}

%{
/** Read str(object). Returns false with an error set. */
static bool stringFromPython(PyObject* object, std::string& value) {
    PyObject* text = PyObject_Str(object);
    const char* data = text == NULL ? NULL : PyUnicode_AsUTF8(text);
    if (data != NULL)
        value = data;
    Py_XDECREF(text);
    return data != NULL;
}

static bool mapFromPython(PyObject* object, std::map<std::string, std::string>& table) {
    if (object == Py_None)
        return true;
    if (!PyDict_Check(object)) {
        PyErr_SetString(PyExc_TypeError, "properties must be a dict of strings");
        return false;
    }
    PyObject *key, *value;
    Py_ssize_t position = 0;
    while (PyDict_Next(object, &position, &key, &value)) {
        std::string name;
        if (!stringFromPython(key, name) || !stringFromPython(value, table[name]))
            return false;
    }
    return true;
}

static PyObject* mapToPython(const std::map<std::string, std::string>& table) {
    PyObject* dict = PyDict_New();
    for (const auto& [key, value] : table) {
        PyObject* text = PyUnicode_DecodeUTF8(value.data(), value.size(), "replace");
        PyDict_SetItemString(dict, key.c_str(), text);
        Py_DECREF(text);
    }
    return dict;
}
%}

%typemap(in) const std::map<std::string, std::string>* properties (std::map<std::string, std::string> table) {
    if (!mapFromPython($input, table))
        SWIG_fail;
    $1 = &table;
}
%typemap(out) std::map<std::string, std::string> {
    $result = mapToPython($1);
}
%typemap(out) const std::map<std::string, std::string>& {
    $result = mapToPython(*$1);
}

%typemap(in) const std::vector<std::string>& (std::vector<std::string> values) {
    PyObject* sequence = PySequence_Fast($input, "a sequence of strings is needed");
    if (sequence == NULL)
        SWIG_fail;
    values.resize(PySequence_Fast_GET_SIZE(sequence));
    for (size_t i = 0; i < values.size(); i++)
        if (!stringFromPython(PySequence_Fast_GET_ITEM(sequence, i), values[i])) {
            Py_DECREF(sequence);
            SWIG_fail;
        }
    Py_DECREF(sequence);
    $1 = &values;
}
