"""Runs that draw samples into a file, and may be stopped."""

from openmmflow.commands.progress import progress_bar
from openmmflow.commands.signals import StopSignals


def draw_to_file(draw, output, count, first, rest=""):
    """Show the progress of a run, and end it when a signal asks for that.

    Parameters
    ----------
    draw : callable
        draw(progress) writes samples first ... first+count-1 to the file `output` and returns them, or those that were
        done when progress(done, total) returned False
    rest : str
        the options, beside those that number the samples, for drawing the others later

    Returns
    -------
    WeightedEnsemble

    Raises
    ------
    KeyboardInterrupt
        with a sentence on what the file holds, if that is not all
    """
    with StopSignals() as signals, progress_bar() as show:

        def progress(done, total):
            show(done, total)
            return not signals.received

        ensemble = draw(progress)
    done = len(ensemble)
    if done == count:
        return ensemble
    if done == 0:
        raise KeyboardInterrupt("Stopped before the first samples were done: nothing was written.")
    raise KeyboardInterrupt(
        f"Stopped: {output} holds the {done} samples that were done, of {count}. Draw the rest with --first "
        f"{first + done} --count {count - done}{rest} into another file, and join the two with `openmm-flow merge`."
    )
