"""README and docs: their commands and examples run, or are parsed where they cannot; their links lead somewhere."""

import csv
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import soundfile
import yaml

import documents
from conftest import ROOT, VOX, own_home, vox
from documents import PAGES, Command
from servers import Server
from voxrelay.relay import keys

# What no test of this file runs, by what it begins with or names, and why. All of it is parsed.
PARSED = {
    r"^make (demo|test)": "test_fresh_clone.py runs the one, the other runs this",
    r"^vox model (pull|path|convert)": "published weights: test_models.py and test_parity.py make their own",
    r"\.\./shared": "recordings that a clone does not have",
    r"^vox (check|evaluate|train)": "corpora, minutes: test_check.py, test_evaluation.py, test_train.py",
    r"--mel mine": "weights that an hour of training makes",
    r"^git |^cd /opt": "two checkouts: test_upgrades.py has two versions join and leave",
    r"^docker |^for who|^\. \./\.env|PASSWORD@localhost|^redis-server": "containers: test_compose.py",
    r"vox flower": "an environment of its own: test_flower.py",
    r"--(install|show)-completion": "finds out which shell it runs in: test_help.py",
    r"^sed |^jq ": "not ours",
}
STRANGERS = {
    ".",
    "aplay",
    "cd",
    "do",
    "docker",
    "done",
    "export",
    "for",
    "git",
    "jq",
    "make",
    "redis-server",
    "sed",
    "source",
}
JOB = re.compile(r"\b(JOB|20250101-120000-0a1b2c3d)\b")
FAULTY = '''
"""A content encoder that fails once a file beside it says so."""
from pathlib import Path
import numpy as np
from voxrelay.relay.tensors import Content

class Faulty:
    def encode(self, clips):
        if Path(__file__).with_name("ill").exists():
            raise ValueError("as it is meant to")
        return [Content(np.zeros((len(clip.data) // 320, 1), np.float32), model="faulty") for clip in clips]

def load():
    return Faulty()
'''

ALL = [command for page in PAGES for command in [*documents.commands(page), *documents.inline(page)]]
EXAMPLES = [block for page in PAGES for block in documents.blocks(page, "python") if not block.title]


def reason(command: Command) -> str:
    """Say why a command is only parsed; empty if it runs."""
    return next((why for pattern, why in PARSED.items() if re.search(pattern, command.text)), "")


def restless(page: Path) -> bool:
    """Say whether a page starts and stops pools, which others need not wait for."""
    return any(re.match(r"export|vox (up|down)\b", command.text) for command in documents.commands(page))


STORIES = [page for page in PAGES if any(not reason(command) for command in documents.commands(page))]
CALM = [page for page in STORIES if not restless(page)]  # they find the pools as the page before left them
RESTLESS = [pytest.param(page, marks=pytest.mark.xdist_group("restless")) for page in STORIES if restless(page)]


@pytest.mark.parametrize("command", ALL, ids=lambda command: command.name)
def test_every_command_is_one_that_there_is(command: Command) -> None:
    for program, *arguments in documents.programs(command.text):
        if Path(program).name == "vox":
            wrong = documents.parse(arguments)
            assert not wrong or (command.inline and wrong.startswith("MissingParameter")), f"{command.text}: {wrong}"
        elif Path(program).name in {"python", "pytest"}:
            assert documents.runs(arguments), command.text
        elif program == "make":
            subprocess.run(["make", "--dry-run", *arguments], cwd=ROOT, check=True, capture_output=True)
        else:
            assert program in STRANGERS, command.text


SCRIPTS = [block for page in PAGES for block in documents.blocks(page, "bash")]  # for machines that are not here


@pytest.mark.parametrize("block", SCRIPTS, ids=lambda block: f"{block.page.relative_to(ROOT)}:{block.line}")
def test_scripts_for_elsewhere_are_scripts(block: documents.Block) -> None:
    subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
    for line in block.text.splitlines():
        if line.startswith("vox "):
            assert not documents.parse(line.split()[1:]), line


class Story:
    """A page read by somebody who types what it says, in a folder that holds the files it names."""

    def __init__(self, folder: Path, env: dict[str, str], server: Server) -> None:
        self.folder, self.server, self.job = folder, server, ""
        self.env = {**env, "HOME": str(folder), "VOXRELAY_VOICES": str(folder / "voices")}
        self.env["PATH"] = f"{folder / 'bin'}:{VOX.parent}:{os.environ['PATH']}"

    def type(self, command: Command) -> None:
        """Run a command to its end, or for as long as it takes to see that it serves."""
        text = command.text.replace("redis://10.0.0.5:6379/0", self.server.url)
        if text == "vox dead list":
            self.job = self._fail()
        if JOB.search(text) and not self.job:
            self.job = self._submit()
        text = JOB.sub(self.job, text)
        if export := re.fullmatch(r"export (\w+)=(\S+)", text):
            self.env[export[1]] = export[2]
            return
        bash = ["bash", "-euo", "pipefail", "-c", text]
        if "vox worker run" in text:
            self._serve(bash)
            return
        done = subprocess.run(bash, cwd=self.folder, env={**os.environ, **self.env}, capture_output=True, text=True,
                              timeout=200, check=False)  # fmt: skip
        assert done.returncode == 0, f"{command.name}: {text}\n{done.stdout}\n{done.stderr}"
        if jobs := re.findall(r"\b\d{8}-\d{6}-[0-9a-f]{8}\b", done.stdout):
            self.job = jobs[-1]

    def _serve(self, bash: list[str]) -> None:
        """Let a worker run until it is present, and end it as a service manager does."""
        before = self._workers()
        program = subprocess.Popen(bash, cwd=self.folder, env={**os.environ, **self.env})
        while self._workers() == before:
            assert program.poll() is None, bash[-1]
            time.sleep(0.5)
        program.terminate()
        assert program.wait(60) == 0, bash[-1]

    def _workers(self) -> int:
        return len(redis.Redis.from_url(self.server.url).keys(keys.pool("*", "*", "*")))

    def _fail(self) -> str:
        """Have a job fail, which a page about failures needs."""
        ill = Path(self.env["VOXRELAY_CONFIG"]).with_name("ill")
        ill.touch()
        job = self._submit("--content", "faulty")
        vox("job", "wait", job, env=self.env, code=1)
        ill.unlink()
        return job

    def _submit(self, *options: str) -> str:
        told = ["submit", self.folder / "hello.wav", "--voice", self.folder / "anna.wav", *options]
        return vox(*told, env=self.env).stdout.strip()


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A home and a configuration for all pages, with the shipped profile and a model that fails."""
    folder = tmp_path_factory.mktemp("readers")
    config = yaml.safe_load((ROOT / "queues.yml").read_text())
    config["stages"]["content"]["faulty"] = {"pool": "content", "file": "faulty.py"}
    (folder / "faulty.py").write_text(FAULTY)
    (folder / "queues.yml").write_text(yaml.safe_dump(config))
    env = {**own_home(folder), "VOXRELAY_CONFIG": str(folder / "queues.yml")}
    yield env
    vox("down", env=env)


@pytest.fixture(scope="module")
def voices(readers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two voices saved by a reader who was there before."""
    folder = tmp_path_factory.mktemp("voices")
    furnish(folder / "reader")
    for name in ("anna", "ben"):
        vox("voice", "add", name, folder / "reader" / f"{name}.wav", env=readers)
    return Path(readers["VOXRELAY_HOME"]) / "voices"


def furnish(folder: Path) -> None:
    """Put what the pages name into a folder; it stands for a checkout and for a folder of recordings at once."""
    people = {"anna": ROOT / "examples" / "female.ogg", "ben": ROOT / "examples" / "male.ogg"}
    rows = []
    for name, clip in people.items():
        sound, rate = soundfile.read(clip)
        (folder / "recordings" / name).mkdir(parents=True)
        soundfile.write(folder / f"{name}.wav", sound[: 4 * rate], rate)
        for index in range(2):
            path = folder / "recordings" / name / f"{index}.wav"
            soundfile.write(path, sound[index * rate : (index + 1) * rate], rate)
            rows.append({"path": path.relative_to(folder), "speaker": name, "split": "dev", "text": "hello"})
    sound, rate = soundfile.read(people["ben"])
    soundfile.write(folder / "hello.wav", sound[rate : 3 * rate], rate)
    table(folder / "metadata.csv", rows)
    table(folder / "table.csv", [{"source": "hello.wav", "voice": "anna", "output": "one.flac"}])
    (folder / "voices").mkdir()
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / "bin").mkdir()
    (folder / "bin" / "aplay").write_text("#!/bin/sh\ncat > /dev/null\n")  # a machine without a loudspeaker
    (folder / "bin" / "aplay").chmod(0o755)


def table(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: f"{block.page.relative_to(ROOT)}:{block.line}")
@pytest.mark.usefixtures("voices")
def test_the_python_examples_run(block: documents.Block, readers: dict[str, str], tmp_path: Path) -> None:
    furnish(tmp_path)
    done = subprocess.run([sys.executable, "-c", block.text], cwd=tmp_path, env={**os.environ, **readers},
                          capture_output=True, text=True, timeout=200, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", CALM + RESTLESS, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_do_what_it_says(
    page: Path, readers: dict[str, str], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder, env, commands = tmp_path / "reader", dict(readers), documents.commands(page)
    furnish(folder)
    write_files(page, folder, Path(readers["VOXRELAY_CONFIG"]))
    for name in ("anna", "ben"):
        told = [command.text for command in commands if re.search(rf"\b{name}(?![./\w])", command.text)]
        if told and not told[0].startswith("vox voice add"):
            shutil.copy(request.getfixturevalue("voices") / f"{name}.safetensors", folder / "voices")
    apart = any(command.text.startswith("export") for command in commands)  # another relay, or another configuration
    if apart:
        env |= own_home(tmp_path)
    with Server(tmp_path / "redis") as server:
        story = Story(folder, env, server)
        try:
            for command in commands:
                if not reason(command):
                    story.type(command)
        finally:
            if apart:
                vox("down", env={**story.env, "VOXRELAY_CONFIG": str(folder / story.env["VOXRELAY_CONFIG"])})


def write_files(page: Path, folder: Path, shipped: Path) -> None:
    """Write the files that a page shows under their names; a configuration is the shipped one with that in it."""
    shutil.copy(shipped.with_name("faulty.py"), folder)
    config = yaml.safe_load(shipped.read_text())
    for block in documents.blocks(page, "python"):
        if block.title:
            (folder / block.title).write_text(block.text)
    for block in documents.blocks(page, "yaml"):
        if block.title:
            (folder / block.title).write_text(yaml.safe_dump(merged(config, yaml.safe_load(block.text))))


def merged(one: dict[str, object], other: dict[str, object]) -> dict[str, object]:
    """Return a mapping with what another says in it, at any depth."""
    both = {key: merged(one[key], other[key]) for key in one.keys() & other.keys() if isinstance(other[key], dict)}
    return {**one, **other, **both}


def test_the_site_builds_and_every_link_of_it_leads_somewhere() -> None:
    done = subprocess.run(["make", "docs"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "vox convert" in (ROOT / "build" / "docs" / "reference" / "commands.html").read_text()


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted(ROOT.glob("*.md"))], ids=lambda page: page.name)
def test_links_of_the_repository_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", page.read_text()):
        assert (page.parent / link).exists(), link


def test_every_environment_variable_is_told_of() -> None:
    rooms = ("api", "cli", "producer", "fleet", "relay", "workers", "training", "checks", "evaluation")
    used = {name for room in rooms for path in (ROOT / room).rglob("*.py")
            for name in re.findall(r"\bVOXRELAY_[A-Z_]+\b", path.read_text())}  # fmt: skip
    told = set(re.findall(r"`(VOXRELAY_[A-Z_]+)`", (ROOT / "docs" / "variables.md").read_text()))
    assert used <= told
    assert told - used == {"VOXRELAY_SHARED"}
