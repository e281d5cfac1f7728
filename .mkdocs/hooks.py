"""What the site needs beyond the pages: Mermaid's script, and the files outside of docs/ that pages link to."""

from __future__ import annotations

import hashlib
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

# The theme would take the script from the network. mermaidx ships it as it is published; nothing else of it is used.
_CARRIER = "mermaidx"
_SHA256 = "74d7c46dabca328c2294733910a8aa1ed0c37451776e8d5295da38a2b758fb9b"  # of dist/mermaid.min.js of 11.16.0

_OUTSIDE = re.compile(r"(?<=\]\()\.\./([^)#]+)")
_FROM_OUTSIDE = re.compile(r"(?<=\]\()docs/")
_FOLDER = "source"
"""Where files from outside of docs/ stand in the site."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add Mermaid's script, and each file of the checkout that a page links to."""
    files.append(File.generated(config, "assets/javascripts/mermaid.min.js", abs_src_path=str(_mermaid_script())))
    root = Path(config.docs_dir).parent
    linked = {path for page in files.documentation_pages() for path in _OUTSIDE.findall(page.content_string)}
    for path in sorted(linked):
        if (root / path).is_file():
            files.append(File.generated(config, f"{_FOLDER}/{path}", abs_src_path=str(root / path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Lead links out of docs/ to where the files stand in the site, and links of those files back."""
    if page.file.src_uri.startswith(f"{_FOLDER}/"):
        return _FROM_OUTSIDE.sub("../", markdown)
    return _OUTSIDE.sub(rf"{_FOLDER}/\1", markdown)


def _mermaid_script() -> Path:
    found = find_spec(_CARRIER)
    if found is None or not found.submodule_search_locations:
        msg = f"{_CARRIER} is not installed, which ships Mermaid's script: pip install -e '.[dev]'"
        raise PluginError(msg)
    path = Path(found.submodule_search_locations[0]) / "assets" / "mermaid.js"
    if hashlib.sha256(path.read_bytes()).hexdigest() != _SHA256:
        msg = f"{path}: is not the script of Mermaid 11.16.0 as it is published: install the version that .[dev] names"
        raise PluginError(msg)
    return path
