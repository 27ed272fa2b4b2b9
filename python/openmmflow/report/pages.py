"""Pages and their figures as files."""

import base64
import io
import re

import jinja2
import matplotlib.pyplot as plt


def save_figure(folder, title, figure, caption):
    """Write a figure as a PNG file, and return what a page shows of it; the figure is None if there is none."""
    # Names of residues and atoms may hold anything.
    path = folder / f"{re.sub('[^a-z0-9]+', '-', title.lower())}.png"
    if figure is None:
        # That of an earlier report would be taken for this one's.
        path.unlink(missing_ok=True)
        return {"title": title, "caption": caption, "data": None}
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110)
    plt.close(figure)
    data = buffer.getvalue()
    path.write_bytes(data)
    return {"title": title, "caption": caption, "data": base64.b64encode(data).decode()}


def write_page(folder, name, page):
    """Fill the template of this name, and return the path of the file, which is complete or not there."""
    environment = jinja2.Environment(loader=jinja2.PackageLoader("openmmflow", "report"), autoescape=True)
    path = folder / name
    temporary = folder / f"{name}.part"
    temporary.write_text(environment.get_template(name).render(page), encoding="utf-8")
    temporary.replace(path)
    return path
