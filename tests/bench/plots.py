"""Pictures of the figures, as PNG files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib import pyplot

from tests.bench.report import Row

pyplot.switch_backend("Agg")

COLOURS = {
    "callnode": "tab:blue",
    "stock": "tab:red",
    "libwebrtc": "tab:green",
    "callnode to libwebrtc": "tab:olive",
}

Points = Sequence[tuple[float, float]]


def lines(
    path: Path,
    title: str,
    curves: Mapping[str, Points],
    labels: tuple[str, str],
    *,
    spans: Sequence[tuple[float, float, str]] = (),
    top: float | None = None,
    marker: str = "o",
) -> None:
    """Draw a line for each name; `spans` are (from, to, what) along x."""
    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    for first, last, what in spans:
        axes.axvspan(first, last, color="0.9", label=what)
    for name, points in curves.items():
        xs, ys = zip(*points, strict=True) if points else ((), ())
        axes.plot(xs, ys, marker, linestyle="-", markersize=4, color=COLOURS.get(name), label=name)
    axes.set(title=title, xlabel=labels[0], ylabel=labels[1], ylim=(None, top))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def scatter(
    path: Path, title: str, points: Mapping[str, Mapping[str, tuple[float, float]]], labels: tuple[str, str]
) -> None:
    """Draw a labelled dot for each condition of each name."""
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for name, dots in points.items():
        xs, ys = zip(*dots.values(), strict=True)
        axes.scatter(xs, ys, color=COLOURS.get(name), label=name)
        for what, at in dots.items():
            axes.annotate(what, at, fontsize=7, xytext=(4, 3), textcoords="offset points")
    axes.set(title=title, xlabel=labels[0], ylabel=labels[1])
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def bars(path: Path, title: str, rows: Sequence[Row]) -> None:
    """Draw the bars of each row beside each other, in its own unit."""
    figure, axes = pyplot.subplots(
        1, len(rows), figsize=(2 + 2.2 * len(rows), 4), layout="constrained", squeeze=False
    )
    for one, axis in zip(rows, axes[0], strict=True):
        values = {"callnode": one["value"], "stock": one["baseline"]}
        if "libwebrtc" in one:
            values["libwebrtc"] = one["libwebrtc"]
        drawn = axis.bar(list(values), list(values.values()), color=[COLOURS[name] for name in values])
        axis.bar_label(drawn, fmt="%.3g", fontsize=8)
        axis.set_title("\n".join(one["name"].split(": ")), fontsize=8)
        axis.set_ylabel(one["unit"])
        axis.tick_params("x", labelrotation=30, labelsize=8)
    figure.suptitle(title)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
