// The classes of OpenMM that cross the border. Their types are those of OpenMM's own SWIG module, which shares its table
// of types with every module made by a SWIG of the same runtime version.
namespace OpenMM {
class Context;
class System;
class Platform;
}

%{
/** Get a number, or a Quantity's value in a unit of openmm.unit. Returns false with an error set. */
static bool numberInUnit(PyObject* object, const char* unitName, double& value) {
    PyObject* number;
    if (PyObject_HasAttrString(object, "value_in_unit")) {
        PyObject* units = PyImport_ImportModule("openmm.unit");
        PyObject* unit = units == NULL ? NULL : PyObject_GetAttrString(units, unitName);
        number = unit == NULL ? NULL : PyObject_CallMethod(object, "value_in_unit", "O", unit);
        Py_XDECREF(units);
        Py_XDECREF(unit);
        if (number == NULL)
            return false;
    }
    else {
        number = object;
        Py_INCREF(number);
    }
    value = PyFloat_AsDouble(number);
    Py_DECREF(number);
    return !PyErr_Occurred();
}
%}

%typemap(in) double temperature {
    if (!numberInUnit($input, "kelvin", $1))
        SWIG_fail;
}

%{
/** Run a long call with the interpreter free for other threads. */
class ReleaseInterpreter {
public:
    ReleaseInterpreter() : state(PyEval_SaveThread()) {}
    ~ReleaseInterpreter() { PyEval_RestoreThread(state); }

private:
    PyThreadState* state;
};

/**
 * Calls a Python function with (done, total) between blocks, and gives Python the chance to handle Ctrl-C. When either
 * raises, the call stops; the error stays set for whoever holds the interpreter next.
 */
class PythonProgress {
public:
    explicit PythonProgress(PyObject* function) : function(function) {}
    bool operator()(long long done, long long total) const {
        PyGILState_STATE state = PyGILState_Ensure();
        bool proceed = PyErr_CheckSignals() == 0;
        // The function learns of the last block too, so what a signal raised waits until it has returned.
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        if (function != Py_None) {
            PyObject* result = PyObject_CallFunction(function, "LL", done, total);
            proceed = proceed && result != NULL && (result == Py_None || PyObject_IsTrue(result) == 1);
            Py_XDECREF(result);
        }
        if (type != NULL)
            PyErr_Restore(type, value, traceback);
        PyGILState_Release(state);
        return proceed;
    }

private:
    PyObject* function;
};
%}

// A Platform, its name, or None for the fastest that works.
%typemap(in) OpenMM::Platform* platform {
    if (PyUnicode_Check($input)) {
        try {
            $1 = &OpenMM::Platform::getPlatformByName(PyUnicode_AsUTF8($input));
        }
        catch (const std::exception& e) {
            raiseOpenMMException(e.what());
            SWIG_fail;
        }
    }
    else {
        void* pointer = NULL;
        if (!SWIG_IsOK(SWIG_ConvertPtr($input, &pointer, $descriptor(OpenMM::Platform*), 0))) {
            PyErr_SetString(PyExc_TypeError, "platform must be a Platform, the name of one, or None");
            SWIG_fail;
        }
        $1 = (OpenMM::Platform*)pointer;
    }
}

%{
/** Create a T on a platform, or on the fastest. */
template <class T, class... Args>
static T* createOnPlatform(OpenMM::Platform* platform, const std::map<std::string, std::string>* properties,
                           const Args&... args) {
    static const std::map<std::string, std::string> none;
    if (properties == NULL)
        properties = &none;
    return platform == NULL ? new T(args..., *properties) : new T(args..., *platform, *properties);
}
%}
