"""What correcting a generator's sound towards its mel brings, and noise phases, on speakers whom no training heard.

    .voxrelay/envs/training/bin/python -P benchmarks/corrections.py ../shared/speech/metadata.csv

Copy synthesis of five seconds of each speaker that is held back from training. The figures are those that training
itself may use: distances of the log-mel, of spectra, of what the content encoder hears, and Resemblyzer's cosine; and
how much the loudness of noise moves with the vocoder's frames, in two bands (:func:`buzz`).
"""

import sys
from collections import defaultdict
from pathlib import Path

import librosa
import numpy as np
import torch
from resemblyzer import VoiceEncoder
from scipy.signal import butter, hilbert, sosfiltfilt
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
BUZZ = ((2000, 4000), (4000, 7500))  # Hz
LINES, NEAR, FROM, TO = 6, 0.5, 2.0, 12.0  # multiples of the frame rate; Hz from each: the line, and its neighbours


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


def buzz(sounds: list[np.ndarray], low: float, high: float) -> float:
    """Return by how many dB the envelope of a band has more of the frame rate's multiples than of what lies beside."""
    frame_rate, found = MEL.rate / MEL.hop, np.zeros(2)
    for sound in sounds:
        envelope = np.abs(hilbert(sosfiltfilt(butter(6, [low, high], "band", fs=MEL.rate, output="sos"), sound)))
        span = round(0.02 * MEL.rate)
        loudness = np.convolve(np.square(envelope), np.full(span, 1 / span), "same")
        even = envelope / np.sqrt(loudness + 1e-9) * (loudness > np.percentile(loudness, 40))
        power = np.square(np.abs(np.fft.rfft((even - even.mean()) * np.hanning(len(even)), 1 << 18)))
        hertz = np.fft.rfftfreq(1 << 18, 1 / MEL.rate)
        for off in (np.abs(hertz - frame_rate * k) for k in range(1, LINES + 1)):
            found += power[off < NEAR].mean(), power[(off > FROM) & (off < TO)].mean()
    return float(10 * np.log10(found[0] / found[1]))


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    sounds = cache.prepare(Path(sys.argv[1]), rate=MEL.rate)
    held = held_back.speakers(sounds.clips, {"librispeech": 20, "speechocean": 8})
    by_length = sorted(sounds.clips, key=lambda clip: clip.length)
    longest = {clip.speaker: clip for clip in by_length if clip.speaker in held}
    served = STAGES["vocoder"]["hifigan-lite"].options
    rows = {
        f"{n} corrections{label}": hifigan.load(**{**served, "corrections": n, "noise_phases": drawn})
        for drawn, label in ((False, ""), (True, ", noise phases"))
        for n in ROUNDS
    }
    rows["griffin-lim"] = griffin_lim.load()
    judge, found = Judge(), defaultdict(lambda: defaultdict(list))
    said: dict[str, list[np.ndarray]] = defaultdict(list)
    with torch.inference_mode():
        for _, clip in sorted(longest.items()):
            sound = sounds.floats(clip)[: SECONDS * MEL.rate]
            true = level.common(sound[: len(sound) // MEL.hop * MEL.hop])
            mel = Mel(log_mel(Audio(true, MEL.rate)).data)
            said["recordings"].append(true)
            for row, model in rows.items():
                said[row].append(model.vocode([mel])[0].data)
                for name, value in judge.distances(said[row][-1], true).items():
                    found[row][name].append(value)
    for row, sounds_of in said.items():
        means = (f"{name} {np.mean(each):.4f}" for name, each in found[row].items())
        print(row, *means, *(f"buzz {low} {buzz(sounds_of, low, high):.1f} dB" for low, high in BUZZ), sep=" | ")


if __name__ == "__main__":
    main()
