"""One HTML page of figures with captions, tables and players; the files it shows lie beside it."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
figure { margin: 2rem 0 } img { max-width: 100% } figcaption { color: #444; max-width: 60rem }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { text-align: left; padding: .25rem .75rem; vertical-align: top }
th { border-bottom: 2px solid #888 } tr + tr td { border-top: 1px solid #ddd } audio { height: 2rem; width: 16rem }
"""


@dataclass(frozen=True)
class Player:
    """A recording to listen to, by its file beside the page."""

    file: str


@dataclass
class Page:
    """A page that is put together from top to bottom."""

    title: str
    parts: list[str] = field(default_factory=list)

    def text(self, paragraph: str) -> None:
        """Add a paragraph."""
        self.parts.append(f"<p>{html.escape(paragraph)}</p>")

    def heading(self, words: str) -> None:
        """Add a heading."""
        self.parts.append(f"<h2>{html.escape(words)}</h2>")

    def figure(self, file: str, caption: str) -> None:
        """Add a picture, and what there is to see in it."""
        words = html.escape(caption)
        self.parts.append(f'<figure><img src="{file}" alt="{words}"><figcaption>{words}</figcaption></figure>')

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str | Player]]) -> None:
        """Add a table."""
        head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
        self.parts.append(f"<table><tr>{head}</tr>{body}</table>")

    def write(self, path: Path) -> None:
        """Write the page."""
        title = html.escape(self.title)
        head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        path.write_text(f"{head}<h1>{title}</h1>\n" + "\n".join(self.parts) + "</html>\n", encoding="utf-8")


def _cell(content: str | Player) -> str:
    if isinstance(content, Player):
        return f'<td><audio controls preload="none" src="{html.escape(content.file)}"></audio></td>'
    return f"<td>{html.escape(content)}</td>"
