"""Checks of a place in an object store: can it be written, does it look at conditions; the rest is as in a folder."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, cast

from etl.check.diagnosis import Told, ok, warning, wrong
from etl.check.doctor_output import OutputDoctor
from etl.errors import EtlError

if TYPE_CHECKING:
    from etl.load.objects.path import ObjectPath


class StoreDoctor(OutputDoctor):
    """Checks an address; for arguments see `OutputDoctor`."""

    def _output(self) -> Told:
        """Write an object by a condition that holds, and once more by the same one, which must not; then remove it."""
        root = cast("ObjectPath", self._layout.root)
        tried = root / f".etl-doctor-{secrets.token_hex(4)}"
        try:
            root.store.check(root.key)
            root.store.put_if(tried.key, b"etl doctor\n", None)
            try:
                holds = root.store.put_if(tried.key, b"etl doctor, once more\n", None) is None
            finally:
                root.store.delete([tried.key])
        except EtlError as error:
            return wrong(str(error))
        if not (holds and root.store.has_conditions):
            return warning(f"{root} can be written, but the store looks at no conditions: let no two runs meet there")
        return ok(f"{root} can be written, and the store looks at conditions")

    def _space(self) -> Told:
        return ok("a store does not tell how much is free")
