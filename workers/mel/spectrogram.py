"""Log-mel spectrograms of recordings.

As published with HiFi-GAN (https://github.com/jik876/hifi-gan, ``meldataset.mel_spectrogram``),
so that every vocoder trained on that definition reads them.
"""

import librosa
import numpy as np
import soxr

from voxrelay.relay.tensors import MEL, Audio, Mel
from voxrelay.workers.runtime.filters import mel_filters

_MARGIN = (MEL.fft - MEL.hop) // 2


def log_mel(audio: Audio) -> Mel:
    """Compute the log-mel spectrogram of a recording.

    Args:
        audio: mono, float [samples], at any rate in Hz; one sample at least.

    Returns:
        float32 [frames, 80] as :data:`MEL`, frame ``m`` centred on sample ``256 * m + 128`` at
        22.05 kHz. A multiple of 320 samples at 16 kHz gives
        ``clock.mel_frames(clock.content_frames(samples))`` frames: where the sound does not fill
        the last one, it sees the end reflected.

    """
    sound = soxr.resample(audio.data.astype(np.float32), audio.rate, MEL.rate)
    missing = -len(sound) % MEL.hop
    sound = np.pad(sound, (_MARGIN, _MARGIN + missing), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(sound, MEL.window)[:: MEL.hop]
    # In float64: float32 transforms are off by more than the quietest bands are loud.
    spectrum = np.fft.rfft(frames * librosa.filters.get_window("hann", MEL.window), MEL.fft)
    magnitude = np.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-9)
    return Mel(np.log(np.maximum(magnitude @ mel_filters().T, 1e-5)).astype(np.float32))
