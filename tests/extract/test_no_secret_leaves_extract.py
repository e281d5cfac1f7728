"""Planted credentials stay out of every message, reason, repr and traceback, also where a server echoes them."""

from __future__ import annotations

import base64
import threading
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from servers import raw, reply, reset

from etl.errors import EtlError, UsageError
from etl.extract.auth import ApiKeyAuth, BasicAuth
from etl.extract.client import Client
from etl.extract.cluster import cluster_facts
from etl.extract.fetch import Fetcher
from etl.model import RequestedId
from etl.settings import Connection, Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Exchange, ScriptedServer, Step

    from etl.extract.retry import RetryPolicy

KEY_SECRET = "Zq7-planted-key"
API_KEY = base64.b64encode(f"key-id:{KEY_SECRET}".encode()).decode()
PASSWORD = "Kw3 plänted/pass"
PROXY_PASSWORD = "Vx9-planted-proxy@"
PROXY_USERINFO = f"gate:{quote(PROXY_PASSWORD, safe='')}"
PROXY_SPELLINGS = [
    PROXY_PASSWORD,
    quote(PROXY_PASSWORD, safe=""),
    base64.b64encode(f"gate:{PROXY_PASSWORD}".encode()).decode(),
]


@dataclass(frozen=True)
class Planted:
    settings: dict[str, Any]
    spellings: list[str]

    def assert_absent(self, *texts: object) -> None:
        for text in texts:
            for spelling in self.spellings:
                assert spelling not in str(text)
                assert spelling not in repr(text)


BY_KEY = Planted({"api_key": Secret(API_KEY)}, [API_KEY, KEY_SECRET, *PROXY_SPELLINGS])
BY_PASSWORD = Planted(
    {"username": "ana", "password": Secret(PASSWORD)},
    [PASSWORD, quote(PASSWORD, safe=""), base64.b64encode(f"ana:{PASSWORD}".encode()).decode(), *PROXY_SPELLINGS],
)
either = pytest.mark.parametrize("planted", [BY_KEY, BY_PASSWORD], ids=["API key", "password"])


def echo(status: int, *, where: str) -> Callable[[str], Step]:
    """Make a step that answers with what it knows, as careless proxies do."""

    def make(known: str) -> Step:
        def step(exchange: Exchange) -> bool:
            said = f"{exchange.seen.headers} {known}"
            bodies = {
                "envelope": {"error": {"type": said, "reason": said, "root_cause": [{"reason": said}]}},
                "text": {"error": said},
                "message": {"message": said},
                "no handler": {"error": f"no handler found {said}"},
                "id": {"id": said},
            }
            return reply(status, bodies[where])(exchange)

        return step

    return make


STEPS: dict[str, Callable[[str], Step]] = {
    **{f"{status}": echo(status, where="envelope") for status in (400, 401, 403, 404, 407, 429, 500, 503)},
    "text": echo(502, where="text"),
    "message": echo(404, where="message"),
    "old": echo(400, where="no handler"),
    "id": echo(200, where="id"),
    "redirect": lambda known: reply(302, b"", {"Location": f"https://{PROXY_USERINFO}@h/{quote(known)}?key=x"}),
    "Retry-After": lambda _: reply(429, b"", {"Retry-After": "99999"}),
    "too large": lambda _: reply(200, b"x" * 20_000),
    "reset": lambda _: reset,
    "cut": lambda _: raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
    "no HTTP": lambda known: raw(f"{known}\r\n\r\n".encode()),
}


@either
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_no_answer_brings_a_secret_into_a_message(
    server: ScriptedServer, quick: RetryPolicy, step: Callable[[str], Step], planted: Planted
) -> None:
    server.fallback = step(" ".join(planted.spellings))
    connection = Connection(
        url="http://cluster.invalid:9200",
        proxies={"http": server.url.replace("http://", f"http://{PROXY_USERINFO}@")},
        concurrency=1,
        max_response_bytes=10_000,
        **planted.settings,
    )
    with Client(connection) as client, Fetcher(client, policy=quick) as fetcher:
        answers = list(fetcher.fetch([RequestedId(id="a"), RequestedId(id="b")], stop=threading.Event()))
        assert len(answers) == 2
        assert all(answer.reason for answer in answers)
        planted.assert_absent(*(answer.reason for answer in answers), fetcher.fatal, client, fetcher)
        try:
            cluster_facts(client, stop=threading.Event(), policy=quick)
        except EtlError as error:
            planted.assert_absent(error, "".join(traceback.format_exception(error)))


@either
def test_no_failed_request_shows_a_secret_in_its_traceback(
    connect: Callable[..., Client], free_port: int, planted: Planted
) -> None:
    proxy = f"http://{PROXY_USERINFO}@127.0.0.1:{free_port}"
    for scheme in ("http", "https"):
        client = connect(f"{scheme}://cluster.invalid:9200", proxies={scheme: proxy}, **planted.settings)
        with pytest.raises(EtlError) as caught:
            client.get_job("a")
        planted.assert_absent(caught.value, "".join(traceback.format_exception(caught.value)))


@either
@pytest.mark.parametrize("host", ["", "[bad"])
def test_a_proxy_without_a_host_is_refused_unseen(planted: Planted, host: str) -> None:
    with pytest.raises(UsageError) as caught:
        Client(Connection(url="http://x", proxies={"http": f"http://{PROXY_USERINFO}@{host}"}, **planted.settings))
    planted.assert_absent("".join(traceback.format_exception(caught.value)))


@pytest.mark.parametrize("key", [f"{API_KEY}\n", f"{KEY_SECRET} x", f"{KEY_SECRET}é", "", f"{KEY_SECRET}\x00"])
def test_a_key_that_no_header_can_carry_is_refused_unseen(key: str) -> None:
    with pytest.raises(UsageError, match="API key") as caught:
        Client(Connection(url="http://127.0.0.1", api_key=Secret(key)))
    BY_KEY.assert_absent("".join(traceback.format_exception(caught.value)))


def test_a_user_name_with_a_colon_is_refused_unseen() -> None:
    with pytest.raises(UsageError, match="colon") as caught:
        Client(Connection(url="http://127.0.0.1", username=f"a:{PASSWORD}", password=Secret(PASSWORD)))
    BY_PASSWORD.assert_absent("".join(traceback.format_exception(caught.value)))


def test_the_repr_of_credentials_shows_none() -> None:
    assert repr(ApiKeyAuth(Secret(API_KEY))) == "ApiKeyAuth([redacted])"
    assert repr(BasicAuth("ana", Secret(PASSWORD))) == "BasicAuth('ana', [redacted])"
