"""Writes the C header and the C++ source of its functions."""

from api import Documentation
from comments import c_comment
from conventions import NUMBERS, PlainStruct


def header(template, groups, callbacks):
    """Return the text of the C header."""
    types = [_type(group) for group in groups]
    types += [_constants(group) for group in groups]
    types += [_enum(c, values) for group in groups for c, values in group.enums.items()]
    types += [_callback(callback, text) for callback, text in callbacks]
    functions = [_section(group) for group in groups if group.functions]
    return template.replace("@TYPES@", "".join(types)).replace("@FUNCTIONS@", "".join(functions))


def source(template, groups, callbacks, includes):
    """Return the text of the source."""
    converters = [_struct_converters(g.convention) for g in groups if isinstance(g.convention, PlainStruct)]
    converters += [_callback_converter(callback) for callback, _ in callbacks]
    functions = [_definition(function) for group in groups for function in group.functions]
    includes = "\n".join(f'#include "{name}"' for name in includes)
    return (
        template.replace("@INCLUDES@", includes)
        .replace("@CONVERTERS@", "".join(converters))
        .replace("@FUNCTIONS@", "\n".join(functions))
    )


def _type(group):
    c = group.convention.c
    if isinstance(group.convention, PlainStruct):
        members = "".join(
            "    " + c_comment(a.documentation).replace("\n", "\n    ") + f"{NUMBERS[a.type][0]} {a.name};\n"
            for a in group.convention.attributes
        )
        return f"{c_comment(group.documentation)}typedef struct {{\n{members}}} {c};\n"
    return f"typedef struct {c}_struct {c};\n" if group.has_objects else ""


def _constants(group):
    return "".join(
        f"{c_comment(a.documentation)}enum {{ {name} = {a.value} }};\n" for name, a in group.constants.items()
    )


def _enum(c, values):
    scope = c.rsplit("_", 1)[0]
    names = ", ".join(f"{scope}_{name} = {value}" for name, value in values.items())
    return f"typedef enum {{ {names} }} {c};\n"


def _callback_parameters(callback):
    return ", ".join([*(f"{NUMBERS[type_][0]} {name}" for type_, name in callback.parameters), "void* data"])


def _callback_result(callback):
    return {"bool": "OpenMM_Boolean", "void": "void"}.get(callback.value) or NUMBERS[callback.value][0]


def _callback(callback, documentation):
    declaration = f"(*{callback.c})({_callback_parameters(callback)})"
    return f"{c_comment(documentation)}typedef {_callback_result(callback)} {declaration};\n"


def _section(group):
    title = group.convention.c.removeprefix("OpenMMFlow_")
    about = c_comment(Documentation([title, *group.documentation.paragraphs])).replace("/**", "/*", 1)
    return f"\n{about}\n" + "".join(
        c_comment(f.documentation, f.parameters) + f"extern {_signature(f)};\n" for f in group.functions
    )


def _signature(function):
    parameters = [declaration for argument in function.arguments for declaration in argument.c]
    parameters += ["long long* size"] * function.result.has_size
    return f"{function.result.c} {function.name}({', '.join(parameters) or 'void'})"


def _definition(function):
    call = function.call.format(*(argument.cpp for argument in function.arguments))
    if function.result.c == "void":
        body = f"guarded(__func__, [&] {{ {call}; }});"
    else:
        result, failure = function.result.c, function.result.failure
        value = function.result.cpp.format(call)
        body = f"return guarded<{result}>(__func__, {failure}, [&]() -> {result} {{ return {value}; }});"
    return f"{_signature(function)} {{\n    {body}\n}}\n"


def _struct_converters(struct):
    c = ", ".join(f"value.{a.name}" for a in struct.attributes)
    return (
        f"[[maybe_unused]] {struct.c} toC(const {struct.cpp}& value) {{\n    return {{{c}}};\n}}\n"
        f"[[maybe_unused]] {struct.cpp} toCpp(const {struct.c}& value) {{\n    return {{{c}}};\n}}\n"
    )


def _callback_converter(callback):
    parameters = ", ".join(f"{type_} {name}" for type_, name in callback.parameters)
    names = ", ".join([*(name for _, name in callback.parameters), "data"])
    call = f"function({names})" + (" != OpenMM_False" if callback.value == "bool" else "")
    return (
        f"{callback.cpp} {callback.converter}({callback.c} function, void* data) {{\n"
        f"    if (function == nullptr)\n        return {{}};\n"
        f"    return [=]({parameters}) {{ return {call}; }};\n}}\n"
    )
