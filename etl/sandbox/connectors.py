"""The connectors of the sandbox: a dozen of ten and more service types, each with its own habits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Connector:
    """A connector whose jobs the sandbox serves.

    Attributes:
        id: its id in Elasticsearch.
        weight: its share of all jobs.
        failures: the share of its jobs that end in error.
        documents: how many documents its source holds, about.
        kilobytes: of one document, about.
        has_cursor: whether it syncs incrementally and keeps a cursor.
    """

    id: str
    service_type: str
    index_name: str
    language: str | None = "en"
    weight: float
    failures: float = 0.07
    documents: int
    kilobytes: int
    has_cursor: bool = False


CONNECTORS = (
    Connector(
        id="xJd1vZIBkq3mX7a0hPLc",
        service_type="mongodb",
        index_name="search-shop-orders",
        weight=0.14,
        documents=180_000,
        kilobytes=2,
    ),
    Connector(
        id="billing-postgres",
        service_type="postgresql",
        index_name="search-billing",
        language="english",
        weight=0.12,
        documents=2_400_000,
        kilobytes=1,
    ),
    Connector(
        id="erp-mssql",
        service_type="mssql",
        index_name="search-erp",
        language="",
        weight=0.05,
        failures=0.2,
        documents=700_000,
        kilobytes=1,
    ),
    Connector(
        id="PmT2vZIBkq3mX7a0-_QZ",
        service_type="sharepoint_online",
        index_name="search-intranet",
        weight=0.15,
        documents=95_000,
        kilobytes=48,
        has_cursor=True,
    ),
    Connector(
        id="hr-sharepoint",
        service_type="sharepoint_online",
        index_name="search-hr",
        language="de",
        weight=0.08,
        failures=0.12,
        documents=12_000,
        kilobytes=60,
        has_cursor=True,
    ),
    Connector(
        id="contracts-s3",
        service_type="s3",
        index_name="search-contracts",
        language=None,
        weight=0.08,
        documents=40_000,
        kilobytes=220,
    ),
    Connector(
        id="wiki",
        service_type="confluence",
        index_name="search-wiki",
        weight=0.10,
        documents=33_000,
        kilobytes=9,
    ),
    Connector(
        id="tickets-jira", service_type="jira", index_name="search-tickets", weight=0.08, documents=410_000, kilobytes=3
    ),
    Connector(id="code", service_type="github", index_name="search-code", weight=0.06, documents=88_000, kilobytes=6),
    Connector(
        id="K3q9vZIBkq3mX7a0b1Ew",
        service_type="google_drive",
        index_name="search-drive",
        weight=0.05,
        documents=150_000,
        kilobytes=35,
        has_cursor=True,
    ),
    Connector(
        id="blobs",
        service_type="azure_blob_storage",
        index_name="search-blobs",
        language=None,
        weight=0.04,
        failures=0.15,
        documents=61_000,
        kilobytes=130,
    ),
    Connector(
        id="file-server",
        service_type="network_drive",
        index_name="search-files",
        language="en",
        weight=0.03,
        failures=0.3,
        documents=1_300_000,
        kilobytes=75,
    ),
    Connector(
        id="website",
        service_type="elastic-crawler",
        index_name="search-website",
        weight=0.02,
        documents=5_200,
        kilobytes=14,
    ),
)
