"""What lets most texts pass untouched never lets one pass that a pattern, or a known secret, would change."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etl.scrub import Masker, patterns
from etl.transform.anchors import Anchors

NAMES = [
    "password",
    "PassKey",
    "pwd",
    "secret",
    "token",
    "credentials",
    "signature",
    "authorization",
    "Set-Cookie",
    "jwt",
    "kennwort",
    "mot_de_passe",
    "contraseña",
    "contrasena",
    "api_key",
    "x-key",
    "pw",
    "auth",
    "sig",
    "sas",
    "code_verifier",
    "jsessionid",
    "pa\u017f\u017fword",
    "bearer",
    "Basic",
    "ApiKey",
    "TO\u212aEN",
    "jdbc:oracle:thin",
]
PIECES = [
    *NAMES, "=", ": ", ":", "=>", "%3D", "&#61;", "\uff1d", "'", '"', '\\"', ", ", "<", ">", "</a>", "--",
    " ", "?", "&",
    "@", "%40", "://", "//", "\\/\\/", "%2F%2F", "u:p", "/", "host", "x.y", "abc1234567", "eyJhbGciOiJI.eyJzdWIiOiIx",
    "AKIAABCDEFGHIJKLMNOP", "ghp_abcdefghijklmnopqrstuv", "xoxb-1234567890ab", "AIzaabcdefghijklmnopqrstuvwxyz1234567",
    "ya29.abcdefghijklmnopqrstuvwx", "glpat-abcdefghijklmnop", "-----BEGIN PRIVATE KEY-----",
    "\n", "ü",
]  # fmt: skip
TEXT = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=8).map("".join)


class Always:
    """A pattern that finds something in every text."""

    def search(self, _: str) -> bool:
        return True


@given(TEXT)
@example("https://u:p@host/?token=x")
@example("failed: pw=x")
def test_no_pattern_is_left_out_that_would_change_the_text(value: str) -> None:
    found = patterns.text(value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patterns, "_named_before", patterns._named)
        for name in ("_NAMING", "_KNOWN_BEGINNING", "_BETWEEN"):
            patch.setattr(patterns, name, Always())
        assert patterns.text(value) == found


SECRETS = st.lists(
    st.sampled_from(["hunter2", "s3cret-s3cret", "pä55 wörd&co", "abc", "x y", "12345678", 'with"quote/slash'])
    | st.text(min_size=3, max_size=12),
    min_size=1,
    max_size=4,
)


@st.composite
def held(draw: st.DrawFn) -> tuple[list[str], str]:
    """Secrets, and a text that may hold one of them in any of its spellings, whole or cut."""
    secrets = draw(SECRETS)
    spellings = [
        spelling for found in Masker(secrets).anchors.values() for listed in found.values() for spelling in listed
    ]
    piece = (
        st.sampled_from(spellings or ["-"]) | st.text(max_size=10) | st.sampled_from(["a", " ", "/", "=", "long " * 30])
    )
    parts = draw(st.lists(piece, max_size=5))
    return secrets, "".join(parts)[: draw(st.integers(min_value=1, max_value=400))]


@given(held())
def test_a_text_without_beginnings_of_known_secrets_is_masked_as_if_none_were_known(
    case: tuple[list[str], str],
) -> None:
    secrets, value = case
    masker = Masker(secrets)

    if not Anchors(masker.anchors).may_stand_in(value.encode("utf-8", "surrogatepass")):
        assert masker.text(value) == patterns.text(value)


@given(held())
def test_looking_for_each_beginning_finds_what_looking_up_each_piece_finds(case: tuple[list[str], str]) -> None:
    secrets, value = case
    masker = Masker(secrets)
    lowered = value.lower()

    pieces = {lowered[at:end] for at in range(len(lowered)) for end in range(at + 1, at + 7)}
    anchors: dict[str, Any] = {key: found for by in masker.anchors.values() for key, found in by.items()}
    expected = {spelling for key in anchors.keys() & pieces for spelling in anchors[key]}

    assert set(masker._candidates(value)) == expected


@pytest.mark.parametrize("raw", [b'"HUNTER2"', b'["a","xhunter2x"]', b'"no \\u0068unter2"', '"ü hunter"'.encode()])
def test_a_part_that_holds_a_beginning_or_cannot_be_searched_is_not_let_pass(raw: bytes) -> None:
    assert Anchors(Masker(["hunter2"]).anchors).may_stand_in(raw)
