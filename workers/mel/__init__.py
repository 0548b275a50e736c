"""How it sounds: content and a target voice become a mel spectrogram."""
