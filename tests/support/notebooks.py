"""Runs the notebook of the documentation in a kernel of its own.

`python tests/support/notebooks.py` renews what it shows, after a change of a cell or of the made-up data.
"""

from __future__ import annotations

import base64
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"
PICTURE = "image/png"
_COLOURS = 32  # enough for lines and letters, and a third of the size


def read(path: Path = NOTEBOOK) -> Any:
    """Read a notebook as `nbformat` does."""
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # it ships none


def executed(notebook: Any, folder: Path) -> Any:
    """Run the cells of a notebook in an empty folder, and return it with what they showed.

    Raises:
        CellExecutionError: a cell raised an error.
    """
    client = NotebookClient(
        notebook, kernel_name="python3", record_timing=False, resources={"metadata": {"path": str(folder)}}
    )
    return client.execute()


def outputs(notebook: Any) -> Iterator[Any]:
    """Yield what the cells showed, in order."""
    for cell in notebook.cells:
        yield from cell.get("outputs", ())


def picture(output: Any) -> Image.Image | None:
    """Return the picture that was shown, if it was one."""
    encoded = output.get("data", {}).get(PICTURE)
    return None if encoded is None else Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")


def _made_small(output: Any) -> None:
    drawn = picture(output)
    if drawn is not None:
        packed = io.BytesIO()
        drawn.quantize(_COLOURS).save(packed, "PNG", optimize=True)
        output["data"] = {PICTURE: base64.b64encode(packed.getvalue()).decode()}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as empty:
        shown = executed(read(), Path(empty))
    for one in outputs(shown):
        _made_small(one)
    shown.metadata.language_info = {"name": "python"}  # its version differs from machine to machine
    nbformat.write(shown, NOTEBOOK)  # type: ignore[no-untyped-call]  # it ships none
