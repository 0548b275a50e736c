"""Make the two bundled clips with espeak-ng, a free speech synthesiser: no person's voice is in them.

python examples/make.py
"""

import subprocess
import tempfile
from pathlib import Path

import soundfile
import soxr

RATE = 16_000
CLIPS = {
    "male": (
        "en-us+m3",
        (
            "The north wind and the sun were disputing which was the stronger, when a traveler came along"
            " wrapped in a warm cloak. They agreed that the one who first made him take it off was the better."
        ),
    ),
    "female": (
        "en-us+f2",
        (
            "Then the north wind blew as hard as he could, but the more he blew, the more closely did the"
            " traveler fold his cloak around him. At last the sun shone out warmly, and off it came at once."
        ),
    ),
}


def main() -> None:
    """Write male.ogg and female.ogg beside this file."""
    for name, (voice, text) in CLIPS.items():
        with tempfile.NamedTemporaryFile(suffix=".wav") as spoken:
            subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-w", spoken.name, text], check=True)
            sound, rate = soundfile.read(spoken.name, dtype="float32")
        soundfile.write(Path(__file__).with_name(f"{name}.ogg"), 0.7 * soxr.resample(sound, rate, RATE), RATE)


if __name__ == "__main__":
    main()
