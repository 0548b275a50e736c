"""Convert real recordings and measure whose voice they have: CMU ARCTIC, bdl (male) and slt (female).

    VOXRELAY_SHARED=FOLDER python benchmarks/arctic.py [--json] [--keep DIR]

Ten sentences bdl -> slt and ten slt -> bdl; the reference is about a minute of other sentences of
the target. Everything runs through the queue, the embeddings of the judge as well. Resemblyzer
similarity ranges from about 0.5 (strangers) to 1; DNSMOS P.835 from 1 to 5.
"""

import argparse
import csv
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from voxrelay import Producer

VOCODERS = ("griffin-lim", "hifigan")
SENTENCES = 10
REFERENCE_SECONDS = 60
TARGET_SECONDS = 60
DNSMOS_RATE, DNSMOS_SAMPLES = 16_000, 144_160
# Polynomials of the P.835 model for 16 kHz and 9.01 s, highest power first: signal, background, overall.
DNSMOS_FIT = (
    (-0.08397278, 1.22083953, 0.0052439),
    (-0.13166888, 1.60915514, -0.39604546),
    (-0.06766283, 1.11546468, 0.04602535),
)


@dataclass(frozen=True)
class Speaker:
    """Recordings of one speaker, none in two roles: sentences to convert, reference, and to compare with."""

    name: str
    sentences: list[Path]
    reference: list[Path]
    own: list[Path]


@dataclass(frozen=True)
class Score:
    """One converted sentence."""

    sentence: str
    vocoder: str
    target: float
    source: float
    overall: float


def speakers(shared: Path) -> list[Speaker]:
    """Choose recordings by their order in the metadata: nothing is picked by how it sounds."""
    with (shared / "speech" / "metadata.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["corpus"].lower().endswith("arctic")]
    return [
        _divide(name, [row for row in rows if row["speaker"] == name], shared / "speech") for name in ("bdl", "slt")
    ]


def _divide(name: str, rows: list[dict[str, str]], folder: Path) -> Speaker:
    rest = iter(rows)
    sentences = [folder / next(rest)["path"] for _ in range(SENTENCES)]

    def take(seconds: float) -> Iterator[Path]:
        total = 0.0
        while total < seconds:
            row = next(rest)
            total += float(row["seconds"])
            yield folder / row["path"]

    return Speaker(name, sentences, list(take(REFERENCE_SECONDS)), list(take(TARGET_SECONDS)))


class Dnsmos:
    """DNSMOS P.835 (https://github.com/microsoft/DNS-Challenge), a judge of noise and artefacts."""

    def __init__(self, model: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options)

    def overall(self, path: Path) -> float:
        """Score a recording: the mean over windows of 9.01 s, a second apart; short ones are repeated."""
        sound, rate = soundfile.read(path, dtype="float32")
        sound = soxr.resample(sound, rate, DNSMOS_RATE)
        sound = np.tile(sound, -(-DNSMOS_SAMPLES // len(sound))) if len(sound) < DNSMOS_SAMPLES else sound
        starts = range(0, len(sound) - DNSMOS_SAMPLES + 1, DNSMOS_RATE)
        raw = [self._raw(sound[start : start + DNSMOS_SAMPLES]) for start in starts]
        return float(np.mean([np.polyval(DNSMOS_FIT[2], scores[2]) for scores in raw]))

    def _raw(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        name = self._session.get_inputs()[0].name
        scores: NDArray[np.float32] = self._session.run(None, {name: sound[None]})[0][0]
        return scores


def measure(shared: Path, folder: Path) -> list[Score]:
    """Convert everything and score it."""
    producer, dnsmos = Producer(), Dnsmos(shared / "scoring" / "dnsmos_sig_bak_ovr.onnx")
    bdl, slt = speakers(shared)
    own = {speaker.name: producer.embed([str(path) for path in speaker.own]).data for speaker in (bdl, slt)}
    scores = []
    for source, target in ((bdl, slt), (slt, bdl)):
        for row in ("source", *VOCODERS):
            for sentence in source.sentences:
                label = f"{source.name}-{target.name} {sentence.stem}"
                path = sentence
                if row != "source":
                    path = folder / f"{label} {row}.wav"
                    reference = _joined(target, folder)
                    producer.convert(sentence, str(reference), path, models={"vocoder": row})
                voice = producer.embed(str(path)).data
                similarity = float(voice @ own[target.name]), float(voice @ own[source.name])
                scores.append(Score(label, row, *similarity, dnsmos.overall(path)))
    return scores


def _joined(speaker: Speaker, folder: Path) -> Path:
    """Write the reference as one file: many files of a --voice each count the same, whatever their length."""
    path = folder / f"reference-{speaker.name}.wav"
    if not path.exists():
        sounds = [soundfile.read(file, dtype="float32") for file in speaker.reference]
        soundfile.write(path, np.concatenate([sound for sound, _rate in sounds]), sounds[0][1])
    return path


def table(scores: list[Score]) -> str:
    """Render means per direction and vocoder in Markdown."""
    lines = [
        "| direction | row | similarity to target | to source | target nearer | DNSMOS OVR |",
        "|---|---|---|---|---|---|",
    ]
    for direction in ("bdl-slt", "slt-bdl"):
        for row in ("source", *VOCODERS):
            mine = [score for score in scores if score.vocoder == row and score.sentence.startswith(direction)]
            target, source, overall = (
                np.mean([getattr(score, name) for score in mine]) for name in ("target", "source", "overall")
            )
            nearer = sum(score.target > score.source for score in mine)
            lines.append(
                f"| {direction} | {row} | {target:.3f} | {source:.3f} | {nearer}/{len(mine)} | {overall:.2f} |"
            )
    return "\n".join(lines)


def main() -> int:
    """Print the table, or all scores as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", type=Path, help="folder for the converted recordings")
    options = parser.parse_args()
    if not (named := os.environ.get("VOXRELAY_SHARED")):
        sys.stderr.write("error: VOXRELAY_SHARED does not name the folder of shared recordings\n")
        return 3
    shared = Path(named).resolve()
    os.environ.setdefault("VOXRELAY_MODELS", str(shared / "weights"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(exist_ok=True)
        scores = measure(shared, folder)
    print(json.dumps([vars(score) for score in scores]) if options.json else table(scores))
    return 0


if __name__ == "__main__":
    sys.exit(main())
