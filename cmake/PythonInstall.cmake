# `make PythonInstall`: the packages into Python's site-packages, and the command openmm-flow, as pip does it. The libraries
# are not in them: those are where `make install` puts them.
add_custom_target(PythonInstall)

# openmmflow_python_install(component pyproject targets...): add what is installed as this component.
function(openmmflow_python_install component pyproject)
    set(staging ${CMAKE_CURRENT_BINARY_DIR}/staging)
    configure_file(${pyproject} ${staging}/pyproject.toml @ONLY)
    set(pip ${Python_EXECUTABLE} -m pip install --quiet --disable-pip-version-check)
    add_custom_target(PythonInstall-${component}
        COMMAND ${CMAKE_COMMAND} -E rm -rf ${staging}/openmmflow ${staging}/openmmflow_training ${staging}/build
        COMMAND ${CMAKE_COMMAND} --install ${CMAKE_BINARY_DIR} --component ${component} --prefix ${staging}
        COMMAND ${pip} --force-reinstall --no-deps ${staging}
        COMMAND ${pip} ${staging}
        DEPENDS ${ARGN} VERBATIM)
    add_dependencies(PythonInstall PythonInstall-${component})
endfunction()
