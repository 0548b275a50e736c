"""Who speaks, taken out of content once it is learnt: the directions in which speakers differ most are removed.

A reversed classifier leaves what a linear one still finds. What every speaker adds to what all say
together, phone by phone, spans few directions; without them content says as much and tells less of who
says it (concept erasure: Ravfogel et al. 2020, arXiv 2004.07667; here by one singular value
decomposition, as Shao et al. 2023, arXiv 2203.07893).
"""

import copy
from collections import defaultdict
from collections.abc import Collection, Sequence

import torch
from torch.nn import functional

from voxrelay.relay import clock
from voxrelay.training.cache import Cache, Clip
from voxrelay.training.content.state import Heads
from voxrelay.training.content.views import Views
from voxrelay.workers.content.encoder import Encoder

_READ = 3  # recordings of a speaker
_FRAMES = 2000  # a speaker with more counts no more


@torch.no_grad()
def hide(encoder: Encoder, heads: Heads, spoken: Sequence[torch.Tensor], directions: int) -> tuple[Encoder, Heads]:
    """Return an encoder without the directions in which speakers differ most, and heads that read its phones.

    Args:
        encoder: what was learnt.
        heads: its phones.
        spoken: log bands of each speaker, [2 * frames, 80].
        directions: how many to remove; fewer than there are speakers and features.

    """
    content = [encoder(bands[None])[0].double() for bands in spoken]
    phones = [heads.phones(rows.float()).softmax(dim=-1).double() for rows in content]
    count = torch.stack([rows.sum(dim=0) for rows in phones]).sum(dim=0)
    usual = torch.stack([p.T @ rows for p, rows in zip(phones, content, strict=True)]).sum(dim=0) / count[:, None]
    own = [(rows - p @ usual).mean(dim=0) for p, rows in zip(phones, content, strict=True)]
    weight = [min(len(rows), _FRAMES) ** 0.5 for rows in content]
    differ = torch.stack(own) * torch.tensor(weight, device=count.device)[:, None]
    _, _, found = torch.linalg.svd(differ, full_matrices=False)
    made = _without(encoder, found[:directions])
    return made, _read_again(heads, torch.cat(content), torch.cat([made(bands[None])[0] for bands in spoken]))


def _without(encoder: Encoder, directions: torch.Tensor) -> Encoder:
    """Remove directions, [n, features], from what comes out, before it is brought to mean 0 and variance 1."""
    made = copy.deepcopy(encoder)
    features = directions.shape[1]
    eye = torch.eye(features, dtype=directions.dtype, device=directions.device)
    centred = eye - 1 / features
    removal = (eye - directions.T @ directions) @ centred
    made.neck.weight.copy_(removal @ encoder.neck.weight.double())
    made.neck.bias.copy_(removal @ encoder.neck.bias.double())
    return made


def _read_again(heads: Heads, before: torch.Tensor, after: torch.Tensor) -> Heads:
    """Fit what reads phones to content that has changed, so that it says what it said before (least squares)."""
    made = copy.deepcopy(heads)
    wide = functional.pad(after.double(), (0, 1), value=1.0)
    fitted = torch.linalg.lstsq(wide, heads.phones(before.float()).double(), driver="gelsd", rcond=1e-3).solution
    made.phones.weight.copy_(fitted[:-1].T)
    made.phones.bias.copy_(fitted[-1])
    return made


def spoken(cache: Cache, without: Collection[str], views: Views) -> list[torch.Tensor]:
    """Return the log bands of the longest recordings of every speaker but some, joined."""
    by_speaker: dict[str, list[Clip]] = defaultdict(list)
    for clip in sorted(cache.clips, key=lambda clip: -clip.length):
        if clip.speaker not in without and len(by_speaker[clip.speaker]) < _READ:
            by_speaker[clip.speaker].append(clip)
    return [torch.cat([_bands(cache, clip, views) for clip in clips]) for _, clips in sorted(by_speaker.items())]


def _bands(cache: Cache, clip: Clip, views: Views) -> torch.Tensor:
    sound = torch.from_numpy(cache.floats(clip))
    return views.plain(sound[: clock.content_frames(len(sound)) * clock.CONTENT_HOP])
