"""Copy synthesis: the true mel of a recording, through a vocoder's queue."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from voxrelay.fleet import checks
from voxrelay.producer.output import write_tensor
from voxrelay.producer.producer import Producer, load_tensor
from voxrelay.relay.tensors import Mel

_AT_ONCE = 4


def analyse(producer: Producer, mels: Mapping[Path, Path]) -> None:
    """Write the true mel of recordings, for those that have none yet.

    Args:
        producer: whose configuration is used.
        mels: the file to write, by recording.

    """
    wanted = {str(sound): str(mel) for sound, mel in mels.items() if not mel.exists()}
    if wanted:
        given = json.dumps(wanted)
        checks.run(producer.config, "judges.mels", given=given, note=producer.note, environment="evaluation")


def vocode(producer: Producer, vocoder: str, outputs: Mapping[Path, Path], on_done: Callable[[], None]) -> None:
    """Make mels audible that are not yet.

    Args:
        producer: with the relay to use.
        vocoder: model.
        outputs: the file to write, by mel.
        on_done: called after each.

    """

    def one(mel: Path, output: Path) -> None:
        if not output.exists():
            output.parent.mkdir(parents=True, exist_ok=True)
            write_tensor(output, producer.vocode(load_tensor(mel, Mel), model=vocoder))
        on_done()

    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        list(pool.map(one, outputs, outputs.values()))
    finally:
        pool.shutdown(cancel_futures=True)
