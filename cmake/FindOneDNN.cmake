# OneDNN::OneDNN: single-precision matrix products, dispatched on the processor at run time. From the PyPI packages
# onednn-cpu-gomp and onednn-devel-cpu-gomp, which install into the prefix of Python, or from a system package.
# That prefix is not always Python's own: pip builds wheels in an environment laid over it.
execute_process(COMMAND ${Python_EXECUTABLE} -c
"import importlib.metadata as m, sys
try:
    d = m.distribution('onednn-cpu-gomp')
    print(next(d.locate_file(f).resolve() for f in d.files if f.name.startswith('libdnnl.so')).parent.parent)
except m.PackageNotFoundError:
    print(sys.prefix)"
    OUTPUT_VARIABLE _prefix OUTPUT_STRIP_TRAILING_WHITESPACE)
find_path(OneDNN_INCLUDE_DIR oneapi/dnnl/dnnl.h HINTS ${_prefix}/include ${OPENMM_DIR}/include)
find_library(OneDNN_LIBRARY NAMES dnnl libdnnl.so.3 HINTS ${_prefix}/lib ${OPENMM_DIR}/lib)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OneDNN REQUIRED_VARS OneDNN_LIBRARY OneDNN_INCLUDE_DIR
    REASON_FAILURE_MESSAGE "pip install onednn-cpu-gomp onednn-devel-cpu-gomp (conda-forge: onednn-cpu-omp, Debian: libdnnl-dev).")
find_package(OpenMP REQUIRED COMPONENTS CXX)
if(NOT TARGET OneDNN::OneDNN)
    add_library(OneDNN::OneDNN SHARED IMPORTED)
    set_target_properties(OneDNN::OneDNN PROPERTIES IMPORTED_LOCATION ${OneDNN_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${OneDNN_INCLUDE_DIR})
    target_link_libraries(OneDNN::OneDNN INTERFACE OpenMP::OpenMP_CXX)
endif()
mark_as_advanced(OneDNN_INCLUDE_DIR OneDNN_LIBRARY)
