# What all targets of this project share: warnings, sanitizers, and RPATHs that work in the build tree, in a prefix and in
# the wheel (libraries in OpenMM.libs/lib, plugins in OpenMM.libs/lib/plugins).
add_library(OpenMMFlowOptions INTERFACE)
target_compile_options(OpenMMFlowOptions INTERFACE -Wall -Wextra -Wno-unused-parameter)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # A false alarm on "text" + std::string (GCC bug 105651).
    target_compile_options(OpenMMFlowOptions INTERFACE -Wno-restrict)
endif()
if(OPENMMFLOW_WERROR)
    target_compile_options(OpenMMFlowOptions INTERFACE -Werror)
endif()
if(OPENMMFLOW_SANITIZE)
    if(OPENMMFLOW_SANITIZE STREQUAL thread)
        set(sanitizers -fsanitize=thread)
    else()
        set(sanitizers -fsanitize=address,undefined)
    endif()
    # Line numbers, and no more: to track variables takes the compiler minutes for code that is unrolled.
    target_compile_options(OpenMMFlowOptions INTERFACE ${sanitizers} -fno-sanitize-recover=undefined
        -fno-omit-frame-pointer -g1)
    if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
        # False alarms, of which GCC warns itself where sanitizers are on.
        target_compile_options(OpenMMFlowOptions INTERFACE -Wno-maybe-uninitialized)
    endif()
    target_link_options(OpenMMFlowOptions INTERFACE ${sanitizers})
endif()

set(OPENMMFLOW_INSTALL_LIBDIR lib CACHE STRING "Where libraries go, relative to the prefix")
set(OPENMMFLOW_INSTALL_INCLUDEDIR include CACHE STRING "Where headers go, relative to the prefix")
set(OPENMMFLOW_INSTALL_PLUGINDIR ${OPENMMFLOW_INSTALL_LIBDIR}/plugins)
set(CMAKE_INSTALL_MESSAGE LAZY)

# openmmflow_library(name [PLUGIN] [COMPONENT component] sources...): a shared library of the project.
function(openmmflow_library name)
    cmake_parse_arguments(ARG "PLUGIN" "COMPONENT" "SOURCES;RPATH" ${ARGN})
    if(NOT ARG_COMPONENT)
        set(ARG_COMPONENT runtime)
    endif()
    add_library(${name} SHARED ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE OpenMMFlowOptions)
    if(ARG_PLUGIN)
        set(destination ${OPENMMFLOW_INSTALL_PLUGINDIR})
        set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/plugins)
        set(rpath "$ORIGIN:$ORIGIN/..")
    else()
        set(destination ${OPENMMFLOW_INSTALL_LIBDIR})
        set(rpath "$ORIGIN")
    endif()
    set_target_properties(${name} PROPERTIES BUILD_RPATH "${rpath};${OpenMM_LIBRARY_DIR}"
        INSTALL_RPATH "${rpath};${ARG_RPATH}" BUILD_RPATH_USE_ORIGIN ON)
    install(TARGETS ${name} LIBRARY DESTINATION ${destination} COMPONENT ${ARG_COMPONENT})
endfunction()
