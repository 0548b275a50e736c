"""The training room: recipes that make this project's own weights.

One folder a stage (``content``, ``mel``, ``vocoder``), each with a ``recipe``, beside what every recipe
shares: which recordings there are and which are for training (:mod:`~voxrelay.training.corpus`), which
speakers are held back for selection (:mod:`~voxrelay.training.held_back`), their sound decoded once
(:mod:`~voxrelay.training.cache`) and what is derived from it once (:mod:`~voxrelay.training.features`), the
run itself (:mod:`~voxrelay.training.run`: steps, checkpoints, curves), export and model card.

``vox train`` runs it. Training on another machine needs this package (``api/__init__.py`` and the rooms
``relay``, ``workers`` and ``training`` linked as ``voxrelay``), the cache folder in place of the recordings,
with what lies in it already, the weights to start from or ``last.pt`` of a run to go on with, and torch,
safetensors, numpy, numba, pydantic, PyYAML and platformdirs; neither a decoder nor a dictionary.
``LOG.md`` says what each run was expected to do and what it did.
"""
