"""Generates the C wrapper and the Fortran module from the headers of the C++ API."""

import argparse
from pathlib import Path

import api
import c_wrapper
import fortran_module
import functions
import registry

HERE = Path(__file__).parent


def main():
    """Write the generated files into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("headers", nargs="+", type=Path)
    parser.add_argument("--doxygen", default="doxygen", help="the program")
    parser.add_argument("--openmm", type=Path, required=True, help="OpenMMCWrapper.h")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    headers = [path.resolve() for path in arguments.headers]
    classes = api.read(headers, arguments.doxygen)
    types = registry.Registry(classes, arguments.openmm.read_text())
    groups = functions.collect(classes, types)
    # Every header stands in a folder that is named include or src.
    includes = [path.as_posix().replace("/src/", "/include/").rsplit("/include/", 1)[1] for path in headers]

    def write(name, make, *rest):
        template = (HERE / f"{name}.in").read_text()
        (arguments.output / name).write_text(make(template, groups, *rest))

    write("OpenMMFlowCWrapper.h", c_wrapper.header, types.callbacks.values())
    write("OpenMMFlowCWrapper.cpp", c_wrapper.source, types.callbacks.values(), includes)
    write("OpenMMFlowFortranModule.f90", fortran_module.module, types.callbacks.values())


if __name__ == "__main__":
    main()
