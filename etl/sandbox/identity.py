"""Job ids of the sandbox: they look like those that Elasticsearch makes, and lead back to the job's number."""

from __future__ import annotations

import base64
import binascii
import hashlib

MISSING_FROM = 1 << 39
"""Numbers from here on are never jobs: their ids are well-formed and unknown to every sandbox."""

_NUMBER_BYTES = 5
_TAG_BYTES = 10
_ID_LENGTH = 20  # 15 bytes in base64


def id_of(number: int) -> str:
    """Return the id of a job: 20 characters, URL-safe, the same in every sandbox.

    Raises:
        OverflowError: the number is negative or has more than 40 bits.

    >>> id_of(0)
    'zsceAwhqYiBYw7IXJA-W'
    """
    plain = number.to_bytes(_NUMBER_BYTES, "big")
    tag = _digest(plain, _TAG_BYTES)
    return base64.urlsafe_b64encode(tag + _mask(plain, tag)).decode()


def number_of(job_id: str) -> int | None:
    """Return the number that `id_of` made this id from; None for any other text.

    >>> number_of(id_of(4711)), number_of("007")
    (4711, None)
    """
    if len(job_id) != _ID_LENGTH or not job_id.isascii():
        return None
    try:
        raw = base64.b64decode(job_id, altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    tag = raw[:_TAG_BYTES]
    plain = _mask(raw[_TAG_BYTES:], tag)
    return int.from_bytes(plain, "big") if _digest(plain, _TAG_BYTES) == tag else None


def _digest(raw: bytes, size: int) -> bytes:
    return hashlib.blake2b(raw, digest_size=size, person=b"etl sandbox id").digest()


def _mask(raw: bytes, tag: bytes) -> bytes:
    """Hide the number's zero bytes, or unmask it again: without this all ids would end alike."""
    mask = int.from_bytes(_digest(tag, _NUMBER_BYTES), "big")
    return (int.from_bytes(raw, "big") ^ mask).to_bytes(_NUMBER_BYTES, "big")
