"""The model card of an exported generator: what it is, what it learnt from, how well it does."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from voxrelay.relay import clock
from voxrelay.relay.tensors import MEL
from voxrelay.training import held_back
from voxrelay.training.cache import Cache, Clip
from voxrelay.training.config import plain
from voxrelay.training.vocoder.config import VocoderConfig

_CARD = """\
# {name}

HiFi-GAN {variant} generator (arXiv 2010.05646): log-mel spectrogram to sound at {rate} Hz.
It takes `{mel}` and no other mel. float16, `{{'generator': state_dict}}`, sha256 `{sha256}`.

{origin} {steps} steps of training in voxrelay: {phases}. These are the weights' moving average.

## Data

{data}

Nothing of the corpus's development split was read. Recordings at 16 kHz end at 8 kHz, and so does this voice.

## Held-back speakers

Copy synthesis of the middle three seconds of one recording of each, unseen in training: L1 of the log-mel (natural
logarithm) and multi-resolution STFT loss (arXiv 1910.11480). Lower is better; neither is an opinion of a listener.

{figures}

## To make it again

`python -m voxrelay.training vocoder --data metadata.csv --config config.yml --out RUN{init}` with this `config.yml`:

```yaml
{config}```
"""


def card(
    file: Path,
    settings: VocoderConfig,
    steps: int,
    origin: Mapping[str, str] | None,
    cache: Cache,
    figures: Mapping[str, float],
) -> str:
    """Write the card of an exported file, as Markdown.

    Args:
        file: the exported weights.
        settings: of the run.
        steps: how many it took.
        origin: file, sha256 and source of the weights it began with; None: random ones.
        cache: what it was trained on.
        figures: what :class:`~voxrelay.training.vocoder.validation.Validation` measured.

    """
    return _CARD.format(
        name=file.stem,
        variant=settings.variant.upper(),
        rate=clock.SOUND_RATE,
        mel=MEL.fingerprint,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        origin=_origin(origin),
        steps=f"{steps:,}",
        phases=", ".join(_phases(settings, steps)),
        data=_data(cache, settings),
        figures=_table(("held-back speakers", "mel L1", "STFT"), _figures(figures)),
        init=" --init GENERATOR.pt" if origin else "",
        config=yaml.safe_dump(plain(settings), sort_keys=False),
    )


def _origin(origin: Mapping[str, str] | None) -> str:
    if origin is None:
        return "Trained from random weights."
    return f"Began with {origin['source'] or origin['file']} (sha256 `{origin['sha256']}`)."


def _phases(settings: VocoderConfig, steps: int) -> Iterable[str]:
    """Say how many steps fell into each phase."""
    for phase in settings.phases:
        done = min(steps, phase.steps)
        if done:
            yield f"{done:,} of {phase.name}"
        steps -= done


def _data(cache: Cache, settings: VocoderConfig) -> str:
    """Tell speakers, hours and licence of each corpus."""
    held = held_back.speakers(cache.clips, settings.held_back)
    corpora: dict[str, list[Clip]] = {}
    for clip in cache.clips:
        corpora.setdefault(clip.corpus, []).append(clip)
    rows = []
    for corpus, clips in sorted(corpora.items()):
        used = [clip for clip in clips if clip.speaker not in held]
        hours = sum(clip.length for clip in used) / clock.SOUND_RATE / 3600
        speakers, kept = {clip.speaker for clip in used}, {clip.speaker for clip in clips} & held
        licences = ", ".join(sorted({clip.licence for clip in clips})) or "unknown"
        rows.append((corpus, str(len(speakers)), str(len(kept)), f"{hours:.2f}", licences))
    return _table(("corpus", "speakers", "held back", "hours", "licence"), rows)


def _figures(figures: Mapping[str, float]) -> Iterable[tuple[str, str, str]]:
    """Give a row to each group that was measured."""
    for name, value in figures.items():
        measure, _, group = name.partition("/")
        if measure == "mel":
            yield group or "all", f"{value:.4f}", f"{figures[name.replace('mel', 'stft', 1)]:.4f}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Lay out a Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
