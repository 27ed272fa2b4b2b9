"""Finds the convention for a C++ type."""

import re

from conventions import (
    NUMBERS,
    OPENMM_ARRAYS,
    Boolean,
    Booleans,
    Bytes,
    Callback,
    Enum,
    Handle,
    Nothing,
    Number,
    Optional,
    Owned,
    PlainStruct,
    Text,
    Unwrappable,
)

BYTES = "bytes"


class Registry:
    """The types of an API, with those that the arrays in it need."""

    def __init__(self, classes, openmm_header):
        self.classes = {c.name: c for c in classes}
        self.openmm_types = set(re.findall(r"OpenMM_(\w+)_struct", openmm_header))
        # What was found to need declarations: arrays that OpenMM has not, with their elements, and callbacks.
        self.arrays, self.callbacks = {}, {}

    def argument(self, parameter, scope):
        """Return the Argument for a Parameter of a method of the class named scope."""
        is_const, base, reference = _split(parameter.type)
        convention = self.find(base, scope)
        return convention.argument(parameter.name, is_const, reference, parameter.default)

    def result(self, type_, scope):
        """Return the Result for the type that a method of the class named scope returns."""
        is_const, base, reference = _split(type_)
        return self.find(base, scope).result(is_const, reference)

    def find(self, base, scope):
        """Return the convention for a type, without const and reference, as it is named in a class."""
        simple = {
            "void": Nothing,
            "bool": Boolean,
            "std::string": Text,
            BYTES: Bytes,
            "std::vector<bool>": Booleans,
        }
        if base in simple:
            return simple[base]()
        if base in NUMBERS:
            return Number(base)
        if base in OPENMM_ARRAYS:
            return Handle(base, OPENMM_ARRAYS[base])
        if base.startswith("OpenMM::") and base.removeprefix("OpenMM::") in self.openmm_types:
            return Handle(base, base.replace("::", "_"))
        template = re.fullmatch(r"std::(vector|optional|unique_ptr)<(.*)>", base)
        if template:
            return self._find_template(template.group(1), self.find(template.group(2), scope), base)
        return self._find_own(base, scope)

    def _find_template(self, template, element, base):
        if template == "vector" and isinstance(element, (Number, PlainStruct)):
            array = Handle(f"std::vector<{element.cpp}>", f"OpenMMFlow_{element.array}Array")
            self.arrays[array.c] = array, element
            return array
        if template != "vector" and isinstance(element, Handle):
            return (Optional if template == "optional" else Owned)(element.cpp, element.c)
        raise Unwrappable(base)

    def _find_own(self, name, scope):
        """Look a name up as C++ does: in the class, in those around it, in the namespace."""
        scopes = scope.split("::") if scope else []
        while True:
            full = "::".join([*scopes, name])
            if full in self.classes:
                return self.of_class(self.classes[full])
            owner = self.classes.get("::".join(scopes))
            if owner and name in owner.aliases:
                return self._of_alias(owner, name)
            if owner and name in owner.enums:
                return Enum(full, c_name(full))
            if not scopes:
                raise Unwrappable(name)
            # What a class inherits comes before what is around it.
            if owner and owner.base in self.classes and name in self.classes[owner.base].aliases:
                return self._of_alias(self.classes[owner.base], name)
            scopes.pop()

    def of_class(self, class_):
        """Return the convention for a class: a struct of C if it is one of numbers without default values."""
        c = c_name(class_.name)
        is_plain = class_.attributes and not class_.methods and not class_.has_private_state
        if is_plain and all(a.type in NUMBERS and not a.value and not a.is_static for a in class_.attributes):
            return PlainStruct(class_.name, c, class_.attributes)
        return Handle(class_.name, c)

    def _of_alias(self, owner, name):
        type_ = owner.aliases[name].type
        function = re.fullmatch(r"std::function<(.*?)\((.*)\)>", type_)
        if not function:
            return self.find(type_, owner.name)
        result, parameters = function.group(1), [p.strip() for p in function.group(2).split(",") if p.strip()]
        parameters = [tuple(p.rsplit(" ", 1)) for p in parameters]
        if result not in ("void", "bool", *NUMBERS) or any(p[0] not in NUMBERS for p in parameters):
            raise Unwrappable(type_)
        cpp = f"{owner.name}::{name}"
        c = c_name(cpp)
        self.callbacks[c] = Callback(cpp, c, result, parameters), owner.aliases[name].documentation
        return self.callbacks[c][0]


def c_name(cpp):
    """Return the name in C of a class or of a type in one."""
    return f"OpenMMFlow_{cpp.replace('::', '_')}"


def _split(type_):
    """Return whether a type is const, the type itself, and "&" or "*"."""
    match = re.fullmatch(r"(const )?(.*?)([&*]?)", type_.strip())
    return bool(match.group(1)), match.group(2).strip(), match.group(3)
