# LibTorch::torch_cpu and LibTorch::c10, from LibTorch_DIR (the folder that holds include/ and lib/) or from the torch
# package that the Python interpreter finds. Torch's own find_package(Torch) is not used: it demands a CUDA toolkit whenever
# the package was built for CUDA. Torch is found, never imported, so that an install without its Python dependencies serves.
if(NOT LibTorch_DIR)
    execute_process(
        COMMAND ${Python_EXECUTABLE} -c
"import importlib.util as u, os
s = u.find_spec('torch')
print(os.path.dirname(s.origin) if s else '')"
        OUTPUT_VARIABLE _torch_dir OUTPUT_STRIP_TRAILING_WHITESPACE)
    set(LibTorch_DIR "${_torch_dir}" CACHE PATH "Where LibTorch is installed: the folder that holds include/ and lib/" FORCE)
endif()
find_path(LibTorch_INCLUDE_DIR ATen/ATen.h PATHS ${LibTorch_DIR}/include NO_DEFAULT_PATH)
find_library(LibTorch_CPU_LIBRARY torch_cpu PATHS ${LibTorch_DIR}/lib NO_DEFAULT_PATH)
find_library(LibTorch_C10_LIBRARY c10 PATHS ${LibTorch_DIR}/lib NO_DEFAULT_PATH)
if(LibTorch_INCLUDE_DIR)
    file(STRINGS ${LibTorch_INCLUDE_DIR}/torch/headeronly/version.h _version REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
    string(REGEX REPLACE "[^0-9;]" "" _version "${_version}")
    string(REPLACE ";" "." LibTorch_VERSION "${_version}")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
    REQUIRED_VARS LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY LibTorch_INCLUDE_DIR VERSION_VAR LibTorch_VERSION
    REASON_FAILURE_MESSAGE "pip install torch==2.11.0, or set LibTorch_DIR to an unpacked LibTorch.")
get_filename_component(LibTorch_LIBRARY_DIR "${LibTorch_CPU_LIBRARY}" DIRECTORY)
if(NOT TARGET LibTorch::torch_cpu)
    add_library(LibTorch::c10 SHARED IMPORTED)
    set_target_properties(LibTorch::c10 PROPERTIES IMPORTED_LOCATION ${LibTorch_C10_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${LibTorch_INCLUDE_DIR})
    add_library(LibTorch::torch_cpu SHARED IMPORTED)
    set_target_properties(LibTorch::torch_cpu PROPERTIES IMPORTED_LOCATION ${LibTorch_CPU_LIBRARY}
        INTERFACE_LINK_LIBRARIES LibTorch::c10 INTERFACE_LINK_OPTIONS "LINKER:--allow-shlib-undefined")
endif()
mark_as_advanced(LibTorch_INCLUDE_DIR LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY)
