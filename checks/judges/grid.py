"""One page on a grid of conversions: ``python -m voxrelay.checks.judges.grid FOLDER PAGE``.

Prints the measures of every row as JSON. The page holds its sounds and pictures and needs nothing else.
"""

import base64
import io
import json
import sys
from pathlib import Path

import librosa
import numpy as np
import soundfile
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from voxrelay.checks.judges import pitch
from voxrelay.checks.judges.measures import MEASURES, Scorer
from voxrelay.checks.judges.page import PAGES
from voxrelay.checks.judges.sound import RATE, read
from voxrelay.relay.comparison import Comparison, Trial

_DYNAMICS_DB = 80
_FFT, _HOP = 1024, 160  # samples of 16 kHz
_PICTURE = (6.0, 2.6)  # inches
_OVERVIEW = (12.5, 3.6)


def main(folder: Path, page: Path) -> None:
    """Write the page."""
    comparison = Comparison.read(folder)
    scorer = Scorer(folder, comparison)
    scores = {trial.row: scorer.measure(trial) for trial in comparison.trials}
    cards = [
        {"name": trial.row, "sound": _sound(folder / trial.sound), "picture": _spectrogram(folder, trial, scorer)}
        for trial in comparison.trials
    ]
    shown = [one for one in MEASURES if any(values[one.key] is not None for values in scores.values())]
    contours = _contours(comparison, scorer)
    page.write_text(
        PAGES.get_template("grid.html").render(cards=cards, measures=shown, scores=scores, contours=contours)
    )
    sys.stdout.write(json.dumps({"rows": scores}))


def _sound(path: Path) -> str:
    """Return a sound as the address of itself, FLAC in base64."""
    samples, rate = soundfile.read(path, dtype="int16")
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="FLAC")
    return f"data:audio/flac;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _spectrogram(folder: Path, trial: Trial, scorer: Scorer) -> str:
    """Draw a mel spectrogram with F0 over it."""
    sound = read(folder / trial.sound)
    power = librosa.feature.melspectrogram(y=sound, sr=RATE, n_fft=_FFT, hop_length=_HOP, n_mels=80)
    level = librosa.power_to_db(power, ref=np.max, top_db=_DYNAMICS_DB)
    figure = Figure(figsize=_PICTURE, layout="constrained")
    axes = figure.add_subplot()
    # Bands are drawn as bands, each as high as the others: the axis beside them says their frequencies.
    axes.imshow(level, origin="lower", aspect="auto", cmap="magma", extent=(0, len(sound) / RATE, 0, len(level)))
    ticks = (250, 500, 1000, 2000, 4000)
    edges = librosa.hz_to_mel(np.array([0, *ticks, RATE / 2]))
    axes.set_yticks(edges[1:-1] / edges[-1] * len(level), [str(tick) for tick in ticks], fontsize=7)
    axes.set_xlabel("seconds", fontsize=8)
    axes.set_ylabel("Hz", fontsize=8)
    axes.set_xlim(0, len(sound) / RATE)
    _draw_contour(axes.twinx(), scorer.contour(trial.sound), color="#5ef0ff", linewidth=1.4)
    return _picture(figure)


def _contours(comparison: Comparison, scorer: Scorer) -> str:
    """Draw F0 of the source and of every conversion, and the target's median."""
    figure = Figure(figsize=_OVERVIEW, layout="constrained")
    axes = figure.add_subplot()
    kinds = {row.name: row.kind for row in comparison.rows}
    for trial in comparison.trials:
        contour = scorer.contour(trial.sound)
        if kinds[trial.row] == "ground truth":
            if (contour > 0).any():
                axes.axhline(np.median(contour[contour > 0]), color="#555555", linestyle="--", label="target, median")
            continue
        source = kinds[trial.row] == "source"
        style = {"color": "black", "linewidth": 2.2, "alpha": 0.5} if source else {"linewidth": 1.4}
        _draw_contour(axes, contour, label=trial.row, **style)
    axes.set_xlabel("seconds")
    axes.legend(fontsize=8, ncols=3)
    axes.grid(alpha=0.3)
    return _picture(figure)


def _draw_contour(axes: Axes, contour: pitch.Contour, **style: object) -> None:
    times = np.arange(len(contour)) * pitch.PERIOD_MS / 1000
    axes.plot(times, np.where(contour > 0, contour, np.nan), **style)
    axes.set_yscale("log")
    axes.set_ylim(pitch.LOWEST, pitch.HIGHEST)
    ticks = (60, 100, 150, 200, 300, 500)
    axes.set_yticks(ticks, [str(tick) for tick in ticks], fontsize=7)
    axes.minorticks_off()
    axes.set_ylabel("F0, Hz", fontsize=8)


def _picture(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
