# OpenBLAS::OpenBLAS: double-precision matrix products, dispatched on the processor at run time. From the PyPI package
# scipy-openblas32 (whose functions have the prefix scipy_), or from a system package.
execute_process(COMMAND ${Python_EXECUTABLE} -c "import scipy_openblas32 as b; print(b.get_lib_dir()); print(b.get_include_dir())"
    OUTPUT_VARIABLE _openblas ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REPLACE "\n" ";" _openblas "${_openblas}")
list(LENGTH _openblas _found)
if(_found EQUAL 2)
    list(GET _openblas 0 _lib)
    list(GET _openblas 1 _include)
endif()
find_library(OpenBLAS_LIBRARY NAMES scipy_openblas openblas HINTS ${_lib} ${OPENMM_DIR}/lib)
find_path(OpenBLAS_INCLUDE_DIR cblas.h HINTS ${_include} ${OPENMM_DIR}/include PATH_SUFFIXES openblas)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenBLAS REQUIRED_VARS OpenBLAS_LIBRARY OpenBLAS_INCLUDE_DIR
    REASON_FAILURE_MESSAGE "pip install scipy-openblas32 (conda-forge: openblas, Debian: libopenblas-dev).")
if(NOT TARGET OpenBLAS::OpenBLAS)
    add_library(OpenBLAS::OpenBLAS SHARED IMPORTED)
    set_target_properties(OpenBLAS::OpenBLAS PROPERTIES IMPORTED_LOCATION ${OpenBLAS_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${OpenBLAS_INCLUDE_DIR})
    if(OpenBLAS_LIBRARY MATCHES scipy_openblas)
        set_target_properties(OpenBLAS::OpenBLAS PROPERTIES INTERFACE_COMPILE_DEFINITIONS OPENBLAS_SYMBOL_PREFIX=scipy_)
    endif()
endif()
mark_as_advanced(OpenBLAS_LIBRARY OpenBLAS_INCLUDE_DIR)
