"""Pictures of embeddings: maps, similarities, pairs and clusters."""

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from voxrelay.checks.picture import save
from voxrelay.checks.speakers.clusters import contingency
from voxrelay.checks.speakers.study import Study

_MARKERS = {"F": "o", "M": "^", "": "s"}
_SEXES = {"F": "woman", "M": "man", "": "sex not given"}
_FEW = 20  # speakers that can be told apart by colour and named in a matrix
_DARK = 0.6  # share of a row above which its number is written in white


def draw_map(study: Study, path: Path) -> None:
    """Draw PCA and t-SNE side by side, extremes and boundary cases marked."""
    figure = Figure(figsize=(15, 8), layout="constrained")
    left, right = figure.subplots(1, 2)
    flat, shares = study.pca
    _scatter(left, study, flat)
    left.set(xlabel=f"first component ({shares[0]:.0%} of variance)", ylabel=f"second component ({shares[1]:.0%})")
    left.set_title("PCA: what varies most")
    _scatter(right, study, study.tsne)
    right.set(xlabel="t-SNE 1 (no unit)", ylabel="t-SNE 2 (no unit)", title="t-SNE: who is whose neighbour")
    _name_centres(right, study)
    figure.legend(handles=_legend(study), loc="outside lower center", ncols=7, frameon=False, fontsize=9)
    save(figure, path)


def draw_similarity(study: Study, path: Path) -> None:
    """Draw the cosine of every utterance with every other, and its mean over speakers."""
    order = np.argsort(study.speakers, kind="stable")
    sorted_ = study.embeddings[order]
    figure = Figure(figsize=(15, 7), layout="constrained")
    left, right = figure.subplots(1, 2)
    image = left.imshow(sorted_ @ sorted_.T, vmin=0.4, vmax=1, interpolation="antialiased")
    edges = np.searchsorted(study.speakers[order], np.arange(len(study.known) + 1))
    for edge in edges[1:-1]:
        left.axhline(edge - 0.5, color="white", linewidth=0.5)
        left.axvline(edge - 0.5, color="white", linewidth=0.5)
    _ticks(left, study, (edges[:-1] + edges[1:] - 1) / 2)
    left.set(xlabel="utterances by speaker", ylabel="utterances by speaker", title="every utterance with every other")
    means = _means(study)
    right.imshow(means, vmin=0.4, vmax=1)
    if len(means) <= _FEW:
        for row, column in np.ndindex(means.shape):
            colour = "black" if means[row, column] > 0.75 else "white"  # noqa: PLR2004 - of the colour map
            right.text(column, row, f"{means[row, column]:.2f}"[1:], ha="center", va="center", color=colour, fontsize=8)
    _ticks(right, study, np.arange(len(means)))
    right.set(xlabel="speaker", ylabel="speaker", title="mean over pairs of different utterances")
    figure.colorbar(image, ax=[left, right], label="cosine similarity", shrink=0.8)
    save(figure, path)


def draw_pairs(study: Study, path: Path) -> None:
    """Draw how similar pairs of one speaker and of two are, and both errors over the threshold."""
    pairs = study.verification
    bins = np.linspace(pairs.similarity.min(), 1, 80)
    figure = Figure(figsize=(13, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for chosen, label, colour in ((pairs.same, "one speaker", "#2a9d5c"), (~pairs.same, "two speakers", "#c8553d")):
        text = f"{label}, {chosen.sum()} pairs"
        left.hist(pairs.similarity[chosen], bins, density=True, alpha=0.6, label=text, color=colour)
    left.set(xlabel="cosine similarity of two utterances", ylabel="density (area 1 each)")
    missed = [float((pairs.similarity[pairs.same] < bin_).mean()) for bin_ in bins]
    accepted = [float((pairs.similarity[~pairs.same] >= bin_).mean()) for bin_ in bins]
    right.plot(bins, missed, label="one speaker, taken for two", color="#2a9d5c")
    right.plot(bins, accepted, label="two speakers, taken for one", color="#c8553d")
    right.axhline(pairs.eer, color="grey", linewidth=0.8, linestyle=":")
    right.set(xlabel="threshold of cosine similarity", ylabel="share of pairs that is wrong")
    for axes in (left, right):
        label = f"EER {pairs.eer:.1%} at {pairs.threshold:.3f}"
        axes.axvline(pairs.threshold, color="black", linestyle="--", label=label)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, fontsize=9, frameon=False)
    save(figure, path)


def draw_clusters(study: Study, path: Path) -> None:
    """Draw which speakers each cluster holds."""
    figure = Figure(figsize=(15, 7), layout="constrained")
    for axes, found in zip(figure.subplots(1, 2), (study.agglomerative, study.k_means), strict=True):
        counts = contingency(found, study.speakers)
        shares = counts / counts.sum(axis=1, keepdims=True)
        axes.imshow(shares, cmap="Greens", vmin=0, vmax=1)
        if len(counts) <= _FEW:
            for cell in zip(*np.nonzero(counts), strict=True):
                colour = "white" if shares[cell] > _DARK else "black"
                axes.text(cell[1], cell[0], str(counts[cell]), ha="center", va="center", fontsize=9, color=colour)
            axes.set_xticks(range(len(counts)))
        axes.set_yticks(range(len(study.known)), study.known, fontsize=8)
        axes.set(xlabel="cluster, in the order of whom it holds most of", ylabel="speaker")
        scores = f"purity {found.purity:.3f}, ARI {found.ari:.3f}, silhouette {found.silhouette:.2f}"
        axes.set_title(f"{found.name}: {scores}")
    save(figure, path)


def _scatter(axes: Axes, study: Study, flat: np.ndarray) -> None:
    for speaker in range(len(study.known)):
        mine, colour, marker = flat[study.speakers == speaker], _colour(study, speaker), _MARKERS[study.sex(speaker)]
        axes.scatter(*mine.T, s=22, color=colour, marker=marker, alpha=0.75, linewidths=0)
    for index in study.extremes:
        colour = _colour(study, study.speakers[index])
        axes.scatter(*flat[index], s=170, color=colour, marker="*", edgecolors="black", linewidths=0.8, zorder=3)
    for rank, index in enumerate(study.boundary, 1):
        axes.scatter(*flat[index], s=90, facecolors="none", edgecolors="black", linewidths=1.2, zorder=4)
        axes.annotate(str(rank), flat[index], xytext=(6, 5), textcoords="offset points", fontsize=9, weight="bold")


def _name_centres(axes: Axes, study: Study) -> None:
    """Write each speaker's name below its utterances."""
    for speaker, name in enumerate(study.known):
        mine = study.tsne[study.speakers == speaker]
        place = np.median(mine[:, 0]), mine[:, 1].min()
        axes.annotate(name, place, xytext=(0, -9), textcoords="offset points", ha="center", va="top", fontsize=9)


def _legend(study: Study) -> list[Line2D]:
    def entry(marker: str, label: str, colour: object = "grey", **more: object) -> Line2D:
        return Line2D([], [], linestyle="", marker=marker, color=colour, label=label, **more)

    marks = [entry(_MARKERS[sex], _SEXES[sex]) for sex in sorted(set(study.sexes))]
    marks.append(entry("*", "most typical of its speaker", markersize=13, markeredgecolor="black"))
    ring = {"markersize": 10, "markerfacecolor": "none", "markeredgecolor": "black"}
    marks.append(entry("o", "nearest to another speaker", **ring))
    if len(study.known) > _FEW:
        return marks
    names = [
        entry(_MARKERS[study.sex(speaker)], name, _colour(study, speaker)) for speaker, name in enumerate(study.known)
    ]
    return names + marks


def _colour(study: Study, speaker: int) -> tuple[float, ...]:
    if len(study.known) <= _FEW:
        return tuple(colormaps["tab20"](2 * speaker % _FEW + 2 * speaker // _FEW))  # strong colours first
    return tuple(colormaps["hsv"](speaker / len(study.known)))


def _ticks(axes: Axes, study: Study, places: np.ndarray) -> None:
    if len(study.known) <= 2 * _FEW:
        axes.set_xticks(places, study.known, rotation=90, fontsize=8)
        axes.set_yticks(places, study.known, fontsize=8)
    else:
        axes.set_xticks([])
        axes.set_yticks([])


def _means(study: Study) -> np.ndarray:
    """Return mean cosines over pairs of different utterances, [speakers, speakers]."""
    count = np.bincount(study.speakers)
    sums = np.stack([study.embeddings[study.speakers == speaker].sum(axis=0) for speaker in range(len(count))])
    total, pairs = sums @ sums.T, np.outer(count, count).astype(float)
    own = np.arange(len(count))
    total[own, own] -= count
    pairs[own, own] -= count
    means: np.ndarray = total / pairs
    return means
