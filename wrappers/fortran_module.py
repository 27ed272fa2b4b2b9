"""Writes the Fortran module: types, the interfaces of the C functions, and the procedures that call them."""

from comments import fortran_comment
from conventions import NUMBERS, PlainStruct
from registry import c_name

STEP = "    "
# The longest line and the longest name of the standard.
LINE, NAME = 132, 63


def module(template, groups, callbacks):
    """Return the text of the module."""
    functions = [function for group in groups for function in group.functions]
    names = [f.name for f in functions]
    types = [g.convention.c for g in groups if g.has_objects or isinstance(g.convention, PlainStruct)]
    constants = [name for g in groups for name in (*g.constants, *(n for e in _enumerators(g) for n in e))]
    callback_names = [callback.c for callback, _ in callbacks]
    for name in (*names, *types, *constants, *callback_names):
        if len(name) > NAME:
            raise SystemExit(f"{name} has more than the {NAME} characters that Fortran allows.")
    parts = {
        "TYPES": "".join(_type(group) for group in _bases_first(groups)) + "".join(map(_constants, groups)),
        "CALLBACKS": "".join(_callback(callback, text) for callback, text in callbacks),
        "INTERFACES": "".join(map(_interface, functions)),
        "PUBLIC": "".join(
            f"{STEP}public :: {name}\n" for name in (*types, *constants, *callback_names, *names)
        ),
        "PROCEDURES": "".join(map(_procedure, functions)),
    }
    for name, text in parts.items():
        template = template.replace(f"@{name}@", text)
    return template


def _bases_first(groups):
    """Return the groups that have types, each behind that of its base class."""
    rest = {g.convention.c: g for g in groups if g.has_objects or isinstance(g.convention, PlainStruct)}
    result = []

    def add(group):
        if group.convention.c in rest:
            del rest[group.convention.c]
            if c_name(group.base) in rest:
                add(rest[c_name(group.base)])
            result.append(group)

    for group in list(rest.values()):
        add(group)
    return result


def _type(group):
    c = group.convention.c
    text = fortran_comment(group.documentation, STEP)
    if isinstance(group.convention, PlainStruct):
        members = "".join(
            fortran_comment(a.documentation, 2 * STEP) + f"{2 * STEP}{NUMBERS[a.type][1]} :: {a.name}\n"
            for a in group.convention.attributes
        )
        return f"{text}{STEP}type, bind(C) :: {c}\n{members}{STEP}end type\n\n"
    if group.base:
        base = group.base.replace("::", "_") if group.base.startswith("OpenMM::") else c_name(group.base)
        return f"{text}{STEP}type, extends({base}) :: {c}\n{STEP}end type\n\n"
    return f"{text}{STEP}type :: {c}\n{2 * STEP}integer(c_int64_t) :: handle = 0\n{STEP}end type\n\n"


def _enumerators(group):
    """Return, for each enum, its values by their full names."""
    return [
        {f"{c.rsplit('_', 1)[0]}_{name}": value for name, value in values.items()}
        for c, values in group.enums.items()
    ]


def _constants(group):
    text = ""
    for name, attribute in group.constants.items():
        text += fortran_comment(attribute.documentation, STEP)
        text += f"{STEP}integer(c_int), parameter :: {name} = {attribute.value}\n"
    for values in _enumerators(group):
        for name, value in values.items():
            text += f"{STEP}integer(c_int), parameter :: {name} = {value}\n"
    return text


def _callback(callback, documentation):
    names = [name for _, name in callback.parameters] + ["data"]
    declarations = [(f"{NUMBERS[type_][1]}, value", name) for type_, name in callback.parameters]
    declarations.append(("type(c_ptr), value", "data"))
    result = {"bool": "integer(c_int)", "void": ""}.get(
        callback.value, NUMBERS.get(callback.value, [""] * 2)[1]
    )
    if result:
        declarations.append((result, callback.c))
    text = fortran_comment(documentation, 2 * STEP)
    if callback.value == "bool":
        text += f"{2 * STEP}! Zero stands for false.\n"
    return text + _block(callback.c, names, declarations, ["import"], bool(result), "bind(C)", 2 * STEP)


def _block(name, names, declarations, body, is_function, suffix, indent):
    kind = "function" if is_function else "subroutine"
    lines = [f"{kind} {name}({', '.join(names)}) {suffix}".rstrip()]
    # What comes first in a scope is what it imports; what it does comes last.
    imports = [line for line in body if line == "import"]
    lines += [STEP + line for line in imports]
    lines += [f"{STEP}{type_} :: {variable}" for type_, variable in declarations]
    lines += [STEP + line for line in body if line != "import"]
    lines.append(f"end {kind}")
    return "".join(_wrapped(line, indent) for line in lines)


def _wrapped(line, indent):
    """Return a statement, continued on further lines where it is too long."""
    text = indent + line
    result = ""
    while len(text) > LINE:
        place = text.rfind(" ", len(indent) + len(STEP), LINE - 1)
        result += f"{text[:place]} &\n"
        text = indent + 2 * STEP + text[place + 1 :]
    return f"{result}{text}\n"


def _c_function(function):
    return function.name.replace("OpenMMFlow_", "C_", 1)


def _interface(function):
    declarations = [d for argument in function.arguments for d in argument.interface]
    if function.result.has_size:
        declarations.append(("integer(c_long_long), intent(inout)", "size"))
    names = [name.split("(")[0] for _, name in declarations]
    if function.result.interface:
        declarations.append((function.result.interface, _c_function(function)))
    binding = f'bind(C, name="{function.name}")'
    is_function = bool(function.result.interface)
    return _block(_c_function(function), names, declarations, ["import"], is_function, binding, 2 * STEP)


def _procedure(function):
    result, arguments = function.result, function.arguments
    # The number of elements is part of a Fortran pointer, and the number of bytes of a string.
    hidden = arguments[-1:] if result.is_pointer else []
    shown = arguments[: len(arguments) - len(hidden)]
    declarations = [d for argument in shown for d in argument.fortran]
    names = [name for _, name in declarations]
    if result.fortran:
        declarations.append((result.fortran, "result(:)" if result.is_pointer else "result"))
    declarations += [d for argument in shown for d in argument.local]
    passed = [p for argument in arguments for p in argument.passed]
    if result.has_size or result.is_pointer:
        declarations.append(("integer(c_long_long)", "size"))
    if result.has_size:
        passed.append("size")
    call = f"{_c_function(function)}({', '.join(passed)})"
    body = [line for argument in shown for line in argument.before]
    if result.is_pointer:
        declarations.append(("type(c_ptr)", "data"))
        body += ["size = 0", f"data = {call}", "call c_f_pointer(data, result, [size])"]
    elif result.has_size:
        declarations.append(("type(c_ptr)", "bytes"))
        body += [f"bytes = {call}", result.assign.format("bytes")]
    elif result.fortran:
        body.append(result.assign.format(call))
    else:
        body.append(f"call {call}")
    body += [line for argument in shown for line in argument.after]
    parameters = [p for p in function.parameters if not (result.is_pointer and p.name == "size")]
    text = fortran_comment(function.documentation, STEP, parameters)
    if result.is_owned:
        text += f"{STEP}! The result is yours.\n"
    suffix = "result(result)" if result.fortran else ""
    return text + _block(function.name, names, declarations, body, bool(result.fortran), suffix, STEP) + "\n"
