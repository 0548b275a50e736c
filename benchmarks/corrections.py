"""What correcting a generator's sound towards its mel brings, on speakers whom no training heard.

    .voxrelay/envs/training/bin/python -P benchmarks/corrections.py ../shared/speech/metadata.csv

Copy synthesis of five seconds of each speaker that is held back from training. The figures are those that training
itself may use: distances of the log-mel, of spectra, of what the content encoder hears, and Resemblyzer's cosine.
"""

import sys
from collections import defaultdict
from pathlib import Path

import librosa
import numpy as np
import torch
from resemblyzer import VoiceEncoder
from torch.nn import functional

from voxrelay.relay import config as configuration
from voxrelay.relay.tensors import MEL, Audio, Mel
from voxrelay.training import cache, held_back, level
from voxrelay.training.losses import MultiResolution
from voxrelay.training.spectra import LogMel, mel_filters
from voxrelay.workers.content import bands, encoder
from voxrelay.workers.mel.spectrogram import log_mel
from voxrelay.workers.runtime.weights import find
from voxrelay.workers.vocoder import griffin_lim, hifigan

STAGES = configuration.load().stages
SECONDS = 5
ROUNDS = (0, 1, 2, 4)


class Judge:
    """Compares sounds at 22.05 kHz."""

    def __init__(self) -> None:
        self._voice = VoiceEncoder("cpu", verbose=False)
        self._encoder = encoder.read(find(str(STAGES["content"]["contentvec-lite"].options["weights"]))).eval()
        self._filters = torch.from_numpy(mel_filters(bands.SPEC))
        self._mel, self._stft = LogMel(), MultiResolution()

    def distances(self, made: np.ndarray, true: np.ndarray) -> dict[str, float]:
        """Return how far apart two sounds of equal length are."""
        ours, theirs = torch.from_numpy(made)[None], torch.from_numpy(true)[None]
        (content, voice), (wanted, own) = self._heard(made), self._heard(true)
        return {
            "mel L1": float(functional.l1_loss(self._mel(ours), self._mel(theirs))),
            "STFT": float(self._stft(ours, theirs)),
            "content": float(1 - functional.cosine_similarity(content, wanted, dim=-1).mean()),
            "voice": float(voice @ own),
        }

    def _heard(self, sound: np.ndarray) -> tuple[torch.Tensor, np.ndarray]:
        narrow = librosa.resample(sound, orig_sr=MEL.rate, target_sr=16_000)
        whole = level.common(narrow[: len(narrow) // 320 * 320])
        content = self._encoder(bands.log_bands(torch.from_numpy(whole)[None], self._filters))[0]
        return content, self._voice.embed_utterance(whole)


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    sounds = cache.prepare(Path(sys.argv[1]), rate=MEL.rate)
    held = held_back.speakers(sounds.clips, {"librispeech": 20, "speechocean": 8})
    by_length = sorted(sounds.clips, key=lambda clip: clip.length)
    longest = {clip.speaker: clip for clip in by_length if clip.speaker in held}
    served = STAGES["vocoder"]["hifigan-lite"].options
    rows = {f"{n} corrections": hifigan.load(**{**served, "corrections": n}) for n in ROUNDS}
    rows["griffin-lim"] = griffin_lim.load()
    judge, found = Judge(), defaultdict(lambda: defaultdict(list))
    with torch.inference_mode():
        for _, clip in sorted(longest.items()):
            sound = sounds.floats(clip)[: SECONDS * MEL.rate]
            true = level.common(sound[: len(sound) // MEL.hop * MEL.hop])
            mel = Mel(log_mel(Audio(true, MEL.rate)).data)
            for row, model in rows.items():
                for name, value in judge.distances(model.vocode([mel])[0].data, true).items():
                    found[row][name].append(value)
    for row, values in found.items():
        print(row, *(f"{name} {np.mean(each):.4f}" for name, each in values.items()), sep=" | ")


if __name__ == "__main__":
    main()
