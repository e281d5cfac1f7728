"""The configuration fields of each service type, after the connectors that Elastic publishes, with invented values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from etl.sandbox import invented

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl.jsontext import JsonValue

Pairs: TypeAlias = "tuple[tuple[str, JsonValue], ...]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One field of a connector's configuration.

    Attributes:
        name: the key under `configuration`.
        value: what stands there, or an `invented` maker of it.
        depends_on: (field, value) pairs; the field is shown only where all hold.
        options: (label, value) pairs of a dropdown.
        validations: (type, constraint) pairs.
    """

    name: str
    label: str
    value: JsonValue
    type: str = "str"
    display: str = "textbox"
    default: JsonValue = None
    sensitive: bool = False
    required: bool = True
    tooltip: str | None = None
    placeholder: str | None = None
    category: str | None = None
    depends_on: Pairs = ()
    options: Pairs = ()
    validations: Pairs = ()
    ui_restrictions: tuple[str, ...] = ()


def _text(name: str, label: str, value: JsonValue, tooltip: str | None = None, *, required: bool = True) -> Setting:
    return Setting(name=name, label=label, value=value, tooltip=tooltip, required=required)


def _secret(name: str, label: str, maker: invented.Maker, depends_on: Pairs = ()) -> Setting:
    return Setting(name=name, label=label, value=maker, sensitive=True, depends_on=depends_on)


def _number(name: str, label: str, value: JsonValue, default: JsonValue, tooltip: str | None = None) -> Setting:
    return Setting(
        name=name,
        label=label,
        value=value,
        type="int",
        display="numeric",
        default=default,
        required=False,
        tooltip=tooltip,
        ui_restrictions=("advanced",),
        validations=(("greater_than", -1),) if value is not None else (),
    )


def _toggle(name: str, label: str, *, value: bool, tooltip: str | None = None, depends_on: Pairs = ()) -> Setting:
    return Setting(
        name=name,
        label=label,
        value=value,
        type="bool",
        display="toggle",
        default=False,
        tooltip=tooltip,
        depends_on=depends_on,
    )


def _list(name: str, label: str, value: JsonValue, tooltip: str | None = None, default: JsonValue = "*") -> Setting:
    return Setting(
        name=name,
        label=label,
        value=value,
        type="list",
        display="textarea",
        default=default,
        tooltip=tooltip,
        validations=(("list_type", "str"),),
    )


def _choice(name: str, label: str, value: str, *options: tuple[str, str]) -> Setting:
    return Setting(
        name=name,
        label=label,
        value=value,
        display="dropdown",
        default=value,
        options=options,
        validations=(("included_in", [option for _, option in options]),),
    )


_COMMON = (
    _number("retry_count", "Retries per request", 3, 3),
    _toggle(
        "use_text_extraction_service",
        "Use text extraction service",
        value=False,
        tooltip="Requires a separate deployment of the Elastic Text Extraction Service. Requires that pipeline "
        "settings disable text extraction.",
    ),
    _toggle(
        "use_document_level_security",
        "Enable document level security",
        value=False,
        tooltip="Document level security ensures identities and permissions set in the source are maintained in "
        "Elasticsearch. This enables you to restrict and personalize read-access users and groups have to documents.",
    ),
)


def _database(scheme: str, port: int, database: str) -> tuple[Setting, ...]:
    return (
        _text("host", "Host", f"{scheme}-0.example.com"),
        Setting(
            name="port",
            label="Port",
            value=port,
            type="int",
            display="numeric",
            validations=(("greater_than", 0), ("less_than", 65536)),
        ),
        _text("username", "Username", "sync_reader"),
        _secret("password", "Password", invented.password),
        _text("database", "Database", database),
        _text("schema", "Schema", "public"),
        _list("tables", "Comma-separated list of tables", "orders,customers", "Enter '*' for all tables."),
        _number("fetch_size", "Rows fetched per request", 50, 50),
        _toggle("ssl_enabled", "Enable SSL verification", value=True),
        Setting(
            name="ssl_ca",
            label="SSL certificate",
            value="-----BEGIN CERTIFICATE-----\nMIIBexample\n-----END CERTIFICATE-----\n",
            display="textarea",
            required=False,
            depends_on=(("ssl_enabled", True),),
        ),
    )


_ATLASSIAN_SOURCE = ("confluence_cloud", "confluence_server")

SERVICES: Mapping[str, tuple[Setting, ...]] = {
    "mongodb": (
        _text("host", "Server hostname", invented.mongodb_url, "A connection string, with or without credentials."),
        _text("user", "Username", "sync_reader", required=False),
        _secret("password", "Password", invented.password),
        _text("database", "Database", "shop"),
        _text("collection", "Collection", "orders"),
        _toggle("direct_connection", "Direct connection", value=False),
        _toggle("ssl_enabled", "SSL/TLS Connection", value=True),
        Setting(
            name="ssl_ca",
            label="Certificate Authority (.pem)",
            value="",
            required=False,
            depends_on=(("ssl_enabled", True),),
        ),
        _toggle("tls_insecure", "Skip certificate verification", value=False, depends_on=(("ssl_enabled", True),)),
    ),
    "postgresql": (*_database("postgres", 5432, "billing"), *_COMMON),
    "mssql": (
        *_database("mssql", 1433, "erp"),
        _text("proxy_url", "Proxy", invented.proxy_url, required=False),
        _toggle("validate_host", "Validate host", value=False, depends_on=(("ssl_enabled", True),)),
    ),
    "sharepoint_online": (
        _text("tenant_id", "Tenant ID", invented.guid),
        _text("tenant_name", "Tenant name", "example"),
        _text("client_id", "Client ID", invented.guid),
        _choice(
            "auth_method",
            "Authentication Method",
            "secret",
            ("Client Secret", "secret"),
            ("Certificate", "certificate"),
        ),
        _secret("secret_value", "Secret value", invented.token("7Q8~", 36), (("auth_method", "secret"),)),
        _secret("private_key", "Content of private key file", invented.private_key, (("auth_method", "certificate"),)),
        _list("site_collections", "Comma-separated list of sites", "HR,Engineering"),
        _toggle("enumerate_all_sites", "Enumerate all sites?", value=False),
        _toggle("fetch_subsites", "Fetch sub-sites of configured sites?", value=True),
        _toggle(
            "fetch_drive_item_permissions",
            "Fetch drive item permissions",
            value=True,
            tooltip="Enable this option to fetch drive item specific permissions. This setting can increase sync time.",
            depends_on=(("use_document_level_security", True),),
        ),
        _toggle(
            "fetch_unique_page_permissions",
            "Fetch unique page permissions",
            value=True,
            depends_on=(("use_document_level_security", True),),
        ),
        *_COMMON,
    ),
    "s3": (
        _list(
            "buckets", "AWS Buckets", "reports,contracts", "AWS buckets are ignored when advanced sync rules are on."
        ),
        _text("aws_access_key_id", "AWS Access Key Id", invented.token("AKIA", 16)),
        _secret("aws_secret_access_key", "AWS Secret Key", invented.token("", 40)),
        _number("read_timeout", "Read timeout", 90, 90),
        _number("connect_timeout", "Connection timeout", 90, 90),
        _number("max_attempts", "Maximum retry attempts", 5, 5),
        _number("page_size", "Maximum size of page", 100, 100),
        *_COMMON[1:],
    ),
    "confluence": (
        _choice(
            "data_source",
            "Confluence data source",
            _ATLASSIAN_SOURCE[0],
            ("Confluence Cloud", _ATLASSIAN_SOURCE[0]),
            ("Confluence Server", _ATLASSIAN_SOURCE[1]),
        ),
        _text("username", "Confluence Server username", "sync"),
        _secret("password", "Confluence Server password", invented.password, (("data_source", _ATLASSIAN_SOURCE[1]),)),
        _text("account_email", "Confluence Cloud account email", "sync@example.com"),
        _secret("api_token", "API token", invented.token("ATATT3x", 48), (("data_source", _ATLASSIAN_SOURCE[0]),)),
        _text("confluence_url", "Confluence URL", "https://example.atlassian.net"),
        _list("spaces", "Confluence space keys", "HR,DEV"),
        _toggle("index_labels", "Enable indexing labels", value=False),
        _toggle("ssl_enabled", "Enable SSL", value=False),
        _number("concurrent_downloads", "Maximum concurrent downloads", 50, 50),
        *_COMMON,
    ),
    "jira": (
        _choice(
            "data_source", "Jira data source", "jira_cloud", ("Jira Cloud", "jira_cloud"), ("Server", "jira_server")
        ),
        _text("account_email", "Jira Cloud email address", "sync@example.com"),
        _secret("api_token", "Jira Cloud API token", invented.token("ATATT3x", 48), (("data_source", "jira_cloud"),)),
        _secret("data_center_password", "Jira Data Center password", invented.password),
        _text("jira_url", "Jira host url", "https://example.atlassian.net"),
        _list("projects", "Jira project keys", "OPS,WEB"),
        _number("concurrent_downloads", "Maximum concurrent downloads", 100, 100),
        *_COMMON,
    ),
    "github": (
        _choice("auth_method", "Authentication method", "personal_access_token", ("Token", "personal_access_token")),
        _secret("token", "GitHub Token", invented.token("ghp_", 36)),
        _choice("repo_type", "Repository Type", "organization", ("Organization", "organization"), ("Other", "other")),
        _text("org_name", "Organization Name", "example"),
        _list("repositories", "List of repositories", "*"),
        _toggle("ssl_enabled", "Enable SSL", value=False),
        *_COMMON,
    ),
    "google_drive": (
        Setting(
            name="service_account_credentials",
            label="Google Drive service account JSON",
            value=invented.service_account,
            sensitive=True,
            tooltip="This connectors authenticates as a service account to synchronize content from Google Drive.",
        ),
        _toggle("use_domain_wide_delegation_for_sync", "Use domain-wide delegation", value=False),
        _text("google_workspace_admin_email", "Google Workspace admin email", "admin@example.com"),
        _number("max_concurrency", "Maximum concurrent HTTP requests", 25, 25),
        *_COMMON[1:],
    ),
    "azure_blob_storage": (
        _text("account_name", "Azure Blob Storage account name", "examplestore"),
        _text("account_key", "Azure Blob Storage account key", invented.azure_account_key),
        _text("blob_endpoint", "Azure Blob Storage blob endpoint", "https://examplestore.blob.core.windows.net"),
        _list("containers", "Azure Blob Storage containers", ["contracts", "reports"], default=[]),
        _number("concurrent_downloads", "Maximum concurrent downloads", 100, 100),
        *_COMMON,
    ),
    "network_drive": (
        _text("username", "Username", "sync"),
        _secret("password", "Password", invented.password),
        _text("server_ip", "SMB IP", "10.1.2.3"),
        _number("server_port", "SMB port", 445, 445),
        _text("drive_path", "SMB path", "Shared/Documents"),
        *_COMMON[1:],
    ),
    "elastic-crawler": (
        Setting(
            name="crawl_rules",
            label="Crawl rules",
            value={"domains": [{"url": "https://example.com", "seeds": ["/"], "depth": 3}], "auth": None},
            display="textarea",
            category="crawl",
            placeholder="{}",
        ),
        _secret("basic_auth", "Basic authentication", invented.password),
        _number("max_duration", "Maximum duration", 86400, ""),
        _toggle("purge", "Purge documents", value=True),
    ),
}
