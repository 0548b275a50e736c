"""Log-mel spectrograms of recordings.

As published with HiFi-GAN (https://github.com/jik876/hifi-gan, ``meldataset.mel_spectrogram``),
so that every vocoder trained on that definition reads them.
"""

from functools import lru_cache

import librosa
import numpy as np
import soxr
from numpy.typing import NDArray

from voxrelay.relay.tensors import MEL, Audio, Mel

_MARGIN = (MEL.fft - MEL.hop) // 2


def log_mel(audio: Audio) -> Mel:
    """Compute the log-mel spectrogram of a recording.

    Args:
        audio: mono, float [samples], at any rate in Hz; at least one hop of the mel.

    Returns:
        float32 [frames, 80] as :data:`MEL`, frame ``m`` centred on sample ``256 * m + 128`` at
        22.05 kHz. A length at 16 kHz that is a multiple of 320 samples gives
        ``clock.mel_frames(clock.content_frames(samples))`` frames: the last one, where the sound
        does not fill it, sees the reflected end.

    """
    sound = soxr.resample(audio.data.astype(np.float32), audio.rate, MEL.rate)
    # soxr rounds lengths its own way; the frame count must follow from the recording's length.
    samples = round(len(audio.data) * MEL.rate / audio.rate)
    frames = -(-samples // MEL.hop)
    sound = np.pad(sound[:samples], (_MARGIN, _MARGIN + frames * MEL.hop - min(samples, len(sound))), mode="reflect")
    windowed = librosa.util.frame(sound.astype(np.float64), frame_length=MEL.fft, hop_length=MEL.hop, axis=0)
    spectrum = np.fft.rfft(windowed * librosa.filters.get_window("hann", MEL.window))
    magnitude = np.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-9)
    return Mel(np.log(np.maximum(magnitude @ _filters().T, 1e-5)).astype(np.float32))


@lru_cache(maxsize=1)
def _filters() -> NDArray[np.float32]:
    """Slaney's mel filters, [bands, bins]."""
    filters: NDArray[np.float32] = librosa.filters.mel(
        sr=MEL.rate, n_fft=MEL.fft, n_mels=MEL.bands, fmin=MEL.low, fmax=MEL.high
    )
    return filters
