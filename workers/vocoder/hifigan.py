"""HiFi-GAN with official or own weights: see :mod:`~voxrelay.workers.vocoder.generator`."""

from typing import TYPE_CHECKING

from voxrelay.relay.errors import BadConfigError
from voxrelay.workers.runtime.filters import mel_filters
from voxrelay.workers.runtime.placement import CPU, Placement
from voxrelay.workers.runtime.weights import find
from voxrelay.workers.vocoder.corrected import Corrected
from voxrelay.workers.vocoder.excited import Excited
from voxrelay.workers.vocoder.generator import VARIANTS, Generator
from voxrelay.workers.vocoder.neural import ExcitedNeural, Neural
from voxrelay.workers.vocoder.noise import NoisePhases
from voxrelay.workers.vocoder.published import Published, configuration_of, fill
from voxrelay.workers.vocoder.smoothed import Smoothed

if TYPE_CHECKING:
    from torch import nn


def load(
    weights: str,
    variant: str = "",
    sha256: str = "",
    corrections: int = 0,
    noise_phases: bool = False,  # noqa: FBT001, FBT002 - straight from the options
    excited: bool = False,  # noqa: FBT001, FBT002 - the same
    placement: Placement = CPU,
) -> Neural:
    """Load a generator.

    Args:
        weights: the checkpoint, as :func:`~voxrelay.workers.vocoder.published.fill` takes it; absolute or in the
            model folder.
        variant: ``v1``, ``v2`` or ``v3`` as published, for a checkpoint without its configuration; empty: the
            configuration beside it says.
        sha256: what the checkpoint's hash must be; empty: any.
        corrections: how often the sound is brought nearer to its mel, see
            :mod:`~voxrelay.workers.vocoder.corrected`; 0: the generator as published.
        noise_phases: whether noise is kept from repeating itself, see :mod:`~voxrelay.workers.vocoder.noise`.
        excited: whether the source's waveform is lent to it, see :mod:`~voxrelay.workers.vocoder.excited` and
            :mod:`~voxrelay.workers.vocoder.smoothed`.
        placement: where it computes.

    Raises:
        UnavailableError: there is no such file, or no configuration beside it.
        BadConfigError: no such variant or number of corrections, the files hold no such generator, or it takes other
            mels than ours.

    """
    allowed = f"allowed: {', '.join(VARIANTS)}"
    if variant and variant not in VARIANTS:
        raise BadConfigError(f"no variant {variant!r}", where="hifigan", hint=allowed)
    if corrections < 0:
        raise BadConfigError(f"corrections {corrections}", where="hifigan", hint="0, or how many")
    path = find(weights)
    if variant:
        generator = Generator(VARIANTS[variant])
        fill(generator, path, sha256, f"is it of variant {variant!r}? {allowed}")
    else:
        generator = Generator(configuration_of(path, Published).variant)
        fill(generator, path, sha256)
    said: nn.Module = NoisePhases(generator, mel_filters()) if noise_phases else generator
    said = Excited(said, mel_filters()) if excited else said
    said = Corrected(said, mel_filters(), corrections) if corrections else said
    said = Smoothed(said, mel_filters()) if excited else said
    return (ExcitedNeural if excited else Neural)("hifigan", said, placement)
