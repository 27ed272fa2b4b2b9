"""The generator leaves nothing of the public API out, and says so where it cannot wrap something."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

SOURCE = Path(__file__).parents[2]
GENERATOR = SOURCE / "wrappers" / "generate.py"
HEADERS = sorted((SOURCE / "openmmapi" / "include" / "openmmflow").glob("*.h"))
HEADER = Path(os.environ["WRAPPER_FOLDER"], "OpenMMFlowCWrapper.h")
INCLUDES = "".join(f"#include <{name}>\n" for name in ("cstdint", "memory", "string", "vector"))
sys.path.insert(0, str(GENERATOR.parent))

from functions import NOT_WRAPPED  # noqa: E402


def declared():
    """Return the names of the functions in the C header."""
    return set(re.findall(r"^extern .*?(OpenMMFlow_\w+)\(", HEADER.read_text(), re.MULTILINE))


def generate(folder, text):
    """Run the generator on a header with this text; return the result and what it wrote in C."""
    include = folder / "include" / "openmmflow"
    include.mkdir(parents=True)
    (include / "Example.h").write_text(f"{INCLUDES}namespace OpenMMFlow {{\n{text}\n}}\n")
    command = [sys.executable, "-B", GENERATOR, include / "Example.h", "--output", folder]
    result = subprocess.run(
        [*command, "--openmm", os.environ["OPENMM_WRAPPER"]], capture_output=True, text=True
    )
    return result, (folder / HEADER.name).read_text() if result.returncode == 0 else ""


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
    result, _ = generate(tmp_path, "class Example { public: std::deque<int> getAll() const; };")
    assert result.returncode != 0
    assert "Example::getAll cannot be wrapped" in result.stderr and "std::deque<int>" in result.stderr


@pytest.mark.parametrize(
    "member",
    [
        "Example* find();",
        "void set(std::vector<bool>& values);",
        "void set(Unknown value);",
        "void call(const std::function<void(std::string)>& task);",
        "void call(int);",
    ],
)
def test_so_are_types_without_a_convention(tmp_path, member):
    result, _ = generate(tmp_path, f"class Example {{ public: {member} }};")
    assert result.returncode != 0 and "cannot be wrapped" in result.stderr


def test_what_may_come(tmp_path):
    """Conventions that no header needs today."""
    result, text = generate(
        tmp_path,
        """class Example {
        public:
            enum Kind { Small, Large = 5, Huge };
            explicit Example(Kind kind, bool isFast = true, float scale = 0.5);
            static std::unique_ptr<Example> make(const std::string& name = "x");
            Kind getKind() const;
            std::vector<uint64_t> getSeeds() const;
            void measure(double& value, int& count) const;
        private:
            Kind kind;
        };""",
    )
    assert result.returncode == 0, result.stderr
    for line in (
        "typedef enum { OpenMMFlow_Example_Small = 0, OpenMMFlow_Example_Large = 5, OpenMMFlow_Example_Huge = 6 } "
        "OpenMMFlow_Example_Kind;",
        "OpenMMFlow_Example* OpenMMFlow_Example_create(OpenMMFlow_Example_Kind kind, OpenMM_Boolean isFast, float scale);",
        "/** Defaults of C++: isFast = true, scale = 0.5 */",
        "OpenMMFlow_Example* OpenMMFlow_Example_make(const char* name);",
        "OpenMMFlow_Example_Kind OpenMMFlow_Example_getKind(const OpenMMFlow_Example* target);",
        "OpenMMFlow_UnsignedInt64Array* OpenMMFlow_Example_getSeeds(const OpenMMFlow_Example* target);",
        "void OpenMMFlow_Example_measure(const OpenMMFlow_Example* target, double* value, int* count);",
    ):
        assert line in text
    compile(tmp_path, "cc", "-std=c11", HEADER.name, "-x", "c")
    compile(tmp_path, "c++", "-std=c++20", HEADER.with_suffix(".cpp").name)


def compile(folder, compiler, standard, name, *options):
    folders = ["-I", folder, "-I", folder / "include", "-I", GENERATOR.parent / "src"]
    openmm = ["-isystem", Path(os.environ["OPENMM_WRAPPER"]).parent]
    warnings = ["-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    command = [compiler, standard, *warnings, *folders, *openmm, *options, folder / name]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
