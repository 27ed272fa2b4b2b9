// Every C++ exception reaches Python as openmm.OpenMMException, the class that OpenMM itself raises.
%{
static void raiseOpenMMException(const char* message) {
    PyObject* openmm = PyImport_ImportModule("openmm");
    if (openmm == NULL)
        return;
    PyObject* type = PyObject_GetAttrString(openmm, "OpenMMException");
    Py_DECREF(openmm);
    if (type == NULL)
        return;
    PyErr_SetString(type, message);
    Py_DECREF(type);
}
%}

%exception {
    try {
        $action
        // A callback may have failed, or a signal have been handled, without any exception of C++.
        if (PyErr_Occurred())
            SWIG_fail;
    }
    catch (const std::exception& e) {
        // What a callback raised is set already, and says more.
        if (!PyErr_Occurred())
            raiseOpenMMException(e.what());
        SWIG_fail;
    }
}
