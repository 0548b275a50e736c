"""Reads README and docs: their blocks, and the commands in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer.main

from conftest import ROOT
from voxrelay.cli.main import app

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^```(\w*)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`((?:[A-Z_]+=\S+ )*(?:vox|[\w./-]*python|[\w./-]*pytest) [^`]+)`")
_SCRIPT = re.compile(r"\| `(\w+\.\w+)` \|$", re.MULTILINE)
_BETWEEN = {"|", "||", "&&", ";", "&"}
VOX = typer.main.get_command(app)


@dataclass(frozen=True)
class Block:
    """A fenced block; ``title`` is the name of the file that it shows."""

    page: Path
    line: int
    language: str
    title: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command line; ``inline``: it stands in a sentence, and may leave out what the sentence is not about."""

    page: Path
    line: int
    text: str
    inline: bool = False

    @property
    def name(self) -> str:
        """What a test of it is called."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path, language: str) -> list[Block]:
    """Return the blocks of a page in one language."""
    text = page.read_text()
    found = (Block(page, text.count("\n", 0, one.start()) + 2, *one.groups()) for one in _FENCE.finditer(text))
    return [block for block in found if block.language == language]


def commands(page: Path) -> list[Command]:
    """Return the command lines of a page's shell blocks."""
    found = []
    for block in blocks(page, "sh"):
        number = block.line
        for text in re.sub(r"\\\n *", " ", block.text).splitlines():
            if _words(text):
                found.append(Command(page, number, _uncommented(text)))
            number += 1
    return found


def inline(page: Path) -> list[Command]:
    """Return the commands in a page's sentences, ``vox``, Python or pytest; SCRIPT is each that its tables name."""
    text = _FENCE.sub(lambda block: "\n" * block[0].count("\n"), page.read_text())
    found = []
    for one in _INLINE.finditer(text):
        line = text.count("\n", 0, one.start()) + 1
        scripts = sorted(set(_SCRIPT.findall(text))) if "SCRIPT" in one[1] else [""]
        found += [Command(page, line, one[1].replace("SCRIPT", script), inline=True) for script in scripts]
    return found


def programs(text: str) -> Iterator[list[str]]:
    """Yield each program of a command line with its arguments; variables and redirections are taken off."""
    program: list[str] = []
    skip = False
    for word in [*_words(text), ";"]:
        if word in _BETWEEN:
            if program:
                yield program
            program = []
        elif word in {">", ">>", "<"}:
            skip = True
        elif skip or (not program and re.match(r"[A-Z_]+=", word)):
            skip = False
        else:
            program.append(word)


def parse(arguments: list[str]) -> str:
    """Have Typer read the arguments of ``vox`` without running anything; return what is wrong with them."""
    try:
        context = VOX.make_context("vox", list(arguments))
        command = VOX
        while hasattr(command, "resolve_command"):
            name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            context = command.make_context(name, rest, parent=context)
    except (SystemExit, typer.Exit):
        return ""
    except Exception as error:  # noqa: BLE001 - Typer's own are not public
        return f"{type(error).__name__}: {error}"
    return ""


def runs(arguments: list[str]) -> bool:
    """Say whether there is the script or module that the arguments of Python name."""
    script, *rest = [each for each in arguments if each != "-P"]
    if script != "-m":
        return (ROOT / script).is_file()
    module = Path(*rest[0].removeprefix("voxrelay.").split("."))
    files = (module.with_suffix(".py"), module / "__main__.py")
    return any((folder / file).is_file() for folder in (ROOT, ROOT / "tests") for file in files)


def _words(text: str) -> list[str]:
    reader = shlex.shlex(text, posix=True, punctuation_chars="|&;<>")
    reader.whitespace_split, reader.commenters = True, "#"
    return list(reader)


def _uncommented(text: str) -> str:
    return re.sub(r"(^|\s+)#.*$", "", text)
