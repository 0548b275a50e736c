"""What ``--voice`` names: saved voices, files, folders or globs, each with a weight if they are blended unequally."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from voxrelay.producer import saved
from voxrelay.producer.recording import Recording
from voxrelay.producer.voice import Clip, TargetVoice, cut_recordings, find_recordings, notes_on, survey_all
from voxrelay.relay.config import Config
from voxrelay.relay.errors import BadInputError

_WEIGHED = re.compile(r"^(?P<name>.+):(?P<weight>[^:/]*)$")


@dataclass(frozen=True)
class Asked:
    """One voice that was asked for; ``share`` of all that are blended, which add up to 1."""

    name: str
    share: float


def read_voices(names: Sequence[str], config: Config) -> TargetVoice:
    """Read voices, each a saved one, a file, a folder or a glob; several are blended.

    However long a voice is, no more than ``limits.reference`` seconds of it are held.

    Raises:
        BadInputError: a name matches nothing or two things, a weight is none, or a voice is unreadable, too
            short or silent.

    """
    clips: list[Clip] = []
    notes: list[str] = []
    for asked in shares(names):
        more, said = _read(asked, config)
        clips += more
        notes += said
    return TargetVoice(tuple(clips), tuple(notes))


def part_of_the_way(source: Recording, target: TargetVoice, similarity: float, config: Config) -> TargetVoice:
    """Blend the source's own voice into the target's: a ``similarity`` of 1 is the target's alone.

    Raises:
        BadInputError: a similarity that is not above 0 and at most 1, or a silent source.

    """
    if not 0 < similarity <= 1:
        raise BadInputError(f"similarity {similarity:g}", hint="above 0, and at most 1: the target's voice alone")
    if similarity == 1:
        return target
    own = cut_recordings(str(source.path), [source], config, 1 - similarity)
    return TargetVoice((*(clip.weighed(similarity) for clip in target.clips), *own), target.notes)


def shares(names: Sequence[str]) -> list[Asked]:
    """Read weights: ``anna:0.6 ben:0.4``, or none for equal parts.

    Raises:
        BadInputError: a weight is not a positive number, or only some of the voices have one.

    """
    split = [split_weight(name) for name in names]
    weights = [weight for _, weight in split if weight is not None]
    if weights and len(weights) < len(split):
        bare = ", ".join(name for name, weight in split if weight is None)
        raise BadInputError("no weight, though other voices have one", where=bare, hint=f"like {bare}:0.5, or none")
    total = sum(weights) or len(split)
    return [Asked(name, (1.0 if weight is None else weight) / total) for name, weight in split]


def split_weight(name: str) -> tuple[str, float | None]:
    """Cut the weight off a voice's name; a file whose name looks like it has one is a file.

    Raises:
        BadInputError: what follows the colon is not a positive number.

    """
    found = _WEIGHED.match(name)
    if not found or Path(name).expanduser().exists():
        return name, None
    try:
        weight = float(found["weight"])
    except ValueError:
        weight = math.nan
    if not 0 < weight < math.inf:
        raise BadInputError(f"{found['weight']!r} is not a weight", where=name, hint="a number above 0, like anna:0.6")
    return found["name"], weight


def stamp(names: Sequence[str]) -> list[str]:
    """Return what changes when a file of these voices does: paths, sizes, times.

    Raises:
        BadInputError: as :func:`read_voices`, but for what is in the files.

    """
    found = [(asked.name, _saved_as(asked.name)) for asked in shares(names)]
    paths = [path for name, saved_as in found for path in ([saved_as] if saved_as else find_recordings(name, _known()))]
    return [*names, *map(stamp_file, paths)]


def stamp_file(path: Path) -> str:
    """Return what changes when a file does.

    Raises:
        BadInputError: there is none.

    """
    try:
        facts = path.stat()
    except OSError as error:
        raise BadInputError("there is no such file", where=str(path), hint="check the path") from error
    return f"{path.resolve()} {facts.st_size} {facts.st_mtime_ns}"


def _read(asked: Asked, config: Config) -> tuple[list[Clip], list[str]]:
    """Cut one voice into clips, and say what is unusual about it."""
    path = _saved_as(asked.name)
    if path:
        return saved.read(path).clips(config, asked.share), []
    recordings = survey_all(find_recordings(asked.name, _known()), config)
    return cut_recordings(asked.name, recordings, config, asked.share), notes_on(asked.name, recordings, config)


def _saved_as(name: str) -> Path | None:
    """Return the file of a saved voice, if that is what is named: in the folder of voices, or an exported one."""
    path = Path(name).expanduser()
    if path.suffix == saved.SUFFIX and path.is_file():
        return path
    if name not in saved.names():
        return None
    if path.exists():
        raise BadInputError("is a saved voice, and there is a file or folder of that name here", where=name,
                            hint=f"./{name} means the file; vox voice remove {name} removes the voice")  # fmt: skip
    return saved.path(name)


def _known() -> str:
    """Say what a voice may be, and which are saved."""
    names = ", ".join(saved.names()) or "none yet, vox voice add saves one"
    return f"a voice is a file, a folder, a quoted glob or a saved voice; saved: {names}"
