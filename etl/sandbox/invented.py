"""Invented secrets in the forms that connectors store in clear: passwords, tokens, keys, connection strings."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, TypeAlias

from etl import jsontext

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.sandbox.dice import Dice

Maker: TypeAlias = "Callable[[Dice], jsontext.JsonValue]"

_LETTERS = string.ascii_letters + string.digits
_PASSWORD = _LETTERS + "!$%&*+-.:=?@^_~"
_BASE64 = _LETTERS + "+/"
_HEX = "0123456789abcdef"
_DELTA_HEAD = "NDslMjM0OyUyMzE7MztjMWFjYjE4Ny1mYzYzLTRlZGQtYjhiYi04ZGE4YTE1NDQ4ZTg7NjM4OTc1MDA5" * 2


def password(dice: Dice) -> str:
    """Return a password with characters that URLs and CSV files dislike."""
    return dice.text(dice.between(12, 24), _PASSWORD)


def token(prefix: str, length: int) -> Maker:
    """Return a maker of tokens that begin with the prefix, with `length` characters behind it."""
    return lambda dice: prefix + dice.text(length, _LETTERS)


def guid(dice: Dice) -> str:
    """Return a GUID such as tenants and clients have: an identifier, no secret."""
    return "-".join(dice.text(length, _HEX) for length in (8, 4, 4, 4, 12))


def azure_account_key(dice: Dice) -> str:
    """Return an Azure storage key: 64 bytes in base64."""
    return dice.text(86, _BASE64) + "=="


def private_key(dice: Dice) -> str:
    """Return a text in the form of a PEM private key; no key material, random letters only."""
    lines = [dice.text(64, _BASE64) for _ in range(24)]
    return "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----", ""])


def service_account(dice: Dice) -> str:
    """Return a Google service account file as one string: a JSON text with a private key in it."""
    return jsontext.dump(
        {
            "type": "service_account",
            "project_id": "search-sync",
            "private_key_id": dice.text(40, _HEX),
            "private_key": private_key(dice),
            "client_email": "sync@search-sync.iam.gserviceaccount.com",
            "token_uri": "https://oauth2.googleapis.com/token",
        }
    )


def mongodb_url(dice: Dice) -> str:
    """Return a connection string with user and password in it, in a field that nobody flags as sensitive."""
    return f"mongodb://sync_reader:{dice.text(16, _LETTERS)}@mongo-0.example.com:27017/?replicaSet=rs0"


def proxy_url(dice: Dice) -> str:
    """Return the URL of a proxy with credentials in it."""
    return f"http://proxy:{dice.text(14, _LETTERS)}@proxy.example.com:3128"


def delta_link(dice: Dice) -> str:
    """Return a SharePoint delta link: whoever holds the token in it can read the changes of a drive."""
    return f"https://graph.microsoft.com/v1.0/drives/delta?token={_DELTA_HEAD}{dice.text(16, _LETTERS)}"
