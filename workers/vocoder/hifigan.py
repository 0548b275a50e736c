"""HiFi-GAN with official or own weights: see :mod:`~voxrelay.workers.vocoder.generator`."""

from voxrelay.relay.errors import BadConfigError
from voxrelay.workers.runtime.placement import CPU, Placement
from voxrelay.workers.runtime.weights import find
from voxrelay.workers.vocoder.generator import VARIANTS, Generator
from voxrelay.workers.vocoder.neural import Neural
from voxrelay.workers.vocoder.published import Published, configuration_of, fill


def load(weights: str, variant: str = "", sha256: str = "", placement: Placement = CPU) -> Neural:
    """Load a generator.

    Args:
        weights: the checkpoint, as :func:`~voxrelay.workers.vocoder.published.fill` takes it; absolute or in the
            model folder.
        variant: ``v1``, ``v2`` or ``v3`` as published, for a checkpoint without its configuration; empty: the
            configuration beside it says.
        sha256: what the checkpoint's hash must be; empty: any.
        placement: where it computes.

    Raises:
        UnavailableError: there is no such file, or no configuration beside it.
        BadConfigError: no such variant, the files hold no such generator, or it takes other mels than ours.

    """
    allowed = f"allowed: {', '.join(VARIANTS)}"
    if variant and variant not in VARIANTS:
        raise BadConfigError(f"no variant {variant!r}", where="hifigan", hint=allowed)
    path = find(weights)
    if variant:
        generator = Generator(VARIANTS[variant])
        fill(generator, path, sha256, f"is it of variant {variant!r}? {allowed}")
    else:
        generator = Generator(configuration_of(path, Published).variant)
        fill(generator, path, sha256)
    return Neural("hifigan", generator, placement)
