"""Help and completion: every command has an example that parses, and shells complete it."""

import os
import subprocess
from typing import Any

import pytest

import documents
from conftest import VOX, vox


def below(command: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Return a command, and of a group all that are in it, with the words that lead there."""
    inside = getattr(command, "commands", {}).items()
    return [(path, command), *(found for name, one in inside for found in below(one, (*path, name)))]


COMMANDS = below(documents.VOX)


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(("vox", *path)) for path, _ in COMMANDS])
def test_every_command_has_an_example_of_itself_that_parses(path: tuple[str, ...], command: Any) -> None:
    assert command.help
    assert (command.epilog or "").startswith("Example: "), "no example"
    words = " ".join(path)
    programs = list(documents.programs(command.epilog.removeprefix("Example: ")))
    assert [program for program in programs if program[0] == "vox" and " ".join(program[1:]).startswith(words)], words
    for program, *arguments in programs:
        if program == "vox":
            assert not documents.parse(arguments), command.epilog


def test_help_shows_the_example() -> None:
    assert "Example: vox job fetch" in vox("job", "fetch", "--help").stdout
    assert "Example: vox job fetch" in vox("job", "--help").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_shown_for_every_shell(shell: str) -> None:
    done = vox("--show-completion", shell, env={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"})
    assert f"complete_{shell}" in done.stdout


@pytest.fixture(scope="module")
def bash(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Install the completion as a user of bash does; yields the variables that lead to it."""
    env = {"HOME": str(tmp_path_factory.mktemp("bash")), "PATH": f"{VOX.parent}:{os.environ['PATH']}"}
    command = ["bash", "-c", "vox --install-completion; exit $?"]  # a last command would take bash's place
    subprocess.run(command, env={**os.environ, **env}, check=True, capture_output=True)
    return env


@pytest.mark.parametrize(
    ("line", "wanted"), [("vox vo", "voice"), ("vox job f", "fetch"), ("vox convert --voc", "--vocoder")]
)
def test_bash_completes(line: str, wanted: str, bash: dict[str, str]) -> None:
    words = line.split()
    script = f"""
      source "$HOME/.bashrc"
      COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}
      $(complete -p vox | grep -oE -- '-F [^ ]+' | cut -c4-) vox
      echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script], env={**os.environ, **bash}, check=True, capture_output=True, text=True
    )
    assert wanted in done.stdout.split(), done.stdout + done.stderr
