"""Which certificates are trusted; read once, for reading them takes longer than a handshake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests
from urllib3.util.ssl_ import create_urllib3_context

from etl.errors import UsageError

if TYPE_CHECKING:
    import ssl

    from etl.settings import Connection


def trust_of(connection: Connection) -> ssl.SSLContext:
    """Return what all connections to a cluster trust: the given authorities, else those that come with requests.

    Raises:
        UsageError: no certificates can be read; the message names the setting.
    """
    context = create_urllib3_context()
    path = connection.ca_certs
    try:
        if path is None:
            context.load_verify_locations(cafile=requests.utils.DEFAULT_CA_BUNDLE_PATH)
        elif path.is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except OSError as error:  # also the base of SSLError
        msg = f"ELASTICSEARCH_CA_CERTS: no certificates can be read from {path} ({error.strerror or error})"
        raise UsageError(msg) from error
    return context
