"""The fast path gives what the tolerant path gives: for every document, in every spelling, and whatever came before."""

from __future__ import annotations

import gc
import json
from typing import TYPE_CHECKING, Any

import pytest
from documents import FETCHED_AT, SAMPLES, compact, job
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from etl.jsontext import decode, encode_exactly
from etl.model import Document
from etl.sandbox.generate import generate_job
from etl.schema.tables import TABLES
from etl.transform.fast import fast_path
from etl.transform.form import fitted
from etl.transform.raw import raw_line
from etl.transform.redact import redact
from etl.transform.tables import transform, transform_tolerantly

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etl.transform.tables import Transformed

EXPOSED = st.sampled_from([frozenset[str](), frozenset({"host", "port"}), frozenset({"host", "password", "odd"})])


def as_documents(raws: Iterable[bytes], asked: str | None = None) -> list[Document]:
    return [Document(raw=raw, fetched_at=FETCHED_AT, id=asked) for raw in raws]


def everything_of(result: Transformed) -> dict[str, Any]:
    cells = {table.name: result.tables[table.name].to_pylist() for table in TABLES}
    return {
        **cells,
        "refused": result.refused,
        "counts": (result.redacted, result.masked, result.refused_fields),
        "schemas": [result.tables[table.name].schema for table in TABLES],
    }


def assert_equal_paths(
    raws: Iterable[bytes], exposed: frozenset[str] = frozenset(), asked: str | None = None
) -> Transformed:
    documents = as_documents(raws, asked)
    found = transform(documents, exposed)
    assert everything_of(found) == everything_of(transform_tolerantly(documents, exposed))
    for table in found.tables.values():
        table.validate(full=True)
    refused = {one.position for one in found.refused}
    for document in (one for position, one in enumerate(documents) if position not in refused):
        kept = raw_line(document, exposed).partition(b',"document":')[2].removesuffix(b"}")
        assert encode_exactly(decode(kept)) == encode_exactly(redact(decode(document.raw), exposed).document)
    return found


# ---- Documents as text, so that a key can stand twice and a number be written in any way.

NUMBERS = st.sampled_from(
    ["0", "-0", "7", "3.5", "1e3", "1E400", "12345678", "9007199254740993", "9223372036854775807",
     "9223372036854775808", "123456789012345678901234567890", "1.0", "0.1000", "NaN", "-Infinity", "1722470400000",
     "true", "false", "null"]
)  # fmt: skip
SECRETS = ["hunter2-hunter2", "pä55wörd & co", 's3cret/with"quote', "12345678", "abc", "tok~EN-99887766",
           "mongodb://ana:s3cret-pw@db:27017/x", "line one of a key 1\nline two of a key 2"]  # fmt: skip
TIMES = ["2024-03-18T18:39:04.380Z", "2024-03-18T18:39:04.380112+00:00", "2023-12-01T14:18:43.123456789Z",
         "2024-03-18T18:39:04", "2024-03-18", "2024-02-30T00:00:00Z", "0001-01-01T00:00:00+05:00", "just now",
         "1722470400000", "2024-03-18 18:39:04,5 -05:30", "2024-03-18T18:39:04.1234567-23:59"]  # fmt: skip
TEXTS = [
    "", "a", "completed", "full", "DEFAULT", "[redacted]", "ü-server", "😀", "http://u:p@h/?token=t1", "password=x",
    "Bearer abcdefgh12345678", "__etl_redacted__", '{"configuration":{"password":{"value":"inside-1"}}}',
    "[1, 12345678]",
    '{"a":"hunter2-hunter2"}', "config", "my-config-1", " {", "ends in hunter2-h",
]  # fmt: skip
TEXT = (
    st.sampled_from([*SECRETS, *TIMES, *TEXTS])
    | st.text(max_size=6)
    | st.builds("{} and {}".format, st.sampled_from(SECRETS), st.sampled_from(TEXTS))
)
KEY = st.sampled_from(
    ["p", "q", "a/b", "~", "x.y", "ü", "client_secret", "config", "connector.configuration", "configuration", "value",
     "__etl_redacted__", "https://u:pass@h", "hunter2-hunter2", "label", "id", 'with "quote', ""]
)  # fmt: skip


def spelled(text: str) -> st.SearchStrategy[str]:
    """The same text as JSON: plain mostly, escaped, with an unpaired surrogate, or with bytes that are no UTF-8."""
    plain = json.dumps(text, ensure_ascii=False)
    return st.sampled_from([plain] * 60 + [json.dumps(text), plain.replace("/", "\\/"), plain[:-1] + '\\ud800"',
                                           plain[:-1] + '\udcff"', plain.replace("e", "\\u0065")])  # fmt: skip


SCALAR = TEXT.flatmap(spelled) | NUMBERS


def object_of(pairs: st.SearchStrategy[list[tuple[str, str]]]) -> st.SearchStrategy[str]:
    return pairs.map(lambda pairs: "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}")


def array_of(item: st.SearchStrategy[str], most: int = 3) -> st.SearchStrategy[str]:
    return st.lists(item, max_size=most).map(lambda items: "[" + ",".join(items) + "]")


ANY = st.recursive(
    SCALAR,
    lambda inner: array_of(inner) | object_of(st.lists(st.tuples(KEY.flatmap(spelled), inner), max_size=3)),
    max_leaves=6,
)


@st.composite
def members(draw: st.DrawFn, odd: st.SearchStrategy[str], /, **known: st.SearchStrategy[str]) -> str:
    """An object with some of the known members; where odd values may be, also an unknown one or a repeated one."""
    names = draw(st.lists(st.sampled_from(sorted(known)), unique=True, min_size=len(known) // 2))
    pairs = [(json.dumps(name), draw(known[name])) for name in names]
    oddity = 3 if odd.is_empty else draw(st.integers(min_value=0, max_value=12))
    if oddity == 0 and pairs:
        pairs.append((draw(st.sampled_from(pairs))[0], draw(odd)))
    elif oddity == 1:
        pairs.insert(0, (draw(KEY.flatmap(spelled)), draw(odd)))
    return "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"


def plain(*texts: str) -> st.SearchStrategy[str]:
    return st.sampled_from([json.dumps(text, ensure_ascii=False) for text in texts])


def bodies(odd: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Sync jobs in the shape of any writer.

    Args:
        odd: what may stand in the place of any value; nothing, for documents that mostly fit.
    """
    typical = 6  # times as often as an odd value
    time = st.one_of(*[plain(*TIMES[:3])] * typical, st.just("null"), odd)
    name = st.one_of(*[plain("a", "name-1", "ü-server", "DEFAULT")] * typical, st.just("null"), odd)
    count = st.one_of(*[st.sampled_from(["0", "1", "17", "2147483647"])] * typical, st.just("null"), odd)
    flag = st.sampled_from(["true", "false", "true", "false", "null", '"true"', "1"])
    free = plain(*SECRETS, *TEXTS, *(f"failed at {secret}." for secret in SECRETS)) | odd | st.sampled_from(["{}", "7"])
    deep = free | array_of(free) | object_of(st.lists(st.tuples(KEY.map(json.dumps), free), max_size=2)) | odd
    entry = members(
        odd, label=name, type=name, display=name, category=name, required=flag, sensitive=flag, order=count,
        tooltip=name, placeholder=free, value=st.one_of(free, free, deep), default_value=free, options=array_of(deep),
        depends_on=array_of(members(odd, field=name, value=free)), validations=array_of(deep),
        ui_restrictions=array_of(name),
    )  # fmt: skip
    fields = st.sampled_from(["host", "port", "password", "odd", "a/b", "ü", "value"])
    configuration = st.lists(fields, unique=True, max_size=5).flatmap(
        lambda names: st.tuples(*(st.tuples(st.just(json.dumps(one)), entry | odd) for one in names)).map(list)
    )
    rule = members(
        odd,
        id=name,
        order=count,
        policy=name,
        field=name | array_of(name),
        rule=name,
        value=name,
        created_at=time,
        updated_at=time,
    )
    filtering = members(
        odd,
        domain=name,
        advanced_snippet=members(odd, value=st.just("{}") | deep, created_at=time, updated_at=time),
        rules=array_of(rule | st.sampled_from(["null", "{}"])),
        validation=members(odd, state=name, errors=st.sampled_from(["[]", "[]", "null", "{}"]) | odd),
    )
    parts = {
        "configuration": object_of(configuration) | st.sampled_from(["null", "{}"]) | odd,
        "filtering": st.one_of(filtering, filtering, array_of(filtering), st.sampled_from(["null", "{}", "[]"]), odd),
        "pipeline": members(odd, name=name, extract_binary_content=flag, run_ml_inference=flag) | st.just("null") | odd,
        "sync_cursor": st.just("null") | deep,
        "index_name": name,
        "language": name,
        "service_type": name,
        "id": name,
    }
    scalars = {
        **dict.fromkeys(["job_type", "status", "trigger_method", "worker_hostname"], name),
        **dict.fromkeys(["created_at", "started_at", "completed_at", "canceled_at", "last_seen"], time),
        **dict.fromkeys(["indexed_document_count", "indexed_document_volume", "total_document_count"], count),
        "error": st.just("null") | free,
        "metadata": st.just("{}") | deep,
    }
    connector = members(odd, **parts) | odd
    nested = members(odd, connector=connector, **scalars)
    dotted = members(odd, connector=connector, **scalars, **{"connector.sync_cursor": parts["sync_cursor"]})
    flat = members(odd, connector_id=name, **{one: part for one, part in parts.items() if one != "id"}, **scalars)
    aliases = {f"connector.{one}": part for one, part in parts.items()}
    return st.one_of(nested, nested, dotted, flat, members(odd, connector=connector, **scalars, **aliases))


TIDY = bodies(st.nothing())
ODD = bodies(ANY)


@st.composite
def document_texts(draw: st.DrawFn) -> bytes:
    """A sync job, compact and with an id mostly."""
    body = draw(TIDY if draw(st.integers(min_value=0, max_value=3)) else ODD)
    own = draw(st.sampled_from(['"id":"job"'] * 15 + ['"id":""', '"id":7', '"x":1']))
    text = f"{{{own}{',' if body != '{}' else ''}{body[1:]}"
    if draw(st.integers(min_value=0, max_value=15)) == 0:
        text = draw(st.sampled_from([" " + text, text + "\n", text.replace(":", ": "), "\ufeff" + text, text[:-1]]))
    return text.encode("utf-8", "surrogateescape")


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(document_texts(), max_size=4), EXPOSED, st.sampled_from([None, None, "job"]))
def test_any_documents_become_the_same_on_both_paths(
    raws: list[bytes], exposed: frozenset[str], asked: str | None
) -> None:
    assert_equal_paths(raws, exposed, asked)


@pytest.mark.slow
@settings(max_examples=2000, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(document_texts(), max_size=4), EXPOSED, st.sampled_from([None, None, "job"]))
def test_very_many_documents_become_the_same_on_both_paths(
    raws: list[bytes], exposed: frozenset[str], asked: str | None
) -> None:
    assert_equal_paths(raws, exposed, asked)


@settings(max_examples=40)
@given(st.binary(max_size=60) | ANY.map(lambda text: text.encode("utf-8", "surrogateescape")))
@example(b"[" * 400 + b"]" * 400)
@example(b'{"a":' * 295 + b"1" + b"}" * 295)
@example(b'{"a":' * 299 + b"1" + b"}" * 299)
def test_any_bytes_in_any_place_become_the_same(part: bytes) -> None:
    places = [b'"metadata":%b', b'"error":%b', b'"connector":%b', b'"connector":{"configuration":%b}',
              b'"status":%b', b'"created_at":%b', b'"indexed_document_count":%b',
              b'"connector":{"configuration":{"host":{"label":"h","value":%b}}}', b'"connector":{"filtering":%b}',
              b'"connector":{"filtering":{"advanced_snippet":{"value":%b}}}', b'"connector":{"pipeline":%b}',
              b'"connector":{"id":"c","sync_cursor":%b,"configuration":{"password":{"value":"hunter2-hunter2"}}}',
    ]  # fmt: skip
    assert_equal_paths([b'{"id":"job",' + place.replace(b"%b", part) + b"}" for place in places] + [part])


@pytest.mark.parametrize("exposed", [frozenset[str](), frozenset({"host", "port", "password"})])
def test_samples_and_generated_jobs_become_the_same(exposed: frozenset[str]) -> None:
    raws = [compact(json.loads(path.read_text())) for path in sorted(SAMPLES.glob("*.json"))]
    raws += [path.read_bytes() for path in sorted(SAMPLES.glob("*.json"))]
    raws += [compact(generate_job(3, number)) for number in range(120)]

    assert_equal_paths(raws, exposed)


@pytest.mark.slow
def test_thousands_of_generated_jobs_become_the_same() -> None:
    for seed in (1, 2, 3):
        assert_equal_paths(compact(generate_job(seed, number)) for number in range(3000))


def test_documents_as_a_cluster_has_them_take_the_fast_path() -> None:
    raws = [compact(generate_job(3, number, added=number)) for number in range(200)]

    found = [fitted(raw, None) for raw in raws]

    assert sum(one is not None and fast_path(frozenset()).read(one) is not None for one in found) > 190


def with_password(password: str, **fields: Any) -> bytes:
    return compact(job(connector={"configuration": {"password": {"label": "p", "value": password}}}, **fields))


def test_each_document_is_masked_by_its_own_secrets_though_their_texts_are_equal() -> None:
    error = "refused: hunter2-hunter2, s3same-s3same"
    raws = [with_password(word, error=error) for word in ("hunter2-hunter2", "s3same-s3same", "other-password-1")]

    found = assert_equal_paths(raws * 2).tables["sync_jobs"]["error"].to_pylist()

    one, other = "refused: [redacted], s3same-s3same", "refused: hunter2-hunter2, [redacted]"
    assert found == [one, other, error] * 2


def test_what_is_exposed_in_one_call_is_withheld_in_the_next() -> None:
    raw = compact(job(connector={"configuration": {"host": {"label": "Host", "value": "db.example.org"}}}))

    values = [
        transform(as_documents([raw]), exposed).tables["connector_configuration"]["value"].to_pylist()
        for exposed in (frozenset[str](), frozenset({"host"}), frozenset[str]())
    ]

    assert values == [[None], ["db.example.org"], [None]]


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was_also_after_an_error(*, enabled: bool) -> None:
    def broken() -> Iterable[Document]:
        yield from as_documents([compact(job())])
        raise LookupError

    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        transform(as_documents([compact(job())]))
        assert gc.isenabled() is enabled
        with pytest.raises(LookupError):
            transform(broken())
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()
