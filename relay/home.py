"""Where this installation keeps what it makes: environments, weights, voices, logs."""

import os
from pathlib import Path

import platformdirs

PACKAGE = Path(__file__).resolve().parents[1]
SHIPPED = PACKAGE / "training" / "weights"  # weights of our own, which need no download


def checkout() -> Path | None:
    """Return the source checkout this code runs from, or None when it was installed."""
    return PACKAGE if (PACKAGE / "pyproject.toml").is_file() else None


def home() -> Path:
    """Return ``VOXRELAY_HOME``, or ``.voxrelay`` in the checkout, or the user's data folder."""
    if named := os.environ.get("VOXRELAY_HOME"):
        return Path(named).expanduser().resolve()
    if source := checkout():
        return source / ".voxrelay"
    return Path(platformdirs.user_data_dir("voxrelay"))


def models() -> Path:
    """Return the folder of weight files: ``VOXRELAY_MODELS``, or ``models`` in the home."""
    named = os.environ.get("VOXRELAY_MODELS")
    return Path(named).expanduser().resolve() if named else home() / "models"


def voices() -> Path:
    """Return the folder of saved voices: ``VOXRELAY_VOICES``, or ``voices`` in the home."""
    named = os.environ.get("VOXRELAY_VOICES")
    return Path(named).expanduser().resolve() if named else home() / "voices"


def environments() -> Path:
    """Return the folder of the pools' virtual environments."""
    return home() / "envs"


def logs() -> Path:
    """Return the folder of the local pools' logs."""
    return home() / "logs"
