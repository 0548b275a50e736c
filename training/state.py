"""All that training changes, and its way into a checkpoint and back."""

from typing import Any, ClassVar

import torch
from torch import nn

from voxrelay.relay.errors import BadConfigError, VoxError
from voxrelay.training.config import plain
from voxrelay.training.phases import Course


class TrainingError(VoxError):
    """Training that went astray."""


class State:
    """Networks and optimisers, named in ``PARTS``, the number of steps done, and the average that is exported."""

    PARTS: ClassVar[tuple[str, ...]]
    average: nn.Module

    def __init__(self, config: Course, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        self.course, self.device, self.step = config, device, 0
        self._bf16 = native_bf16(device) if config.bf16 is None else config.bf16

    def autocast(self) -> Any:  # noqa: ANN401 - torch is not there to be checked
        """Networks compute in bfloat16 where the configuration, or else the processor, says so."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._bf16)

    def follow(self, average: nn.Module, network: nn.Module) -> None:
        """Move an average towards a network (Yazici et al. 2018, arXiv 1806.04498), faster in the first steps.

        What a network has measured, as batch norm has, is copied: it is an average already.
        """
        past = min(self.course.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, current in zip(average.parameters(), network.parameters(), strict=True):
                mean.lerp_(current, 1 - past)
            for kept, current in zip(average.buffers(), network.buffers(), strict=True):
                kept.copy_(current)

    def move(
        self, network: nn.Module, optimiser: torch.optim.Optimizer, loss: torch.Tensor, rate: float, clip: float
    ) -> torch.Tensor:
        """Step down a loss; gives the norm of the gradient, which is cut to ``clip``.

        Raises:
            TrainingError: the gradient is not finite; the weights are as they were.

        """
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(network.parameters(), clip)
        if not torch.isfinite(norm):
            hint = "resume with a smaller learning rate"
            raise TrainingError(f"a gradient of norm {norm.item()} at step {self.step}", hint=hint)
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()
        return norm

    def to_dict(self) -> dict[str, Any]:
        """Return tensors and plain values only."""
        parts = {name: getattr(self, name).state_dict() for name in self.PARTS}
        return {**parts, "step": self.step, "config": plain(self.course)}

    def from_dict(self, values: dict[str, Any]) -> None:
        """Take over what :meth:`to_dict` gave.

        Raises:
            BadConfigError: it belongs to networks of other shapes.

        """
        try:
            for name in self.PARTS:
                getattr(self, name).load_state_dict(values[name])
            self.step = int(values["step"])
        except (KeyError, RuntimeError, ValueError) as error:
            hint = "the sizes of networks must stay what they were"
            raise BadConfigError(f"a checkpoint of another configuration ({error})", hint=hint) from error


def native_bf16(device: torch.device) -> bool:
    """Whether a device multiplies numbers in bfloat16 itself; CPUs without AVX-512 BF16 or AMX convert each of them."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
