"""What listeners hear through another microphone is the same for all who are compared."""

import torch

from voxrelay.relay.tensors import MEL
from voxrelay.training.mel.microphones import Microphone

BATCH, FRAMES = 6, 40


def test_what_is_the_same_arrives_the_same() -> None:
    mel = torch.randn(BATCH, FRAMES, MEL.bands)
    carry = Microphone(3, BATCH, FRAMES)
    once, twice = carry(mel), carry(torch.cat([mel, mel]))
    assert once.shape == (BATCH, FRAMES - 8, MEL.bands)
    assert torch.equal(twice, torch.cat([once, once]))
    assert torch.equal(Microphone(3, BATCH, FRAMES)(mel), once)


def test_every_step_has_its_own() -> None:
    mel = torch.randn(BATCH, FRAMES, MEL.bands)
    assert (Microphone(3, BATCH, FRAMES)(mel) - Microphone(4, BATCH, FRAMES)(mel)).abs().mean() > 0.1
    moments = {int(Microphone(step, BATCH, FRAMES)(_ramp())[0, 0, 40].round()) for step in range(60)}
    assert len(moments) > 5


def test_a_gradient_finds_its_way_back() -> None:
    mel = torch.randn(BATCH, FRAMES, MEL.bands, requires_grad=True)
    Microphone(3, BATCH, FRAMES)(mel).sum().backward()
    assert mel.grad is not None
    assert torch.isfinite(mel.grad).all()
    assert (mel.grad > 0).any(dim=-1).float().mean() > 0.5


def _ramp() -> torch.Tensor:
    """Frames that say which they are, so loudly that no noise is heard."""
    return 10 * torch.arange(FRAMES).float()[None, :, None].expand(BATCH, FRAMES, MEL.bands)
