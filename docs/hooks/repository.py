"""Takes what the pages link to outside of ``docs/`` along into the site, so that every link leads somewhere.

A link such as ``../queues.yml`` works where the repository is read; in the site the file lies in ``repository/``.
Markdown among those files becomes a page, and its own links are followed.
"""

import posixpath
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
DOCS, COPIES = "docs", "repository"
_PAGES = ["CONTRIBUTING.md", "CHANGELOG.md", "training/LOG.md"]  # of the navigation
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every file of the repository that a page leads to."""
    for name in _PAGES:
        _add(name, files, config)
    for file in list(files.documentation_pages()):
        if file.abs_src_path:
            _follow(f"{DOCS}/{file.src_uri}", Path(file.abs_src_path).read_text(), files, config)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - mkdocs asks by name
    """Turn links out of ``docs/``, and those between the copies, to where the files lie in the site."""
    here = _origin(page.file.src_uri)
    folder = posixpath.dirname(page.file.src_uri)
    return _LINK.sub(lambda link: posixpath.relpath(_place(_target(here, link[1])), folder or "."), markdown)


def _follow(origin: str, text: str, files: Files, config: MkDocsConfig) -> None:
    for link in _LINK.findall(text):
        target = _target(origin, link)
        if not target.startswith(f"{DOCS}/") and (ROOT / target).is_file():
            _add(target, files, config)


def _add(name: str, files: Files, config: MkDocsConfig) -> None:
    """Copy a file of the repository; of a page, what it leads to as well."""
    if files.get_file_from_path(_place(name)):
        return
    files.append(File.generated(config, _place(name), abs_src_path=str(ROOT / name)))
    if PurePosixPath(name).suffix == ".md":
        _follow(name, (ROOT / name).read_text(), files, config)


def _target(origin: str, link: str) -> str:
    """Return the path in the repository that a link of a file leads to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(origin), link))


def _origin(uri: str) -> str:
    """Return where in the repository a page of the site comes from."""
    return uri.removeprefix(f"{COPIES}/") if uri.startswith(f"{COPIES}/") else f"{DOCS}/{uri}"


def _place(target: str) -> str:
    """Return where in the site a file of the repository lies."""
    return target.removeprefix(f"{DOCS}/") if target.startswith(f"{DOCS}/") else f"{COPIES}/{target}"
