"""The figures of a report."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

from openmmflow.printable import printable  # noqa: E402

PROPOSAL, REWEIGHTED, REFERENCE = "tab:orange", "tab:blue", "black"
# Free energies above this stay white: a histogram of 100,000 samples does not resolve them.
MAX_KT = 10
# Of an axis of energies, in kJ/mol: all of them may be the same.
NARROWEST = 1.0
# Next to larger numbers, which overlapping atoms make, axes overflow.
LARGEST = 1e100


def ramachandran(panels, x="phi", y="psi"):
    """Draw free energies in kT of two torsions side by side; panels maps a title to a histogram."""
    figure, axes = plt.subplots(
        1,
        len(panels),
        figsize=(3.4 * len(panels) + 0.9, 3.6),
        sharey=True,
        layout="constrained",
        squeeze=False,
    )
    for ax, (title, histogram) in zip(axes[0], panels.items(), strict=True):
        with np.errstate(divide="ignore"):
            energy = -np.log(histogram)
        energy -= energy.min()
        image = ax.imshow(
            np.where(energy <= MAX_KT, energy, np.nan).T,
            origin="lower",
            extent=(-180, 180, -180, 180),
            vmin=0,
            vmax=MAX_KT,
            cmap="viridis",
            interpolation="nearest",
        )
        ax.set(title=title, xlabel=f"{x} / degrees", xticks=range(-180, 181, 90), yticks=range(-180, 181, 90))
    axes[0][0].set_ylabel(f"{y} / degrees")
    figure.colorbar(image, ax=axes, label="free energy / kT", shrink=0.85)
    return figure


def torsions(panels):
    """Draw the densities of torsions; panels maps a name to {curve: histogram}."""
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3.4 * columns, 2.6 * rows), layout="constrained", squeeze=False
    )
    for ax in axes.flat[len(panels) :]:
        ax.axis("off")
    for ax, (name, curves) in zip(axes.flat, panels.items(), strict=False):
        for label, histogram in curves.items():
            edges = np.linspace(-180, 180, len(histogram) + 1)
            ax.stairs(histogram * len(histogram) / 360, edges, label=label, baseline=None, **_style(label))
        ax.set(xlabel=f"{name} / degrees", ylabel="density", xlim=(-180, 180), xticks=range(-180, 181, 90))
        ax.set_ylim(bottom=0)
    axes[0][0].legend(fontsize=8)
    return figure


def energies(values, weights, reference=None):
    """Draw histograms of potential energies in kJ/mol: proposals, reweighted and reference."""
    # Where the target is, and as much of the proposals' tail as leaves it readable.
    low = values.min()
    high = np.quantile(values, 0.98)
    if high - low < NARROWEST:
        low, high = low - NARROWEST / 2, high + NARROWEST / 2
    edges = np.linspace(low, high, 101)
    figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
    curves = {"proposals": (values, None)}
    if weights.any():
        curves["reweighted"] = values, weights
    if reference is not None:
        curves["reference"] = (reference, None)
    for label, (data, data_weights) in curves.items():
        counts = np.histogram(data, edges, weights=data_weights)[0]
        total = len(data) if data_weights is None else data_weights.sum()
        ax.stairs(counts / total / np.diff(edges), edges, label=label, baseline=None, **_style(label))
    ax.set(xlabel="potential energy / (kJ/mol)", ylabel="density / (mol/kJ)", xlim=(low, high))
    ax.set_ylim(bottom=0)
    ax.legend()
    return figure


def weights(log_weights, count):
    """Draw the distribution of the weights, and the share of the total that the largest of them carry.

    Of `count` samples those that `log_weights` leaves out have weight zero.
    """
    scaled = log_weights - log_weights.max()
    scaled -= np.log(np.mean(np.exp(scaled)))
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    low = np.quantile(scaled, 0.005)
    left.hist(np.clip(scaled, low, None), bins=80, color=REWEIGHTED)
    left.set(xlabel="log weight, relative to the average weight", ylabel="samples", yscale="log")
    ordered = np.sort(np.exp(scaled))[::-1]
    share = np.cumsum(ordered) / ordered.sum()
    fraction = np.arange(1, len(share) + 1) / count
    right.plot(fraction, share, color=REWEIGHTED)
    right.plot(fraction, fraction, color="grey", linestyle=":", label="equal weights")
    right.set(
        xscale="log",
        xlabel="largest weights, share of the samples",
        ylabel="share of the weight",
        ylim=(0, 1),
    )
    right.legend()
    return figure


def log_weights(curves):
    """Draw the distributions of log weights, relative to the average weight; curves maps a name to log weights."""
    figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
    for name, values in curves.items():
        scaled = values - values.max()
        scaled -= np.log(np.mean(np.exp(scaled)))
        counts, edges = np.histogram(np.clip(scaled, np.quantile(scaled, 0.005), None), bins=80)
        ax.stairs(counts / len(values) / np.diff(edges), edges, label=name, baseline=None)
    ax.set(xlabel="log weight, relative to the average weight", ylabel="density", yscale="log")
    ax.legend()
    return figure


def histories(curves):
    """Draw effective sample fractions in training against energies and minutes; curves maps a name to
    (energies, seconds, fractions)."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True, layout="constrained")
    for name, (energies, seconds, fractions) in curves.items():
        axes[0].plot(energies / 1e6, fractions)
        axes[1].plot(seconds / 60, fractions, label=name)
    axes[0].set(xlabel="million energies", ylabel="effective sample fraction", ylim=(0, 1))
    axes[1].set(xlabel="minutes of training")
    axes[1].legend()
    return figure


def label(name):
    """Return a name as text that a figure shows as it is."""
    text = printable(name).replace("$", r"\$")
    # Legends leave out what begins so.
    return f" {text}" if text.startswith("_") else text


def _style(label):
    color = {"proposals": PROPOSAL, "reweighted": REWEIGHTED, "reference": REFERENCE}[label]
    return {"color": color, "linestyle": "--" if label == "reference" else "-", "linewidth": 1.4}
