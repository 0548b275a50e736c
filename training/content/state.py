"""What training a content encoder changes."""

import copy
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from voxrelay.training.content.config import ContentConfig
from voxrelay.training.content.phones import PHONES
from voxrelay.training.state import State
from voxrelay.workers.content.bands import BANDS
from voxrelay.workers.content.encoder import Encoder, read
from voxrelay.workers.runtime.convnext import Block

_SPEAKER, _DECODER, _ADVERSARY = 64, 192, 128  # channels


class Heads(nn.Module):
    """What is asked of content while it is learnt, and thrown away after.

    Args:
        features: of content.
        speakers: how many there are.

    """

    def __init__(self, features: int, speakers: int) -> None:
        super().__init__()
        self.phones = nn.Linear(features, len(PHONES))
        self.register_buffer("prior", torch.full((len(PHONES),), 1 / len(PHONES)))
        self.names = nn.Embedding(speakers, _SPEAKER)
        self.enter = nn.Linear(features + _SPEAKER, _DECODER)
        self.blocks = nn.ModuleList(Block(_DECODER, 7, 2) for _ in range(2))
        self.leave = nn.Linear(_DECODER, 2 * BANDS)
        self.listen = nn.Linear(features, _ADVERSARY)
        self.guess = nn.Linear(_ADVERSARY, speakers)

    def rebuild(self, content: torch.Tensor, speakers: torch.Tensor) -> torch.Tensor:
        """Rebuild the normalised bands of the envelope, [batch, frames, features] to [batch, 2 * frames, 80]."""
        named = self.names(speakers)[:, None].expand(-1, content.shape[1], -1)
        x = self.enter(torch.cat([content, named], dim=-1)).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.leave(x.transpose(1, 2)).unflatten(2, (2, BANDS)).flatten(1, 2)

    def name(self, content: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Guess who speaks from a whole recording: [batch, speakers] of logits."""
        heard = functional.relu(self.listen(content)) * mask[..., None]
        return self.guess(heard.sum(dim=1) / mask.sum(dim=1, keepdim=True))


class ContentState(State):
    """Encoder, its moving average, the heads and their common optimiser."""

    PARTS: ClassVar[tuple[str, ...]] = ("encoder", "average", "heads", "heads_average", "optimiser")

    def __init__(self, config: ContentConfig, speakers: int, device: torch.device) -> None:
        super().__init__(config, device)
        self.config = config
        self.encoder = Encoder(config.shape).to(device)
        self.heads = Heads(config.shape.features, speakers).to(device)
        self.average = copy.deepcopy(self.encoder).requires_grad_(False)  # noqa: FBT003 - torch's signature
        self.heads_average = copy.deepcopy(self.heads).requires_grad_(False)  # noqa: FBT003 - torch's signature
        self.trained = nn.ModuleList([self.encoder, self.heads])
        self.optimiser = torch.optim.AdamW(self.trained.parameters(), betas=config.betas, weight_decay=config.decay)

    def start_from(self, path: Path) -> None:
        """Take over the encoder of exported weights.

        Raises:
            BadConfigError: the file holds none, or one of another shape.

        """
        weights = read(path, self.config.shape).state_dict()
        self.encoder.load_state_dict(weights)
        self.average.load_state_dict(weights)

    def normalise(self, bands: torch.Tensor) -> None:
        """Take the constants of normalisation from log bands, [frames, 80]."""
        for encoder in (self.encoder, self.average):
            encoder.mean.copy_(bands.mean(dim=0))
            encoder.spread.copy_(bands.std(dim=0))

    def follow_all(self) -> None:
        """Move the averages."""
        self.follow(self.average, self.encoder)
        self.follow(self.heads_average, self.heads)
        self.heads_average.prior.copy_(self.heads.prior)
