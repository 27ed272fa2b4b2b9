"""The public API, as Doxygen reads it from the headers."""

import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

NAMESPACE = "OpenMMFlow::"
CONFIGURATION = """
INPUT = {headers}
OUTPUT_DIRECTORY = {output}
GENERATE_XML = YES
GENERATE_HTML = NO
GENERATE_LATEX = NO
XML_PROGRAMLISTING = NO
AUTOLINK_SUPPORT = NO
EXTRACT_ALL = YES
QUIET = YES
WARN_IF_INCOMPLETE_DOC = NO
"""


@dataclass
class Documentation:
    """A comment: paragraphs (those of code as lists of lines), and what is said of parameters, result and errors."""

    paragraphs: list = field(default_factory=list)
    parameters: dict = field(default_factory=dict)
    result: str = ""
    errors: list = field(default_factory=list)


@dataclass
class Parameter:
    name: str
    type: str
    default: str | None = None


@dataclass
class Method:
    """A public method; a constructor is named as its class, a destructor as ~ and its class."""

    name: str
    type: str
    parameters: list
    documentation: Documentation
    is_static: bool
    is_const: bool
    is_pure: bool
    is_deleted: bool
    is_override: bool
    line: int


@dataclass
class Attribute:
    """A public variable or alias."""

    name: str
    type: str
    documentation: Documentation
    value: str
    is_static: bool
    line: int


@dataclass
class Class:
    """A class or struct. Nested ones are named Outer::Inner."""

    name: str
    base: str
    header: str
    documentation: Documentation
    methods: list
    has_private_state: bool
    attributes: list
    aliases: dict
    enums: dict
    line: int


def read(headers, doxygen):
    """Return the Classes that these headers define, in the order of the headers."""
    with tempfile.TemporaryDirectory() as folder:
        configuration = CONFIGURATION.format(headers=" ".join(f'"{path}"' for path in headers), output=folder)
        # Doxygen shortens paths below the folder that it runs in.
        result = subprocess.run(
            [doxygen, "-"], input=configuration, text=True, capture_output=True, cwd=folder
        )
        if result.returncode != 0:
            raise SystemExit(f"Doxygen failed: {result.stderr.strip()}")
        compounds = [
            compound
            for path in sorted(Path(folder, "xml").glob("*.xml"))
            for compound in ElementTree.parse(path).getroot().iterfind("compounddef")
        ]
    _refuse_what_is_in_no_class(compounds)
    order = {str(path): i for i, path in enumerate(headers)}
    classes = [_class(c) for c in compounds if c.get("kind") in ("class", "struct") and _is_ours(c)]
    return sorted(classes, key=lambda c: (order[c.header], c.line))


def _refuse_what_is_in_no_class(compounds):
    for compound in compounds:
        if compound.get("kind") == "namespace" and f"{compound.findtext('compoundname')}::" == NAMESPACE:
            for member in compound.iter("memberdef"):
                raise SystemExit(
                    f"{member.findtext('qualifiedname')} stands in no class; the wrappers need it in one."
                )


def _is_ours(compound):
    location = compound.find("location")
    # Those without a body are only declared here, and those of a private section nobody can name.
    return (
        compound.findtext("compoundname").startswith(NAMESPACE)
        and compound.get("prot") == "public"
        and location is not None
        and location.get("bodystart") is not None
    )


def _class(compound):
    name = compound.findtext("compoundname").removeprefix(NAMESPACE)
    members = [m for m in compound.iter("memberdef")]
    public = sorted((m for m in members if m.get("prot") == "public"), key=_line)
    bases = [b.text for b in compound.iterfind("basecompoundref") if b.get("prot") == "public"]
    if len(bases) > 1:
        raise SystemExit(f"{name} has more than one base class, so its address would not be that of each.")
    return Class(
        name=name,
        base=bases[0].removeprefix(NAMESPACE) if bases else "",
        header=compound.find("location").get("file"),
        documentation=documentation(compound),
        methods=[_method(m) for m in public if m.get("kind") == "function"],
        has_private_state=any(m.get("kind") == "variable" and m.get("prot") != "public" for m in members),
        attributes=[_attribute(m) for m in public if m.get("kind") == "variable"],
        aliases={m.findtext("name"): _attribute(m) for m in public if m.get("kind") == "typedef"},
        enums={m.findtext("name"): _enumerators(m) for m in public if m.get("kind") == "enum"},
        line=int(compound.find("location").get("line")),
    )


def _line(member):
    location = member.find("location")
    return int(location.get("line")), int(location.get("column"))


def _text(element):
    return "" if element is None else " ".join("".join(element.itertext()).split())


def _type(member):
    """Return a type as C++ would be written without spaces: const std::map<std::string,double>&."""
    type_ = re.sub(r"\b(virtual|static|constexpr|inline|explicit)\b", "", _text(member.find("type")))
    type_ = re.sub(r"\s*([<>,&*()])\s*", r"\1", type_).strip()
    return type_.replace(NAMESPACE, "")


def _method(member):
    signature = _text(member.find("argsstring"))
    return Method(
        name=member.findtext("name"),
        type=_type(member),
        parameters=[
            Parameter(p.findtext("declname") or f"argument{i}", _type(p), _text(p.find("defval")) or None)
            for i, p in enumerate(member.iterfind("param"), 1)
        ],
        documentation=documentation(member),
        is_static=member.get("static") == "yes",
        is_const=member.get("const") == "yes",
        is_pure=member.get("virt") == "pure-virtual",
        is_deleted=signature.replace(" ", "").endswith("=delete"),
        is_override=signature.endswith(" override"),
        line=_line(member),
    )


def _attribute(member):
    return Attribute(
        name=member.findtext("name"),
        type=_type(member),
        documentation=documentation(member),
        value=_text(member.find("initializer")).removeprefix("=").strip(),
        is_static=member.get("static") == "yes",
        line=_line(member),
    )


def _enumerators(member):
    """Return the value of each name."""
    values, following = {}, 0
    for enumerator in member.iterfind("enumvalue"):
        written = _text(enumerator.find("initializer")).removeprefix("=").strip()
        value = int(written, 0) if written else following
        values[enumerator.findtext("name")] = value
        following = value + 1
    return values


def documentation(element):
    """Return the Documentation of a class or member."""
    result = Documentation()
    for part in ("briefdescription", "detaileddescription"):
        for paragraph in element.iterfind(f"{part}/para"):
            _add_paragraph(result, paragraph)
    return result


def _add_paragraph(documentation, paragraph):
    """Add a paragraph of Doxygen: text, with code and with what is said of parameters, result and errors in it."""
    text = paragraph.text or ""
    for child in paragraph:
        if child.tag == "parameterlist":
            _add_parameters(documentation, child)
        elif child.tag == "simplesect":
            documentation.result = _text(child)
        elif child.tag in ("programlisting", "verbatim"):
            _add_text(documentation, text)
            documentation.paragraphs.append(_code(child))
            text = ""
        else:
            text += "".join(child.itertext())
        text += child.tail or ""
    _add_text(documentation, text)


def _add_text(documentation, text):
    if text.strip():
        documentation.paragraphs.append(" ".join(text.split()))


def _add_parameters(documentation, items):
    for item in items.iterfind("parameteritem"):
        text = _text(item.find("parameterdescription"))
        if items.get("kind") == "exception":
            documentation.errors.append(text)
        else:
            documentation.parameters.update((name.text, text) for name in item.iter("parametername"))


def _code(listing):
    """Return the lines of a piece of code."""
    if listing.tag == "verbatim":
        return listing.text.strip("\n").splitlines()
    for space in listing.iter("sp"):
        space.text = " "
    return ["".join(line.itertext()).rstrip() for line in listing.iterfind("codeline")]
