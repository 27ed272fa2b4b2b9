"""The generator leaves nothing of the public API out, and says so where it cannot wrap something."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

SOURCE = Path(__file__).parents[2]
GENERATOR = SOURCE / "wrappers" / "generate.py"
HEADERS = sorted((SOURCE / "openmmapi" / "include" / "openmmflow").glob("*.h"))
OPENMM = Path(os.environ["OPENMM_WRAPPER"]).parent
HEADER = Path(os.environ["WRAPPER_FOLDER"], "OpenMMFlowCWrapper.h")
INCLUDES = "".join(
    f"#include <{name}>\n" for name in ("cstdint", "functional", "memory", "optional", "string", "vector")
)
sys.path.insert(0, str(GENERATOR.parent))

from functions import NOT_WRAPPED  # noqa: E402


def declared():
    """Return the names of the functions in the C header."""
    return set(re.findall(r"^extern .*?(OpenMMFlow_\w+)\(", HEADER.read_text(), re.MULTILINE))


def generate(folder, text):
    """Run the generator on a header with this text."""
    include = folder / "include" / "openmmflow"
    include.mkdir(parents=True)
    (include / "Example.h").write_text(f"{INCLUDES}namespace OpenMMFlow {{\n{text}\n}}\n")
    command = [sys.executable, "-B", GENERATOR, include / "Example.h", "--output", folder]
    result = subprocess.run(
        [*command, "--openmm", os.environ["OPENMM_WRAPPER"]], capture_output=True, text=True
    )
    return result


def test_every_function_is_in_the_library():
    names = subprocess.run(
        ["nm", "-D", "--defined-only", os.environ["WRAPPER_LIBRARY"]], capture_output=True, text=True
    )
    assert len(declared()) > 200
    assert declared() <= {line.split()[-1] for line in names.stdout.splitlines()}


def test_every_public_method_is_wrapped(tmp_path):
    """SWIG, which knows nothing of Doxygen, finds the methods."""
    swig = os.environ["SWIG"]
    if not os.path.exists(swig):
        pytest.skip("there is no SWIG")
    interface = "%module all\n" + "".join(f'%include "{path}"\n' for path in HEADERS)
    (tmp_path / "all.i").write_text(interface)
    command = [swig, "-w401", "-c++", "-xml", "-xmllite", "-o", tmp_path / "all.xml", tmp_path / "all.i"]
    subprocess.run(command, check=True)
    missing, count = [], 0
    for class_ in ElementTree.parse(tmp_path / "all.xml").iter("class"):
        name = attributes(class_)["name"].removeprefix("OpenMMFlow::")
        for method in class_.iter("cdecl"):
            values = attributes(method)
            full = f"{name}::{values['name']}"
            if (
                values["kind"] != "function"
                or values.get("access") != "public"
                or class_ is not owner(class_, method)
            ):
                continue
            if name in NOT_WRAPPED or full in NOT_WRAPPED or values["name"].startswith("operator"):
                continue
            if values["name"] == "usesPeriodicBoundaryConditions":  # OpenMM's own function does
                continue
            count += 1
            if f"OpenMMFlow_{full.replace('::', '_')}" not in declared():
                missing.append(full)
    assert count > 100 and not missing


def attributes(node):
    return {a.get("name"): a.get("value") for a in node.find("attributelist").iterfind("attribute")}


def owner(class_, method):
    """Return the innermost class around a method, which is not class_ if it belongs to a nested one."""
    for nested in class_.iter("class"):
        if nested is not class_ and method in nested.iter("cdecl"):
            return nested
    return class_


def test_what_cannot_be_wrapped_is_an_error(tmp_path):
    result = generate(tmp_path, "class Example { public: std::deque<int> getAll() const; };")
    assert result.returncode != 0
    assert "Example::getAll cannot be wrapped" in result.stderr and "std::deque<int>" in result.stderr


@pytest.mark.parametrize(
    "member",
    [
        "Example* find();",
        "void set(std::vector<bool>& values);",
        "void set(Unknown value);",
        "void call(const std::function<void(std::string)>& task);",
        "void change(std::string& text);",
        "void change(bool& flag);",
        "void read(const double* values);",
        "const double* getValues() const;",
        "std::vector<bool> getFlags() const;",
    ],
)
def test_so_are_types_without_a_convention(tmp_path, member):
    result = generate(tmp_path, f"class Example {{ public: {member} }};")
    assert result.returncode != 0 and "cannot be wrapped" in result.stderr


def test_functions_must_be_in_a_class(tmp_path):
    result = generate(tmp_path, "class Example {}; int count();")
    assert result.returncode != 0 and "OpenMMFlow::count stands in no class" in result.stderr


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The folder of what was generated for one class with each convention, some of which no header needs today."""
    folder = tmp_path_factory.mktemp("example")
    result = generate(
        folder,
        """class Molecule { public: int size = 3; };
        class Example {
        public:
            enum Kind { Small, Large = 5, Huge };
            struct Estimate { double value; int count; };
            using Progress = std::function<bool(long long done, double fraction)>;
            explicit Example(Kind kind, bool isFast = true, float scale = 0.5);
            Example(const Example&) = default;
            Example(Example&&) = default;
            static std::unique_ptr<Example> make(const std::string& name = "x");
            static Example fromBytes(const std::string& bytes);
            Kind getKind() const;
            const std::string& getName() const;
            std::vector<uint64_t> getSeeds() const;
            std::vector<Estimate> getAll() const;
            Estimate measure(double& value, int& count, const Estimate& before) const;
            bool run(unsigned int steps, const std::vector<bool>& mask, const Progress& progress = {});
            static const double* getData(const std::vector<double>& values, long long& size);
            std::optional<Molecule> molecule;
        private:
            Kind kind;
        };""",
    )
    assert result.returncode == 0, result.stderr
    return folder


def test_what_may_come(example):
    text = (example / HEADER.name).read_text()
    for line in (
        "typedef enum { OpenMMFlow_Example_Small = 0, OpenMMFlow_Example_Large = 5, OpenMMFlow_Example_Huge = 6 } "
        "OpenMMFlow_Example_Kind;",
        "OpenMMFlow_Example* OpenMMFlow_Example_create(OpenMMFlow_Example_Kind kind, OpenMM_Boolean isFast, float scale);",
        "OpenMMFlow_Example* OpenMMFlow_Example_create_2(const OpenMMFlow_Example* argument1);",
        "/** Defaults in C++: isFast = true, scale = 0.5 */",
        "OpenMMFlow_Example* OpenMMFlow_Example_make(const char* name);",
        "OpenMMFlow_Example_Kind OpenMMFlow_Example_getKind(const OpenMMFlow_Example* target);",
        "OpenMMFlow_UnsignedInt64Array* OpenMMFlow_Example_getSeeds(const OpenMMFlow_Example* target);",
    ):
        assert line in text


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0 and result.stderr == "", result.stderr


def compile_cpp(folder, *options):
    folders = ["-I", folder, "-I", folder / "include", "-I", GENERATOR.parent / "src", "-isystem", OPENMM]
    run("c++", "-std=c++20", "-Wall", "-Wextra", *folders, *options, folder / "OpenMMFlowCWrapper.cpp")


def test_it_compiles(example):
    run(
        "cc",
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-fsyntax-only",
        "-isystem",
        OPENMM,
        "-x",
        "c",
        example / HEADER.name,
    )
    compile_cpp(example, "-fsyntax-only")


def test_fortran_declares_what_c_defines(example, monkeypatch):
    """The optimiser of the linker compares the types."""
    if not shutil.which("gfortran"):
        pytest.skip("there is no gfortran")
    monkeypatch.chdir(example)
    run("gfortran", "-fsyntax-only", OPENMM / "OpenMMFortranModule.f90")
    options = ["-flto", "-fPIC", "-c"]
    compile_cpp(example, *options, "-o", "c.o")
    run("gfortran", "-std=f2008", *options, "OpenMMFlowFortranModule.f90", "-o", "fortran.o")
    run("gfortran", "-flto", "-Wlto-type-mismatch", "-shared", "c.o", "fortran.o", "-o", "both.so")
