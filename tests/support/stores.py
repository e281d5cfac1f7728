"""Object stores for tests: an S3 on loopback whose requests are seen and can be interfered with, and one in memory."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING, Any
from unittest import mock

from etl.load import place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

BUCKET = "sync-jobs"

_KEY_ID = "AKIATESTTESTTESTTEST"
SECRET = "planted/secret+of+the+store"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a store was asked for: the key without its bucket, and whether something was to be copied."""

    method: str
    key: str
    copies: bool
    conditional: bool


@dataclass(frozen=True, kw_only=True)
class Interference:
    """An answer in the place of the right one.

    Attributes:
        status: of it.
        code: that S3 gives to it.
        is_done: whether the request is done all the same.
        is_cut: whether it is the right one, but broken off half-way.
        body: of it, where that does not follow from the code.
    """

    status: str = "200 OK"
    code: str = ""
    is_done: bool = False
    is_cut: bool = False
    body: str = ""


REFUSAL = Interference(status="403 Forbidden", code="AccessDenied")


@dataclass
class S3Server:
    """A running store.

    Attributes:
        url: of it.
        requests: that came, in order.
        looks_at_conditions: whether it does what If-Match and If-None-Match say.
        interfere: tells which requests are not done as they should be, and how.
    """

    url: str
    requests: list[Request] = field(default_factory=list)
    looks_at_conditions: bool = True
    interfere: Callable[[Request], Interference | None] = lambda _: None

    @property
    def env(self) -> dict[str, str]:
        """What a program needs in its environment to reach it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": _KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def refuse(self, which: Callable[[Request], bool]) -> None:
        """Answer some requests with 403."""
        self.interfere = lambda request: REFUSAL if which(request) else None

    def asked(self) -> list[Request]:
        """Return the requests since the last call."""
        seen = list(self.requests)
        self.requests.clear()
        return seen


class _Seen:
    """Notes requests on their way to the store, and interferes."""

    def __init__(self, store: Any, server: S3Server) -> None:
        self._store = store
        self._server = server

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        conditions = {"HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"}
        _, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
        request = Request(
            method=environ["REQUEST_METHOD"],
            key=key,
            copies="HTTP_X_AMZ_COPY_SOURCE" in environ,
            conditional=bool(conditions & environ.keys()),
        )
        self._server.requests.append(request)
        interference = self._server.interfere(request)
        if interference is not None:
            if interference.is_cut:
                return _half(self._store, environ, start_response)
            if interference.is_done:
                list(self._store(environ, lambda *_: None))
            start_response(interference.status, [("Content-Type", "application/xml")])
            if request.method == "HEAD":
                return []
            if interference.body:
                return [interference.body.encode()]
            return [f"<Error><Code>{interference.code}</Code><Message>as a test has it</Message></Error>".encode()]
        if not self._server.looks_at_conditions:
            for name in conditions:
                environ.pop(name, None)
        answer: Iterable[bytes] = self._store(environ, start_response)
        return answer


def _half(store: Any, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Give the first half of an answer, whose head names the length of all of it."""
    heads: list[Any] = []
    content = b"".join(store(environ, lambda *head: heads.append(head)))
    status, headers = heads[0][:2]
    kept = [(name, value) for name, value in headers if name.lower() not in {"content-length", "connection"}]
    start_response(status, [*kept, ("Content-Length", str(len(content)))])
    return [content[: len(content) // 2]]


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run an S3 with one empty bucket, which this program and those that it starts reach by their environment."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415 - slow
    from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: PLC0415 - likewise

    class Silent(WSGIRequestHandler):
        def log_request(self, *_: object) -> None:
            pass

    server = S3Server("")
    app = _Seen(DomainDispatcherApplication(create_backend_app), server)
    serving = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
    server.url = f"http://127.0.0.1:{serving.server_port}"
    thread = Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    try:
        with mock.patch.dict(os.environ, server.env), fresh_stores():
            import boto3  # noqa: PLC0415 - likewise

            boto3.client("s3").create_bucket(Bucket=BUCKET)
            server.requests.clear()
            yield server
    finally:
        serving.shutdown()
        thread.join()
        serving.server_close()


@contextmanager
def fresh_stores() -> Iterator[None]:
    """Let the stores of this program be reached anew, by the environment as it is now."""
    with mock.patch.dict(place._STORES, clear=True):
        yield


def keys_below(root: Path) -> list[str]:
    """Return the names of all objects of a dataset, below its root."""
    address = place.in_store(root)
    assert address is not None
    return sorted(key.removeprefix(address.prefix) for key in address.store.below(address.prefix))


def objects_below(root: Path) -> dict[str, bytes]:
    """Return all objects of a dataset, by their names below its root."""
    address = place.in_store(root)
    assert address is not None
    return {name: address.store.read(f"{address.prefix}{name}") for name in keys_below(root)}


def put_below(root: Path, objects: dict[str, bytes]) -> None:
    """Let a dataset hold these objects and no others."""
    address = place.in_store(root)
    assert address is not None
    address.store.delete(list(address.store.below(address.prefix)))
    for name, content in objects.items():
        address.store.put(f"{address.prefix}{name}", content)
