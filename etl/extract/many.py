"""Ids out of the index, many a request; one by one where the index refuses, or does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl.errors import EtlError, RefusedError
from etl.extract.mget import ManyGetter
from etl.extract.walk.asking import AnswerError, Asking, StoppedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from threading import Event

    from etl.extract.client import Client
    from etl.extract.fetch import Fetcher
    from etl.model import Answer, RequestedId


class ManyFetcher:
    """Fetches sync jobs as a `Fetcher` does, with fewer requests.

    Args:
        client: of the cluster; it stays open.
        fetcher: gets one by one what the index does not give; it stays open.
        stop: ends the fetching when it is set.
        version: of the cluster, where it is known.

    Attributes:
        refusal: why the index is not read any more; None while it is.
        requests: made so far, repeats included.
    """

    def __init__(self, client: Client, fetcher: Fetcher, *, stop: Event, version: str | None = None) -> None:
        self.refusal: str | None = None
        self._fetcher = fetcher
        self._stop = stop
        self._asking = Asking(client, stop=stop, version=version)
        self._getter = ManyGetter(self._asking)
        self._got = 0

    @property
    def requests(self) -> int:
        """Requests made so far, repeats included."""
        return self._asking.sent + self._got

    def fetch(self, ids: Sequence[RequestedId]) -> Iterator[Answer]:
        """Yield exactly one answer for each id; nothing is raised, see `Fetcher.fetch`."""
        done = 0
        if self.refusal is None and self._fetcher.fatal is None:
            try:
                for answers in self._getter.get([requested.id for requested in ids]):
                    yield from answers
                    done += len(answers)
            except (RefusedError, AnswerError) as error:
                self.refusal = str(error)
            except (EtlError, StoppedError):
                pass  # whoever asks one by one finds out what each id comes to
        for answer in self._fetcher.fetch(ids[done:], stop=self._stop):
            self._got += answer.attempts
            yield answer
