"""Write the true mels of recordings: ``python -m voxrelay.checks.judges.mels < {"SOUND": "MEL", ...}``."""

import json
import sys
from pathlib import Path

import soundfile

from voxrelay.relay.tensors import Audio
from voxrelay.workers.mel.spectrogram import log_mel

if __name__ == "__main__":
    for sound, mel in json.load(sys.stdin).items():
        samples, rate = soundfile.read(sound, dtype="float32")
        Path(mel).parent.mkdir(parents=True, exist_ok=True)
        Path(mel).write_bytes(log_mel(Audio(samples, rate)).to_bytes())
