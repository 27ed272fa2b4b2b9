"""Text of unknown origin, fit to be shown."""


def printable(text, keep=""):
    """Return text with its control characters escaped, which a terminal would obey, but for those to keep."""
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)
