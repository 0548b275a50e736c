"""Where and in which precision a pool computes: the one way of every torch model to its device."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from voxrelay.relay.config import Pool
from voxrelay.relay.errors import BadConfigError, UnavailableError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Placement:
    """Device, precision and compilation, as a pool's line in ``queues.yml`` says.

    In a lower precision than float32 the weights stay in float32, and torch chooses what is computed in the lower
    one (https://docs.pytorch.org/docs/stable/amp.html): convolutions and products.
    """

    device: str = "cpu"
    precision: str = "float32"
    compile: bool = False

    @classmethod
    def of(cls, pool: Pool) -> Self:
        """Return the placement of a pool."""
        return cls(pool.device, pool.precision, pool.compile)

    def place(self, network: "torch.nn.Module", run: Callable[..., Any] | None = None) -> "Placed":
        """Move a network to the device, ready for inference.

        Args:
            network: the network.
            run: what is called of it, from tensors to one; None: its ``forward``.

        Raises:
            UnavailableError: this machine has no such device.

        """
        import torch

        device = self._device()
        network.eval().to(device)
        run = run or network.forward
        dtype: torch.dtype = getattr(torch, self.precision)
        return Placed(torch.compile(run) if self.compile else run, device, dtype)

    def _device(self) -> "torch.device":
        import torch

        there = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        wanted = there[:2][-1] if self.device == "auto" else self.device
        if wanted not in there:
            raise UnavailableError(f"no device {wanted!r} on this machine", hint=f"there is {', '.join(there)}")
        return torch.device(wanted)


_NO_KERNEL = "could not create a primitive"  # what oneDNN says

CPU = Placement()  # what a pool does unless told otherwise


class Placed:
    """A network where its pool computes: tensors on the CPU go in, float32 on the CPU comes out."""

    def __init__(self, run: Callable[..., Any], device: "torch.device", dtype: "torch.dtype") -> None:
        self._run, self._device, self._dtype = run, device, dtype

    def __call__(self, *inputs: "torch.Tensor") -> "torch.Tensor":
        """Compute without gradients.

        Raises:
            BadConfigError: this machine cannot compile it, or compute it in that precision.

        """
        import torch

        lower = self._dtype != torch.float32
        with torch.inference_mode(), torch.autocast(self._device.type, self._dtype, enabled=lower):
            try:
                output = self._run(*map(self._moved, inputs))
            except Exception as error:
                if lower and _NO_KERNEL in str(error):  # an LSTM in bfloat16 without AVX-512, for one
                    what = f"this processor does not compute it in {str(self._dtype).removeprefix('torch.')}"
                    raise BadConfigError(what, hint="precision: float32") from error
                if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
                    raise
                reason = str(error).strip().partition("\n")[0]
                hint = "compile: false, or a C++ compiler on this machine"
                raise BadConfigError(f"torch.compile failed: {reason}", hint=hint) from error
        found: torch.Tensor = output.float().cpu()
        return found

    def _moved(self, tensor: "torch.Tensor") -> "torch.Tensor":
        """Copy to the device; to a GPU through pinned memory, so that the copies of all inputs go on by themselves."""
        if self._device.type == "cuda":
            return tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor.to(self._device)
