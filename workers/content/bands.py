"""What contentvec-lite sees of sound: 80 mel bands, 100 frames/s."""

import torch
from torch.nn import functional

from voxrelay.relay import clock
from voxrelay.relay.tensors import MelSpec

WINDOW = 512  # samples at 16 kHz: 32 ms
HOP = clock.CONTENT_HOP // 2  # two frames make one of content
BANDS = 80
FLOOR = 1e-10  # of a band's power, well below that of a quiet room beside speech at the common level
MARGIN = (WINDOW - HOP) // 2
SPEC = MelSpec(rate=clock.RATE, fft=WINDOW, hop=HOP, window=WINDOW, bands=BANDS, low=0, high=clock.RATE // 2)


def powers(sound: torch.Tensor, window: torch.Tensor) -> torch.Tensor:
    """Return the power of every bin: frames [..., frames, window] come out as [..., frames, window / 2 + 1].

    Relative to the window's sum, so that windows of other lengths measure a tone alike.
    """
    spectrum = torch.fft.rfft(sound * window)
    return (spectrum.real.square() + spectrum.imag.square()) / window.sum().square()


def log_bands(sound: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
    """Compute log mel bands.

    Args:
        sound: float32 [batch, samples] at 16 kHz; a multiple of 320.
        filters: Slaney's for 0 to 8000 Hz, float32 [80, 257].

    Returns:
        float32 [batch, samples / 160, 80], frame ``j`` centred on sample ``160 * j + 80``, the ends reflected.

    """
    padded = functional.pad(sound[:, None], (MARGIN, MARGIN), mode="reflect")[:, 0]
    frames = padded.unfold(1, WINDOW, HOP)
    return to_log(powers(frames, torch.hann_window(WINDOW, device=sound.device)) @ filters.T)


def to_log(power: torch.Tensor) -> torch.Tensor:
    """Take the natural logarithm of bands' powers."""
    return (power + FLOOR).log()
