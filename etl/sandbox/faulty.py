"""What is answered where something goes wrong on purpose."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from etl.sandbox import replies
from etl.sandbox.faults import Fault
from etl.sandbox.generate import generate_job
from etl.sandbox.replies import Ending, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from etl.sandbox.cluster import Cluster
    from etl.sandbox.request import Request


def faulty_reply(fault: Fault, cluster: Cluster, request: Request, answer: Callable[[], Reply]) -> Reply:
    """Return what a fault makes of an answer.

    Args:
        fault: what goes wrong.
        cluster: whose faults these are.
        request: what was asked.
        answer: makes the right answer; called only where the fault lets the request through to the cluster.
    """
    return _BY_FAULT[fault](cluster, request, answer)


def _list_instead(_cluster: Cluster, _request: Request, answer: Callable[[], Reply]) -> Reply:
    reply = answer()
    return Reply(body=b'{"count":1,"results":[%s]}' % reply.body) if reply.status == HTTPStatus.OK else reply


def _other_job(cluster: Cluster, request: Request, _answer: Callable[[], Reply]) -> Reply:
    job = generate_job(cluster.settings.seed, 0)
    if job["id"] == request.segments[-1]:
        job = generate_job(cluster.settings.seed, 1)
    return replies.json_reply(job)


_BY_FAULT: Mapping[Fault, Callable[[Cluster, Request, Callable[[], Reply]], Reply]] = {
    Fault.TOO_MANY: lambda _cluster, _request, _answer: replies.too_many(None),
    Fault.TOO_MANY_WITH_RETRY_AFTER: lambda cluster, _request, _answer: replies.too_many(
        cluster.settings.faults.retry_after_s
    ),
    Fault.BAD_GATEWAY: lambda _cluster, _request, _answer: replies.bad_gateway(),
    Fault.UNAVAILABLE: lambda _cluster, _request, _answer: replies.no_shard(),
    Fault.EDGE_PROXY: lambda _cluster, _request, _answer: replies.edge_proxy(),
    Fault.RESET: lambda _cluster, _request, _answer: Reply(body=b"", ending=Ending.RESET),
    Fault.CUT: lambda _cluster, _request, answer: replace(answer(), ending=Ending.CUT),
    Fault.GARBAGE: lambda _cluster, _request, _answer: replies.garbage(),
    Fault.LIST_ANSWER: _list_instead,
    Fault.OTHER_JOB: _other_job,
    Fault.SLOW: lambda cluster, _request, answer: replace(answer(), delay_s=cluster.settings.faults.delay_s),
}
