"""Progress bars for calls that report (done, total) between blocks."""

from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def progress_bar(unit="samples", name=None):
    """Yield a function progress(done, total) that draws a bar on a terminal's stderr; a total of None is unknown."""
    with tqdm(desc=name, unit=f" {unit}", unit_scale=True, disable=None, leave=False) as bar:

        def progress(done, total):
            bar.total = total
            bar.update(done - bar.n)

        yield progress
