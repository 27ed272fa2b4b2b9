# OpenMM::OpenMM, from OPENMM_DIR (a prefix made by OpenMM's own install or by conda), or from the openmm
# package that the Python interpreter finds (the wheel from PyPI).
if(NOT OPENMM_DIR)
    execute_process(
        COMMAND ${Python_EXECUTABLE} -c
"import importlib.util as u, os, sys
s = u.find_spec('openmm')
if s is None: sys.exit()
wheel = os.path.join(os.path.dirname(os.path.dirname(s.origin)), 'OpenMM.libs')
print(wheel if os.path.isdir(wheel) else sys.prefix)"
        OUTPUT_VARIABLE _openmm_dir OUTPUT_STRIP_TRAILING_WHITESPACE)
    set(OPENMM_DIR ${_openmm_dir} CACHE PATH "Where OpenMM is installed" FORCE)
endif()
find_path(OpenMM_INCLUDE_DIR OpenMM.h PATHS ${OPENMM_DIR}/include NO_DEFAULT_PATH)
find_library(OpenMM_LIBRARY OpenMM PATHS ${OPENMM_DIR}/lib NO_DEFAULT_PATH)
get_filename_component(OpenMM_LIBRARY_DIR "${OpenMM_LIBRARY}" DIRECTORY)

# The version stands only in the library: ask it, each time, since an upgrade may put another into the same place.
if(OpenMM_INCLUDE_DIR AND OpenMM_LIBRARY)
    unset(_ran CACHE)
    unset(_compiled CACHE)
    set(_source ${CMAKE_BINARY_DIR}/CMakeFiles/openmm_version.cpp)
    file(WRITE ${_source} "#include <OpenMM.h>\n#include <cstdio>\n"
        "int main() { std::puts(OpenMM::Platform::getOpenMMVersion().c_str()); }\n")
    try_run(_ran _compiled ${CMAKE_BINARY_DIR}/CMakeFiles/openmm_version ${_source}
        CMAKE_FLAGS -DINCLUDE_DIRECTORIES=${OpenMM_INCLUDE_DIR} "-DCMAKE_BUILD_RPATH=${OpenMM_LIBRARY_DIR}"
        LINK_LIBRARIES ${OpenMM_LIBRARY}
        COMPILE_OUTPUT_VARIABLE _compile_output RUN_OUTPUT_VARIABLE _version)
    if(_compiled AND _ran EQUAL 0)
        string(STRIP "${_version}" OpenMM_VERSION)
    else()
        message(WARNING "A program could not be linked with ${OpenMM_LIBRARY}: ${_compile_output}")
    endif()
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenMM
    REQUIRED_VARS OpenMM_LIBRARY OpenMM_INCLUDE_DIR OpenMM_VERSION VERSION_VAR OpenMM_VERSION
    REASON_FAILURE_MESSAGE "Set OPENMM_DIR to the folder that holds OpenMM's include/ and lib/, or pip install openmm.")
if(OpenMM_VERSION VERSION_LESS 8.4)
    message(FATAL_ERROR "openmm-flow needs OpenMM 8.4 or later; ${OPENMM_DIR} has ${OpenMM_VERSION}.")
endif()
string(REGEX MATCH "^[0-9]+\\.[0-9]+" OpenMM_MINOR_VERSION "${OpenMM_VERSION}")
if(NOT TARGET OpenMM::OpenMM)
    add_library(OpenMM::OpenMM SHARED IMPORTED)
    set_target_properties(OpenMM::OpenMM PROPERTIES IMPORTED_LOCATION ${OpenMM_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${OpenMM_INCLUDE_DIR})
endif()
mark_as_advanced(OpenMM_INCLUDE_DIR OpenMM_LIBRARY)
