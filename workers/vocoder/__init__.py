"""Sound: a mel spectrogram becomes a waveform at 22.05 kHz."""
