"""Strategies of objects whose known members are of any type, some of the right shape, among unknown ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    Objects: TypeAlias = st.SearchStrategy[dict[str, Any]]
    Members: TypeAlias = Callable[..., Objects]


def members_of(anything: st.SearchStrategy[Any]) -> Members:
    """Return what makes objects of known members, each of which may be anything.

    Args:
        anything: what stands where nothing of a shape stands.
    """

    def members(*known: str, **shaped: st.SearchStrategy[Any]) -> Objects:
        unshaped = dict.fromkeys((*known, "unknown", "x.y"), anything)
        return st.fixed_dictionaries({}, optional=unshaped | {key: value | anything for key, value in shaped.items()})

    return members


def filterings(members: Members) -> st.SearchStrategy[Any]:
    """Return one filtering, or a list of them."""
    rule = members("id", "order", "policy", "field", "rule", "value", "created_at", "updated_at")
    complaint = members("ids", "messages")
    filtering = members(
        "domain",
        "warnings",
        advanced_snippet=members("value", "created_at", "updated_at"),
        rules=st.lists(rule, max_size=3) | rule,
        validation=members("state", errors=st.lists(complaint, max_size=2) | complaint),
    )
    return filtering | st.lists(filtering, max_size=2)
