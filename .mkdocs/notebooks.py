"""Shows each notebook in docs/ as a page: its texts, its code, and what its cells had printed and drawn when saved."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

_ENDING = ".ipynb"
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_LINK = re.compile(r"(?<=\]\()([\w-]+)\.ipynb(?=\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each notebook, and a file for each of its pictures."""
    for notebook in [file for file in files if file.src_uri.endswith(_ENDING)]:
        name = notebook.src_uri.removesuffix(_ENDING)
        parts = [f'<a href="{name}{_ENDING}" download>Download the notebook</a>']
        heading = name
        for number, cell in enumerate(json.loads(notebook.content_string)["cells"]):
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                heading = (_HEADING.findall(source) or [heading])[-1]
                parts.append(source)
                continue
            parts.append(f"```python\n{source}\n```")
            for picture in _pictures(cell):
                path = f"{name}/{number}.png"
                files.append(File.generated(config, path, content=picture))
                parts.append(f"![{heading}]({path})")
            parts += [f"```text\n{text}\n```" for text in _texts(cell)]
        first, title, *rest = parts
        files.append(File.generated(config, f"{name}.md", content="\n\n".join([title, first, *rest])))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:  # noqa: ARG001 - what mkdocs hands over
    """Lead links to a notebook to its page."""
    return _LINK.sub(r"\1.md", markdown)


def _pictures(cell: dict[str, Any]) -> Iterator[bytes]:
    for output in cell["outputs"]:
        if "image/png" in output.get("data", {}):
            yield base64.b64decode("".join(output["data"]["image/png"]))


def _texts(cell: dict[str, Any]) -> Iterator[str]:
    """Yield what a cell printed and what its last line was, but not how a picture is called."""
    for output in cell["outputs"]:
        data = output.get("data", {})
        if "text" in output or ("text/plain" in data and "image/png" not in data):
            yield "".join(output.get("text") or data["text/plain"]).rstrip()
