"""Where acoustic models have the content from that they are trained on: contentvec-lite here, any other elsewhere."""

import hashlib
import json
import subprocess
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from voxrelay.relay import clock
from voxrelay.relay import config as configuration
from voxrelay.relay.errors import StageError, UnavailableError
from voxrelay.relay.tensors import Audio, Content
from voxrelay.training.features import Rows
from voxrelay.training.spectra import mel_filters
from voxrelay.workers.content import bands, encoder, layout, listen
from voxrelay.workers.runtime.weights import find


class Listener(Protocol):
    """What encodes recordings.

    ``key`` names what it gives: it changes with the model, its options and its weights. ``name`` is that of the
    content, as the mel stage meets it.
    """

    @property
    def key(self) -> str:
        """Name what it gives in one word."""
        ...

    @property
    def name(self) -> str:
        """Name the content model."""
        ...

    @property
    def weights(self) -> str:
        """Return the sha256 of its weights, in hexadecimal; empty: it has none."""
        ...

    @property
    def options(self) -> str:
        """Return the options of ``vox train`` that name it."""
        ...

    def encode(self, recording: Audio) -> Rows:
        """Encode whole content frames of mono sound, float32 [N] at 16 kHz, into [N/320, features]."""
        ...


class Lite:
    """Implements :class:`Listener` by exported weights of contentvec-lite, in this process.

    Raises:
        UnavailableError: there is no such file.

    """

    name = encoder.NAME
    options = "--encoder ENCODER.safetensors"

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise UnavailableError("no content encoder", where=str(path), hint="vox train content makes one")
        self.path = path
        self.weights = hashlib.sha256(path.read_bytes()).hexdigest()
        self.key = self.weights[:12]

    @cached_property
    def _encoder(self) -> encoder.Encoder:
        found: encoder.Encoder = encoder.read(self.path).eval()
        return found

    @cached_property
    def _filters(self) -> torch.Tensor:
        return torch.from_numpy(mel_filters(bands.SPEC))

    @torch.inference_mode()
    def encode(self, recording: Audio) -> Rows:
        """Encode a recording as a whole."""
        found: Rows = self._encoder(bands.log_bands(torch.from_numpy(recording.data)[None], self._filters))[0].numpy()
        return found


class Served:
    """Implements :class:`Listener` by a content model of ``queues.yml``, in a process in its own environment.

    The process starts with the first recording, and ends with this one.

    Args:
        model: its name.
        python: the interpreter of its environment.

    Raises:
        BadConfigError: there is no such model.
        UnavailableError: its weights are missing.

    """

    def __init__(self, model: str, python: Path) -> None:
        line = configuration.load().model("content", model)
        named = line.options.get("weights")
        self.weights = _digest(find(str(named), holding=layout.CONFIG)) if named else ""
        program = _digest(configuration.config_file().parent / line.file) if line.file else line.kind or model
        facts = [program, line.options, self.weights]
        self.key = f"{model}-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]}"
        self.options = f"--content {model}"
        self._model, self._python = model, python

    @cached_property
    def name(self) -> str:
        """What the model calls its content."""
        return self._ask(Audio(np.zeros(clock.RATE, np.float32), clock.RATE)).model

    def encode(self, recording: Audio) -> Rows:
        """Encode a recording in windows, as the pools do."""
        return self._ask(recording).data

    @cached_property
    def _process(self) -> "subprocess.Popen[bytes]":
        command = [str(self._python), "-P", "-m", listen.__name__, self._model]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own

    def _ask(self, recording: Audio) -> Content:
        """Send one recording, wait for its content.

        Raises:
            StageError: the process has ended; it has said why.

        """
        process = self._process
        assert process.stdin  # noqa: S101 - both are pipes
        assert process.stdout  # noqa: S101
        try:
            listen.write(process.stdin, recording.to_bytes())
            answer = listen.read(process.stdout)
        except BrokenPipeError:
            answer = b""
        if not answer:
            what = f"content model {self._model} ended with code {process.wait()}"
            raise StageError(what, hint="its last line says why")
        return Content.from_bytes(answer)


def lite() -> Path:
    """Return the weights of contentvec-lite that ``queues.yml`` names.

    Raises:
        UnavailableError: there is no such file.

    """
    return find(str(configuration.load().model("content", encoder.NAME).options["weights"]))


def _digest(weights: Path) -> str:
    """Hash a file, or the files of a folder."""
    if weights.is_dir():
        return hashlib.sha256("".join(map(_digest, sorted(weights.glob("*")))).encode()).hexdigest()
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
