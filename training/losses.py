"""Losses on sound and on what discriminators say of it; all in float32."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from voxrelay.training.spectra import Magnitudes

RESOLUTIONS = ((512, 50, 240), (1024, 120, 600), (2048, 240, 1200))  # transform, hop and window, samples
_FLOOR = 1e-3  # about the magnitude of int16 rounding: below it there is nothing to be learned


class MultiResolution(nn.Module):
    """Multi-resolution STFT loss: spectral convergence and log magnitude, averaged over resolutions.

    Yamamoto, Song, Kim 2020, Parallel WaveGAN, arXiv 1910.11480, section 2.2.
    """

    def __init__(self, resolutions: Sequence[tuple[int, int, int]] = RESOLUTIONS) -> None:
        super().__init__()
        self.spectra = nn.ModuleList(Magnitudes(*resolution) for resolution in resolutions)

    def forward(self, made: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
        """Compare sounds, float32 [batch, samples] each; gives a scalar."""
        losses = []
        for spectrum in self.spectra:
            ours, theirs = spectrum(made).clamp_min(_FLOOR), spectrum(true).clamp_min(_FLOOR)
            convergence = torch.linalg.vector_norm(theirs - ours) / torch.linalg.vector_norm(theirs)
            losses.append(convergence + functional.l1_loss(ours.log(), theirs.log()))
        return torch.stack(losses).mean()


def discrimination(real: Sequence[torch.Tensor], made: Sequence[torch.Tensor]) -> torch.Tensor:
    """Discriminators' least-squares loss, summed: real scores towards 1, made ones towards 0 (arXiv 1611.04076)."""
    losses = [(1 - r.float()).square().mean() + m.float().square().mean() for r, m in zip(real, made, strict=True)]
    return torch.stack(losses).sum()


def deception(made: Sequence[torch.Tensor]) -> torch.Tensor:
    """Generator's least-squares loss, summed: scores of what it made towards 1."""
    return torch.stack([(1 - scores.float()).square().mean() for scores in made]).sum()


def feature_matching(real: Sequence[torch.Tensor], made: Sequence[torch.Tensor]) -> torch.Tensor:
    """L1 distance of discriminators' features, summed over layers (HiFi-GAN, arXiv 2010.05646, equation 5)."""
    return torch.stack(
        [functional.l1_loss(m.float(), r.float().detach()) for r, m in zip(real, made, strict=True)]
    ).sum()
