"""How values cross from C and Fortran to C++ and back: one class for each kind of type."""

import re
from dataclasses import dataclass, field

# C++ type: C, Fortran, and its name in the arrays of it that OpenMM has not.
NUMBERS = {
    "int": ("int", "integer(c_int)", "Int"),
    "long long": ("long long", "integer(c_long_long)", "LongLong"),
    "unsigned int": ("unsigned int", "integer(c_int)", "UnsignedInt"),
    "uint64_t": ("uint64_t", "integer(c_int64_t)", "UnsignedInt64"),
    "double": ("double", "real(c_double)", "Double"),
    "float": ("float", "real(c_float)", "Float"),
}
OPENMM_ARRAYS = {
    "std::vector<double>": "OpenMM_DoubleArray",
    "std::vector<int>": "OpenMM_IntArray",
    "std::vector<std::string>": "OpenMM_StringArray",
    "std::vector<OpenMM::Vec3>": "OpenMM_Vec3Array",
    "std::vector<std::pair<int,int>>": "OpenMM_BondArray",
    "std::map<std::string,std::string>": "OpenMM_PropertyArray",
    "std::map<std::string,double>": "OpenMM_ParameterArray",
}


class Unwrappable(Exception):
    """There is no convention for a type."""


@dataclass
class Argument:
    """A parameter of a C++ function, as C and Fortran see it."""

    # Declarations in C, and the expression in C++.
    c: list
    cpp: str
    # Fortran: declarations as ("type, attributes", "name"), in the interface of the C function and in the procedure that
    # users call; what the latter passes on, and what it does before and after the call.
    interface: list
    fortran: list
    passed: list
    local: list = field(default_factory=list)
    before: list = field(default_factory=list)
    after: list = field(default_factory=list)


@dataclass
class Result:
    """What a C++ function returns, as C and Fortran see it. In templates {} is the value."""

    c: str
    failure: str
    cpp: str = "{}"
    interface: str = ""
    fortran: str = ""
    assign: str = "result = {}"
    # Where the length of bytes goes, behind the parameters.
    has_size: bool = False
    is_pointer: bool = False
    # Whether a handle is the caller's to destroy. In C its type tells.
    is_owned: bool = False


def fortran_literal(value, type_):
    """Return the default value of a number in Fortran, or None if there is no saying."""
    if not re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", value or ""):
        return None
    kind = re.search(r"\((\w+)\)", type_).group(1)
    return f"{value}{'' if kind.startswith(('c_int', 'c_long')) or '.' in value or 'e' in value else '.0'}_{kind}"


class Number:
    def __init__(self, cpp):
        self.cpp = cpp
        self.c, self.fortran, self.array = NUMBERS[cpp]

    def argument(self, name, is_const, reference, default):
        if reference == "*":
            raise Unwrappable(f"a pointer to {self.cpp}")
        if reference and not is_const:
            declaration = [(f"{self.fortran}, intent(inout)", name)]
            return Argument(
                [f"{self.c}* {name}"],
                f'object<{self.cpp}>({name}, "{name}")',
                declaration,
                declaration,
                [name],
            )
        literal = fortran_literal(default, self.fortran)
        return _by_value(name, self.c, name, self.fortran, self.fortran, literal)

    def result(self, is_const, reference):
        failure = "notANumber" if self.cpp in ("double", "float") else "0"
        if reference == "*":
            # The size is the last parameter of the function.
            pointer = Result(f"{'const ' if is_const else ''}{self.c}*", "nullptr", interface="type(c_ptr)")
            pointer.fortran, pointer.is_pointer = f"{self.fortran}, pointer", True
            return pointer
        return Result(self.c, failure, interface=self.fortran, fortran=self.fortran)


class Boolean:
    def argument(self, name, is_const, reference, default):
        _require_input("bool", is_const, reference)
        literal = {"true": ".true.", "false": ".false."}.get(default)
        cpp = f"{name} != OpenMM_False"
        passed = "merge(1_c_int, 0_c_int, {})"
        return _by_value(name, "OpenMM_Boolean", cpp, "integer(c_int)", "logical", literal, passed)

    def result(self, is_const, reference):
        return Result(
            "OpenMM_Boolean",
            "OpenMM_False",
            "{} ? OpenMM_True : OpenMM_False",
            "integer(c_int)",
            "logical",
            "result = {} /= 0",
        )


class Enum:
    def __init__(self, cpp, c):
        self.cpp, self.c = cpp, c

    def argument(self, name, is_const, reference, default):
        _require_input(self.cpp, is_const, reference)
        cpp = f"static_cast<{self.cpp}>({name})"
        return _by_value(name, self.c, cpp, "integer(c_int)", "integer(c_int)", None)

    def result(self, is_const, reference):
        cast = f"static_cast<{self.c}>({{}})"
        return Result(self.c, f"static_cast<{self.c}>(0)", cast, "integer(c_int)", "integer(c_int)")


class PlainStruct:
    """A struct of numbers, which is one in C also."""

    def __init__(self, cpp, c, attributes):
        self.cpp, self.c, self.attributes = cpp, c, attributes
        self.array = c.removeprefix("OpenMMFlow_")

    def argument(self, name, is_const, reference, default):
        _require_input(self.cpp, is_const, reference)
        fortran = f"type({self.c})"
        return _by_value(name, self.c, f"toCpp({name})", fortran, fortran, None)

    def result(self, is_const, reference):
        nothing = ", ".join("notANumber" if a.type == "double" else "0" for a in self.attributes)
        fortran = f"type({self.c})"
        return Result(self.c, f"{self.c}{{{nothing}}}", "toC({})", fortran, fortran)


class Text:
    def argument(self, name, is_const, reference, default):
        _require_input("std::string", is_const, reference)
        cpp = f'text({name}, "{name}")'
        if default:
            cpp = f"{name} == nullptr ? std::string({'' if default == '{}' else default}) : {cpp}"
        return Argument(
            [f"const char* {name}"],
            cpp,
            [("character(kind=c_char), intent(in)", f"{name}(*)")],
            [("character(*), intent(in)", name)],
            [f"trim({name})//c_null_char"],
        )

    def result(self, is_const, reference):
        if reference == "*":
            raise Unwrappable("a pointer to std::string")
        result = Result("char*", "nullptr", "ownedText({})", "type(c_ptr)", "character(:), allocatable")
        result.assign = "result = takeText({})"
        if reference:
            result.c, result.cpp = "const char*", "({}).c_str()"
            result.assign = "result = copyText({})"
        return result


class Bytes:
    """A string that may hold zeros."""

    def argument(self, name, is_const, reference, default):
        return Argument(
            [f"const char* {name}", f"long long {name}Size"],
            f'bytesOf({name}, {name}Size, "{name}")',
            [
                ("character(kind=c_char), intent(in)", f"{name}(*)"),
                ("integer(c_long_long), value", f"{name}Size"),
            ],
            [("character(*), intent(in)", name)],
            [name, f"len({name}, kind=c_long_long)"],
        )

    def result(self, is_const, reference):
        return Result(
            "char*",
            "nullptr",
            'ownedBytes({}, object<long long>(size, "size"))',
            "type(c_ptr)",
            "character(:), allocatable",
            "result = takeBytes({}, size)",
            has_size=True,
        )


class Handle:
    """Anything that C knows as a pointer to an opaque struct: objects and arrays, of openmm-flow and of OpenMM."""

    def __init__(self, cpp, c):
        self.cpp, self.c = cpp, c

    def argument(self, name, is_const, reference, default):
        is_input = is_const or not reference
        type_ = f"const {self.cpp}" if is_input else self.cpp
        if reference == "*":
            cpp = f"reinterpret_cast<{type_}*>({name})"
        elif default is None:
            cpp = f'object<{type_}>({name}, "{name}")'
        else:
            cpp = f"orDefault<{self.cpp}>({name}, {self.cpp}{default if default.startswith('{') else f'({default})'})"
        # OpenMM's module makes no descriptors of its types, which class() would need.
        kind = "class" if self.c.startswith("OpenMMFlow_") else "type"
        argument = Argument(
            [f"{'const ' if is_input else ''}{self.c}* {name}"],
            cpp,
            [("type(c_ptr), value", name)],
            [(f"{kind}({self.c}), intent(in){', optional' if default else ''}", name)],
            [f"transfer({name}%handle, c_null_ptr)"],
        )
        if default:
            argument.passed = [f"{name}_c"]
            argument.local = [("type(c_ptr)", f"{name}_c")]
            argument.before = [
                f"{name}_c = c_null_ptr",
                f"if (present({name})) {name}_c = transfer({name}%handle, c_null_ptr)",
            ]
        return argument

    def result(self, is_const, reference):
        if reference == "*":
            raise Unwrappable(f"a pointer to {self.cpp} whose owner is not known (std::unique_ptr tells)")
        result = Result(f"{self.c}*", "nullptr", f"owned<{self.c}>({{}})", "type(c_ptr)", f"type({self.c})")
        result.assign = "result%handle = transfer({}, result%handle)"
        result.is_owned = not reference
        if reference:
            constant = "const " if is_const else ""
            result.c = f"{constant}{self.c}*"
            result.cpp = f"reinterpret_cast<{result.c}>(&{{}})"
        return result


class Owned(Handle):
    """A std::unique_ptr, which is what constructors are taken to return."""

    def argument(self, name, is_const, reference, default):
        raise Unwrappable(f"std::unique_ptr<{self.cpp}> as a parameter")

    def result(self, is_const, reference):
        result = super().result(False, "")
        result.cpp = f"reinterpret_cast<{self.c}*>({{}}.release())"
        return result


class Optional(Handle):
    """A std::optional of what is a Handle: NULL where there is none."""

    def argument(self, name, is_const, reference, default):
        argument = super().argument(name, True, "&", "{}")
        argument.cpp = f"optional<{self.cpp}>({name})"
        return argument

    def result(self, is_const, reference):
        if not reference:
            raise Unwrappable(f"std::optional<{self.cpp}> by value")
        result = super().result(is_const, reference)
        result.cpp = f"optionalPointer<{result.c}>({{}})"
        return result


class Booleans:
    """A std::vector<bool>, for which OpenMM has no array: an IntArray, not 0 for true."""

    def argument(self, name, is_const, reference, default):
        _require_input("std::vector<bool>", is_const, reference)
        argument = Handle("std::vector<int>", "OpenMM_IntArray").argument(name, True, "&", default)
        argument.cpp = f"booleans({argument.cpp})"
        return argument

    def result(self, is_const, reference):
        raise Unwrappable("std::vector<bool> as a result")


class Callback:
    """A std::function: a function pointer, and a pointer for it."""

    def __init__(self, cpp, c, result, parameters):
        self.cpp, self.c, self.value, self.parameters = cpp, c, result, parameters
        self.converter = f"{cpp.replace('::', '_')}_toCpp"

    def argument(self, name, is_const, reference, default):
        data = f"{name}Data"
        return Argument(
            [f"{self.c} {name}", f"void* {data}"],
            f"{self.converter}({name}, {data})",
            [("type(c_funptr), value", name), ("type(c_ptr), value", data)],
            [(f"procedure({self.c}), optional", name), ("type(c_ptr), intent(in), optional", data)],
            [f"{name}_c", f"{data}_c"],
            [("type(c_funptr)", f"{name}_c"), ("type(c_ptr)", f"{data}_c")],
            [
                f"{name}_c = c_null_funptr",
                f"if (present({name})) {name}_c = c_funloc({name})",
                f"{data}_c = c_null_ptr",
                f"if (present({data})) {data}_c = {data}",
            ],
        )

    def result(self, is_const, reference):
        raise Unwrappable("a std::function as a result")


class Nothing:
    def result(self, is_const, reference):
        return Result("void", "")


def _require_input(type_, is_const, reference):
    if reference == "*" or (reference and not is_const):
        raise Unwrappable(f"{type_}{reference}")


def _by_value(name, c, cpp, interface, fortran, literal, passed="{}"):
    """Return the Argument for what is passed by value; literal is the default value in Fortran, if there is one."""
    argument = Argument([f"{c} {name}"], cpp, [(f"{interface}, value", name)], [], [passed.format(name)])
    argument.fortran = [(f"{fortran}, intent(in){', optional' if literal else ''}", name)]
    if literal:
        argument.passed = [passed.format(f"{name}_c")]
        argument.local = [(fortran, f"{name}_c")]
        argument.before = [f"{name}_c = {literal}", f"if (present({name})) {name}_c = {name}"]
    return argument
