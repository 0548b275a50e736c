"""Pictures of Flower and of ``vox top`` on a relay that works, for docs/operations.md.

PYTHONPATH=tests .venv/bin/python tests/screenshots.py docs/pictures

Needs chromium. The vocoder waits for a device of its own, so that queues are to be seen.
"""

import math
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

from conftest import VOX, vox
from flowers import Flower
from limits import toy
from limits.bench import CLIPS, Bench, relay, speech, write

RECORDINGS = 120
WIDE, HIGH = 96, 13  # of the terminal


def main(folder: Path) -> None:
    """Convert a folder, with two vocoders, and take the pictures meanwhile."""
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pictures-") as name:
        work = Path(name)
        with relay(work, {"stages": toy.stages(work, 0.5)}, vocoder=toy.NAME) as bench, Flower(bench.env) as flower:
            (work / "sources").mkdir()
            for number in range(RECORDINGS):
                write(work / "sources" / f"{number:02}.wav", speech(4.0, number))
            voice = write(work / "voice.wav", speech(6.0, 0, CLIPS[1:]))
            batch = bench.start("batch", work / "sources", "--voice", voice, "-o", work / "out", "--json", stdout=-3)
            vox("scale", "vocoder=2", env=bench.env)
            while len(list((work / "out").glob("*.wav"))) < RECORDINGS / 3:
                time.sleep(0.1)
            picture_top(bench, work, folder / "top.png")
            for page in ("workers", "tasks"):
                photograph(flower.url.replace("//", f"//{flower.user}@") + f"/{page}", folder / f"flower-{page}.png")
            batch.communicate()


def picture_top(bench: Bench, work: Path, out: Path) -> None:
    """Run ``vox top`` in a terminal for a few seconds, and photograph what that showed last."""
    near, far = pty.openpty()
    env = {**os.environ, **bench.env, "COLUMNS": str(WIDE), "LINES": str(HIGH), "TERM": "xterm-256color"}
    top = subprocess.Popen([VOX, "top"], stdin=far, stdout=far, stderr=far, env=env, start_new_session=True)
    os.close(far)
    said, end = b"", time.monotonic() + 6
    while time.monotonic() < end:
        said += os.read(near, 65536)
    top.terminate()
    top.wait()
    frame = said.split(b"\x1b[H")[-2].replace(b"\r\n", b"\n").decode()  # the last may be cut
    console = Console(record=True, width=WIDE, file=(work / "frame").open("w"), force_terminal=True)
    console.print(Text.from_ansi(frame.rstrip()))
    svg = console.export_svg(title="vox top")
    (work / "top.svg").write_text(svg)
    wide, high = (math.ceil(float(side)) for side in svg.split('viewBox="0 0 ')[1].split('"')[0].split())
    photograph(f"file://{work}/top.svg", out, size=f"{wide},{high}")


def photograph(url: str, out: Path, size: str = "1640,720") -> None:
    """Have a browser without a window show a page for some seconds, and write what it shows."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or "chromium"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=8000"]
    command = [program, *flags, f"--window-size={size}", f"--screenshot={out}", url]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
