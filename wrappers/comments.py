"""Writes Documentation as the comments of a generated file."""

import textwrap

WIDTH = 110


def lines(documentation, parameters=()):
    """Return the lines of a comment about something with these Parameters."""
    parts = []
    for paragraph in documentation.paragraphs:
        if isinstance(paragraph, list):
            parts.append([f"    {line}".rstrip() for line in paragraph])
        elif paragraph:
            parts.append(textwrap.wrap(paragraph, WIDTH))
    details = []
    for name, text in documentation.parameters.items():
        details += _hanging(f"@param {name}  ", text)
    if documentation.result:
        details += _hanging("@return ", documentation.result)
    for text in documentation.errors:
        details += _hanging("Errors: ", text)
    defaults = [f"{p.name} = {p.default}" for p in parameters if p.default]
    if defaults:
        details += _hanging("Defaults in C++: ", ", ".join(defaults))
    if details:
        parts.append(details)
    result = []
    for part in parts:
        result += [""] * bool(result) + part
    return result


def _hanging(head, text):
    return textwrap.wrap(head + text, WIDTH, subsequent_indent="    ")


def c_comment(documentation, parameters=()):
    """Return the comment in C, or nothing if there is nothing to say."""
    text = lines(documentation, parameters)
    if not text:
        return ""
    if len(text) == 1:
        return f"/** {text[0]} */\n"
    return "/**\n" + "".join(f" * {line}".rstrip() + "\n" for line in text) + " */\n"


def fortran_comment(documentation, indent, parameters=()):
    """Return the comment in Fortran."""
    return "".join(f"{indent}! {line}".rstrip() + "\n" for line in lines(documentation, parameters))
