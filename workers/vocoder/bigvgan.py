"""BigVGAN, base and v2, with official weights: see :mod:`~voxrelay.workers.vocoder.antialiased`."""

from typing import Literal

from voxrelay.workers.runtime.placement import CPU, Placement
from voxrelay.workers.runtime.weights import find
from voxrelay.workers.vocoder.antialiased import Activation, BigVgan
from voxrelay.workers.vocoder.neural import Neural
from voxrelay.workers.vocoder.published import Published, configuration_of, fill


class PublishedBigVgan(Published):
    """What BigVGAN's configuration says besides; where the final keys are not there, both are true (version 1)."""

    activation: Literal["snake", "snakebeta"]
    snake_logscale: bool
    use_tanh_at_final: bool = True
    use_bias_at_final: bool = True

    def build(self) -> BigVgan:
        """Make the network, with weights to be filled."""
        kind = Activation(beta=self.activation == "snakebeta", logarithmic=self.snake_logscale)
        return BigVgan(self.variant, kind, tanh=self.use_tanh_at_final, bias=self.use_bias_at_final)


def load(weights: str, sha256: str = "", placement: Placement = CPU) -> Neural:
    """Load a generator; its configuration (``config.json``) lies beside it.

    Args:
        weights: the checkpoint, as :func:`~voxrelay.workers.vocoder.published.fill` takes it; absolute or in the
            model folder.
        sha256: what the checkpoint's hash must be; empty: any.
        placement: where it computes.

    Raises:
        UnavailableError: there is no such file, or no configuration beside it.
        BadConfigError: the files hold no such generator, or it takes other mels than ours.

    """
    path = find(weights)
    generator = configuration_of(path, PublishedBigVgan).build()
    fill(generator, path, sha256)
    return Neural("bigvgan", generator, placement)
