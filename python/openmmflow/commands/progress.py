"""Progress bars for calls that report (done, total) between blocks."""

from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def progress_bar(unit="samples"):
    """Yield a function progress(done, total) that draws a bar on a terminal's stderr, and keeps `done`."""
    with tqdm(unit=f" {unit}", unit_scale=True, disable=None, leave=False) as bar:

        def progress(done, total):
            progress.done = done
            bar.total = total
            bar.update(done - bar.n)

        progress.done = 0
        yield progress
