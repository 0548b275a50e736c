"""Writes the reference from the code: commands from Typer, ``queues.yml`` from its schema, Python from docstrings."""

import html
import re
from collections.abc import Iterator
from typing import Any

import typer.main
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from typer.cli import get_docs_for_click

from voxrelay.cli.main import app
from voxrelay.relay.config import DEFAULT_FILE, Config

PYTHON = """# Python reference

How they are used: [From Python](../python.md).

::: voxrelay.producer.producer.Producer
::: voxrelay.producer.conversion.Conversion
::: voxrelay.producer.conversion.Result
::: voxrelay.producer.collect.Progress
::: voxrelay.producer.batch.Outcome
::: voxrelay.producer.standing.Standing
::: voxrelay.producer.rows.Row
::: voxrelay.producer.rows.Options
::: voxrelay.relay.errors
    options: {show_root_toc_entry: true, show_if_no_docstring: true}
::: voxrelay.relay.tensors
    options: {members: [Audio, Voice, Content, Mel]}
"""

QUEUES = """# queues.yml

The one file an operator edits; `VOXRELAY_CONFIG` names another. As it is shipped:

```yaml
{shipped}
```

## Every key

From the schema that it is checked against (`vox config --schema`). `NAME` is yours to choose: lower-case letters,
digits and `-`.

| key | value | unless set |
|---|---|---|
{rows}
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    pages = {"commands": commands(), "configuration": configuration(), "python": PYTHON}
    for name, text in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def commands() -> str:
    """Describe every command with its arguments, options and example, as ``--help`` does."""
    click = typer.main.get_command(app)
    text = get_docs_for_click(obj=click, ctx=typer.Context(click), name="vox")
    text = html.unescape(text).replace("# `vox`", "# Commands", 1)
    text = re.sub(r"^\*\*Commands\*\*:\n\n(\* .*\n)+", "", text, flags=re.MULTILINE)  # their headings say as much
    text = re.sub(r"^Example: (.*)$", r"**Example**:\n\n```sh\n\1\n```", text, flags=re.MULTILINE)
    return re.sub(r"<(list\[\w+\]|[a-z ]+)>(?=`)", r"\1", text)


def configuration() -> str:
    """Show ``queues.yml`` as it is shipped, and every key that its schema knows."""
    schema = Config.model_json_schema()
    rows = [f"| {' | '.join(row)} |" for row in _rows("", schema, schema["$defs"])]
    return QUEUES.format(shipped=DEFAULT_FILE.read_text().rstrip(), rows="\n".join(rows))


def _rows(path: str, node: dict[str, Any], known: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield key, allowed values and default of every leaf of a schema."""
    node = _resolved(node, known)
    if "properties" in node:
        for name, child in node["properties"].items():
            yield from _rows(f"{path}.{name}" if path else name, child, known)
    elif isinstance(inner := node.get("additionalProperties"), dict) and "anyOf" not in inner:
        yield from _rows(f"{path}.NAME", inner, known)
    elif patterns := node.get("patternProperties"):
        yield from _rows(f"{path}.NAME", next(iter(patterns.values())), known)
    else:
        default = node.get("default")
        yield f"`{path}`", _allowed(node, known), "" if default in (None, {}) else f"`{_plain(default)}`"


def _resolved(node: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    return known[node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else node


def _allowed(node: dict[str, Any], known: dict[str, Any]) -> str:
    """Say in words what a value may be."""
    if choices := node.get("anyOf"):
        return " or ".join(dict.fromkeys(_allowed(_resolved(choice, known), known) for choice in choices))
    if "enum" in node:
        return ", ".join(f"`{_plain(value)}`" for value in node["enum"])
    words = {"number": "a number", "integer": "a whole number", "string": "text", "boolean": "`true` or `false`",
             "null": "nothing", "object": "options by name"}  # fmt: skip
    signs = {"exclusiveMinimum": "above", "minimum": "at least", "maximum": "at most"}
    bounds = [f"{sign} {node[key]}" for key, sign in signs.items() if key in node]
    if "pattern" in node:
        bounds.append(f"like <code>{node['pattern'].strip('^$').replace('|', '&#124;')}</code>")
    return " ".join([words[node["type"]], ", ".join(bounds)]).strip()


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
