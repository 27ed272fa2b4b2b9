"""The functions of the C API: one for each constructor, method and attribute."""

import sys
from dataclasses import dataclass

from api import Documentation, Parameter
from conventions import Argument, Handle, PlainStruct, Result, Unwrappable
from registry import BYTES, c_name

# What has no place in C: every other public method must be wrapped.
NOT_WRAPPED = {
    "FlowKernel": "for Platforms, which are written in C++",
    "FlowGradientKernel": "for Platforms, which are written in C++",
    "CoordinateTrainingKernel": "for Platforms, which are written in C++",
    "BatchedPotentialKernel": "for Platforms, which are written in C++",
    "ParameterDerivativeKernel": "for Platforms, which are written in C++",
    "Flow::Flow": "models are made by FlowBuilder and by training",
    "Flow::getModel": "for kernels",
    "BatchedIntegrator::save": "for internal use; createCheckpoint() has it all",
    "BatchedIntegrator::load": "for internal use; loadCheckpoint() has it all",
    "BatchedHMCIntegrator::save": "for internal use; createCheckpoint() has it all",
    "BatchedLangevinMiddleIntegrator::save": "for internal use; createCheckpoint() has it all",
    "FlowContext::computeLogDensityOfOne": "for Forces; computeLogDensity() gives the same",
    "FlowContext::computeJointLogDensityOfOne": "for Forces; computeJointLogDensity() gives the same",
    "FlowMoveStatistics::addAttempt": "for the implementation of MonteCarloFlowMove",
    "FlowMoveStatistics::addLogRatio": "for the implementation of MonteCarloFlowMove",
    "FlowMoveStatistics::addNotFinite": "for the implementation of MonteCarloFlowMove",
    "FlowMoveStatistics::addOffSupport": "for the implementation of MonteCarloFlowMove",
}
# Methods whose string is not text; a parameter that is not must be named "bytes".
RETURNS_BYTES = {"Flow::toBytes", "BatchedIntegrator::createCheckpoint", "ReplicaExchange::createCheckpoint"}


@dataclass
class Function:
    """A function of the C API. In call {0}, {1}, ... are the arguments."""

    name: str
    documentation: Documentation
    parameters: list
    arguments: list
    result: Result
    call: str


class Group:
    """The functions that belong to one class."""

    def __init__(self, convention, documentation, base=""):
        self.convention, self.documentation, self.base = convention, documentation, base
        self.functions, self.constants, self.enums = [], {}, {}
        # Nobody makes objects of a class that has static methods only.
        self.has_objects = False

    def add(self, registry, scope, name, type_, parameters, call, documentation):
        """Add a function; one that has the name of another gets a number behind it."""
        full = f"{self.convention.c}_{name}"
        number = 1 + sum(f.name == full or f.name.startswith(f"{full}_") for f in self.functions)
        arguments = [registry.argument(p, scope) for p in parameters]
        result = registry.result(type_, scope)
        if result.is_pointer and (not parameters or parameters[-1] != Parameter("size", "long long&")):
            raise Unwrappable(f"{type_} without long long& size as the last parameter")
        self.functions.append(
            Function(
                full + (f"_{number}" if number > 1 else ""),
                documentation,
                parameters,
                arguments,
                result,
                call,
            )
        )

    def add_destroy(self, cpp):
        self.has_objects = True
        argument = Argument(
            [f"{self.convention.c}* target"],
            f"reinterpret_cast<{cpp}*>(target)",
            [("type(c_ptr), value", "target")],
            [(f"class({self.convention.c}), intent(inout)", "target")],
            ["transfer(target%handle, c_null_ptr)"],
            after=["target%handle = 0"],
        )
        text = Documentation(["Release what this is, which may be NULL."])
        name = f"{self.convention.c}_destroy"
        self.functions.append(Function(name, text, [], [argument], Result("void", ""), "delete {0}"))


def collect(classes, registry):
    """Return the Groups of all classes, and of the arrays that they need and OpenMM has not."""
    problems, unused = [], dict(NOT_WRAPPED)
    groups = []
    for class_ in classes:
        if unused.pop(class_.name, None):
            continue
        group = Group(registry.of_class(class_), class_.documentation, class_.base)
        if not isinstance(group.convention, PlainStruct):
            group.enums = {c_name(f"{class_.name}::{name}"): values for name, values in class_.enums.items()}
            _add_members(group, class_, registry, problems, unused)
        groups.append(group)
    problems += [
        f"{name} is in NOT_WRAPPED in wrappers/functions.py, and does not exist."
        for name in unused
        if name.split("::")[0] in registry.classes
    ]
    if problems:
        sys.exit("The C wrapper cannot be generated.\n" + "\n".join(problems))
    return groups + [_array_group(array, element, registry) for array, element in registry.arrays.values()]


def _add_members(group, class_, registry, problems, unused):
    for add in (_add_constructors, _add_methods, _add_attributes):
        for name, action in add(group, class_, registry):
            if name in NOT_WRAPPED:
                unused.pop(name, None)  # once for all overloads
                continue
            try:
                action()
            except Unwrappable as reason:
                problems.append(
                    f"{class_.header}: {name} cannot be wrapped, for there is no convention for {reason}. Add one to "
                    "wrappers/conventions.py, or the method to NOT_WRAPPED in wrappers/functions.py."
                )


def _is_object(class_):
    """Whether objects of a class are of use: not of one that has static methods only."""
    return any(not m.is_static for m in class_.methods) or any(not a.is_static for a in class_.attributes)


def _add_constructors(group, class_, registry):
    own = class_.name.split("::")[-1]
    constructors = [m for m in class_.methods if m.name == own]
    is_abstract = any(m.is_pure for m in class_.methods)
    for constructor in [] if is_abstract else constructors:
        # C cannot move.
        if not constructor.is_deleted and not any(p.type.endswith("&&") for p in constructor.parameters):
            yield (
                f"{class_.name}::{own}",
                lambda m=constructor: _add_constructor(
                    group, class_, registry, m.parameters, m.documentation
                ),
            )
    if not constructors and not is_abstract and _is_object(class_):
        text = Documentation(["Create one with the default values."])
        yield f"{class_.name}::{own}", lambda: _add_constructor(group, class_, registry, [], text)
    if _is_object(class_):
        yield f"{class_.name}::~{own}", lambda: group.add_destroy(class_.name)


def _add_constructor(group, class_, registry, parameters, documentation):
    places = ", ".join(f"{{{i}}}" for i in range(len(parameters)))
    call = f"std::make_unique<{class_.name}>({places})"
    group.add(
        registry, class_.name, "create", f"std::unique_ptr<{class_.name}>", parameters, call, documentation
    )


def _add_methods(group, class_, registry):
    own = class_.name.split("::")[-1]
    for method in class_.methods:
        if method.name.lstrip("~") == own or method.name.startswith("operator") or method.is_deleted:
            continue
        # OpenMM's own function for its base class calls these.
        if method.is_override and class_.base.startswith("OpenMM::"):
            continue
        yield f"{class_.name}::{method.name}", lambda m=method: _add_method(group, class_, registry, m)


def _add_method(group, class_, registry, method):
    parameters = [
        Parameter(p.name, BYTES) if p.name == "bytes" and "std::string" in p.type else p
        for p in method.parameters
    ]
    first = 0 if method.is_static else 1
    places = ", ".join(f"{{{i + first}}}" for i in range(len(parameters)))
    call = f"{class_.name + '::' if method.is_static else '{0}.'}{method.name}({places})"
    if not method.is_static:
        parameters = [_target(class_.name, method.is_const), *parameters]
    type_ = BYTES if f"{class_.name}::{method.name}" in RETURNS_BYTES else method.type
    group.add(registry, class_.name, method.name, type_, parameters, call, method.documentation)


def _add_attributes(group, class_, registry):
    for attribute in class_.attributes:
        name = f"{class_.name}::{attribute.name}"
        if attribute.is_static:
            yield name, lambda a=attribute: _add_constant(group, a)
        else:
            yield name, lambda a=attribute: _add_attribute(group, class_, registry, a)


def _add_constant(group, attribute):
    if attribute.type.removeprefix("const ") != "int" or not attribute.value.isdigit():
        raise Unwrappable(f"a constant of type {attribute.type}")
    group.constants[f"{group.convention.c}_{attribute.name}"] = attribute


def _add_attribute(group, class_, registry, attribute):
    capitalised = attribute.name[0].upper() + attribute.name[1:]
    is_object = (
        isinstance(registry.find(attribute.type, class_.name), Handle) or attribute.type == "std::string"
    )
    type_ = f"const {attribute.type}&" if is_object else attribute.type
    about = attribute.documentation.paragraphs or [f"{attribute.name}."]
    initial = f"{attribute.value} unless it was set" if attribute.value else ""
    place = f"{{0}}.{attribute.name}"

    def add(verb, result, parameters, call, documentation):
        documentation.paragraphs = [f"{verb.capitalize()}: {about[0]}", *about[1:]]
        group.add(registry, class_.name, verb + capitalised, result, parameters, call, documentation)

    add("get", type_, [_target(class_.name, True)], place, Documentation(result=initial))
    value = Parameter("value", type_)
    add("set", "void", [_target(class_.name, False), value], f"{place} = {{1}}", Documentation())


def _target(name, is_const):
    return Parameter("target", f"{'const ' if is_const else ''}{name}&")


def _array_group(array, element, registry):
    group = Group(array, Documentation([f"An array of {element.c}, for which OpenMM has none."]))
    index, value = Parameter("index", "long long"), Parameter("value", element.cpp)
    constant, changed = Parameter("target", f"const {array.cpp}&"), Parameter("target", f"{array.cpp}&")

    def add(name, type_, parameters, call, text):
        group.add(registry, "", name, type_, parameters, call, Documentation([text]))

    place = "element({0}, {1})"
    add(
        "create",
        array.cpp,
        [Parameter("size", "long long")],
        f"{array.cpp}(arraySize({{0}}))",
        "Create an array.",
    )
    group.add_destroy(array.cpp)
    add(
        "getSize",
        "long long",
        [constant],
        "static_cast<long long>({0}.size())",
        "Get the number of elements.",
    )
    add("get", element.cpp, [constant, index], place, "Get an element. Errors: the index is out of range.")
    add(
        "set",
        "void",
        [changed, index, value],
        f"{place} = {{2}}",
        "Set an element. Errors: the index is out of range.",
    )
    for function in group.functions[-2:]:
        # In Fortran elements are counted from 1, as those of OpenMM's arrays are.
        function.arguments[1].passed = ["index - 1"]
    return group
