"""Acoustic models: content, pitch and loudness in a voice become a mel spectrogram."""
