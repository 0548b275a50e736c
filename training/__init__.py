"""The training room: recipes that make this project's own weights.

One folder a model (``vocoder``), beside what every recipe shares: which recordings there are and
which are for training (:mod:`~voxrelay.training.corpus`), which speakers are held back for selection
(:mod:`~voxrelay.training.held_back`), their sound decoded once (:mod:`~voxrelay.training.cache`),
crops drawn from it (:mod:`~voxrelay.training.crops`), spectra, losses, checkpoints and curves.

Training on another machine needs this package (``api/__init__.py`` and the rooms ``relay``,
``workers`` and ``training`` linked as ``voxrelay``), the cache folder (``sound.i16`` and
``index.json``) in place of the recordings, the generator to start from or ``last.pt`` of a run to
go on with, and torch, numpy, pydantic, PyYAML and platformdirs; neither soundfile, soxr nor librosa.
``LOG.md`` says what each run was expected to do and what it did.
"""
