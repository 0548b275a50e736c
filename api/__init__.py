"""voxrelay: voice conversion as a relay of four Celery worker pools.

The public surface is what ``__all__`` names; everything else may change between releases.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxrelay.producer.producer import Conversion, Producer, Result
    from voxrelay.relay.errors import VoxError

__all__ = ["Conversion", "Producer", "Result", "VoxError", "__version__"]
__version__ = "0.1.0"

_HOME = {
    "Conversion": "voxrelay.producer.producer",
    "Producer": "voxrelay.producer.producer",
    "Result": "voxrelay.producer.producer",
    "VoxError": "voxrelay.relay.errors",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute has any type
    """Import on first use: ``vox --help`` and the workers must not pay for the producer."""
    if name not in _HOME:
        msg = f"module 'voxrelay' has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
