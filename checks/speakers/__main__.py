"""Study embeddings: ``python -m voxrelay.checks.speakers FOLDER < rows.json``.

The folder holds ``embeddings.safetensors``; the rows say of each embedding which ``path``, ``speaker``
and ``sex`` it is of. Prints the figures as JSON; pictures, table, page and recordings go to the folder.
"""

import csv
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from voxrelay.checks.page import Page, Player
from voxrelay.checks.speakers import figures
from voxrelay.checks.speakers.study import Study
from voxrelay.relay import safetensors

MAP = (
    "Every dot is an utterance. Utterances of a speaker should lie together and apart from others. Stars are the "
    "most typical utterance of each speaker, numbered circles those nearest to another speaker; both are below."
)
SIMILARITY = (
    "Bright squares on the diagonal, and nothing as bright beside them, are speakers who resemble themselves only. "
    "Women and men stand together, so that bright blocks off the diagonal show what voices have in common."
)
PAIRS = (
    "Left, the less the two hills overlap, the better; right, the threshold at which both errors are equally "
    "frequent (EER) is where two utterances begin to count as one speaker's."
)
CLUSTERS = (
    "As many clusters as there are speakers, found without being told who they are. One filled cell in every row "
    "and column is a perfect division; numbers count utterances."
)
COLUMNS = (
    *("path", "speaker", "sex", "own", "nearest_other", "other", "margin"),
    *("agglomerative", "k_means", "pca1", "pca2", "tsne1", "tsne2", "mark"),
)


def read(folder: Path, rows: list[dict[str, str]]) -> Study:
    """Read the embeddings, and whose they are."""
    arrays, _ = safetensors.read((folder / "embeddings.safetensors").read_bytes())
    columns = ([row[name] for row in rows] for name in ("path", "speaker", "sex"))
    return Study(arrays["embeddings"], *columns)


def summary(study: Study) -> dict[str, Any]:
    """Return the figures."""
    best, other, pairs = study.agglomerative, study.k_means, study.verification
    return {
        "speakers": len(study.known),
        "utterances": len(study.files),
        "purity": round(best.purity, 4),
        "ari": round(best.ari, 4),
        "silhouette": round(best.silhouette, 4),
        "eer": round(pairs.eer, 4),
        "threshold": round(pairs.threshold, 4),
        "k_means": {
            "purity": round(other.purity, 4),
            "ari": round(other.ari, 4),
            "silhouette": round(other.silhouette, 4),
        },
        "extreme": [_case(study, index) for index in study.extremes],
        "boundary": [_case(study, index) for index in study.boundary],
    }


def write_table(study: Study, path: Path) -> None:
    """Write a row an utterance."""
    flat, _ = study.pca
    marks = dict.fromkeys(study.extremes, "extreme") | dict.fromkeys(study.boundary, "boundary")
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for index, case in enumerate(_case(study, index) for index in range(len(study.files))):
            clusters = (study.agglomerative.clusters[index], study.k_means.clusters[index])
            places = [f"{value:.4f}" for value in (*flat[index], *study.tsne[index])]
            values = [case[name] for name in ("path", "speaker")] + [study.sexes[index]]
            values += [case[name] for name in ("own", "nearest", "other", "margin")]
            table.writerow([*values, *clusters, *places, marks.get(index, "")])


def write_page(study: Study, found: dict[str, Any], folder: Path) -> None:
    """Copy what is worth hearing, and write the page."""
    heard = {index: _copy(study, index, folder) for index in {*study.extremes, *study.boundary}}
    page = Page(f"{found['speakers']} speakers, {found['utterances']} utterances")
    page.text(
        f"Agglomerative clustering: purity {found['purity']:.3f}, ARI {found['ari']:.3f}, silhouette "
        f"{found['silhouette']:.2f}. Pairs: EER {found['eer']:.1%} at {found['threshold']:.3f}. "
        f"k-means: purity {found['k_means']['purity']:.3f}, ARI {found['k_means']['ari']:.3f}."
    )
    for name, caption in (("map", MAP), ("similarity", SIMILARITY), ("pairs", PAIRS), ("clusters", CLUSTERS)):
        page.figure(f"{name}.png", caption)
    page.heading("Boundary: nearest to another speaker")
    page.text("Beside each, the most typical utterance of its speaker, and of the one it comes near to.")
    columns = ["", "utterance", "speaker", "own", "nearest other", "margin", "it", "its speaker", "the other"]
    page.table(columns, [_boundary(study, rank, index, heard) for rank, index in enumerate(study.boundary, 1)])
    page.heading("Extreme: most typical of its speaker")
    columns = ["utterance", "speaker", "own", "nearest other", "margin", "it"]
    page.table(columns, [[*_words(study, index), Player(heard[index])] for index in study.extremes])
    page.write(folder / "index.html")


def _boundary(study: Study, rank: int, index: int, heard: dict[int, str]) -> list[str | Player]:
    own, other = study.speakers[index], study.placement.nearest[index]
    beside = [Player(heard[study.extremes[speaker]]) for speaker in (own, other)]
    return [str(rank), *_words(study, index), Player(heard[index]), *beside]


def _words(study: Study, index: int) -> list[str]:
    case = _case(study, index)
    near = f"{case['nearest']} {case['other']:.2f}"
    return [Path(case["path"]).name, case["speaker"], f"{case['own']:.2f}", near, f"{case['margin']:.2f}"]


def _case(study: Study, index: int) -> dict[str, Any]:
    place = study.placement
    return {
        "path": study.files[index],
        "speaker": study.names[index],
        "own": round(float(place.own[index]), 4),
        "nearest": study.known[place.nearest[index]],
        "other": round(float(place.other[index]), 4),
        "margin": round(float(place.margin[index]), 4),
    }


def _copy(study: Study, index: int, folder: Path) -> str:
    """Copy a recording beside the page; return its name there."""
    source = Path(study.files[index])
    (folder / "listen").mkdir(exist_ok=True)
    name = f"listen/{study.names[index]}-{source.name}"
    shutil.copyfile(source, folder / name)
    return name


def main(folder: Path) -> None:
    """Study, draw, write, and print the figures."""
    study = read(folder, json.load(sys.stdin))
    figures.draw_map(study, folder / "map.png")
    figures.draw_similarity(study, folder / "similarity.png")
    figures.draw_pairs(study, folder / "pairs.png")
    figures.draw_clusters(study, folder / "clusters.png")
    found = summary(study)
    write_table(study, folder / "utterances.csv")
    write_page(study, found, folder)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
