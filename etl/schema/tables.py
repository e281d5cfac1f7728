"""The tables, declared once. Arrow schemas, flattening, pandas types and the data dictionary follow from here.

Facts about the source: the Elasticsearch connector API and what its writers really store (`docs/data-dictionary.md`
is generated from this module).
"""

from __future__ import annotations

from etl.schema.declare import Column, Kind, Table

_JOB_ID = Column(
    name="job_id",
    kind=Kind.STRING,
    description="The sync job's id (`_id` in Elasticsearch), an opaque string. Joins every table.",
    origin="`id` of the document",
    nullable=False,
)
_CREATED_MONTH = Column(
    name="created_month",
    kind=Kind.STRING,
    description='Month (UTC) in which the job was created, such as "2026-11"; null where created_at is. '
    "The partition that the row is filed in.",
    origin="created_at of the job",
)


def _extra(what: str) -> Column:
    return Column(
        name="extra_json",
        kind=Kind.JSON,
        description=f"Fields of {what} that have no column, as one JSON object; null where there are none.",
        origin="every field that no other column takes",
        free_text=True,
    )


def _taken(
    name: str,
    kind: Kind,
    description: str,
    *path: str,
    unit: str | None = None,
    free_text: bool = False,
) -> Column:
    """Declare a column that takes over the value at `path` (default: the column's own name)."""
    return Column(name=name, kind=kind, description=description, source=path or (name,), unit=unit, free_text=free_text)


def _position(name: str, what: str) -> Column:
    return Column(name=name, kind=Kind.INTEGER, description=what, origin="position in the array", nullable=False)


SYNC_JOBS = Table(
    name="sync_jobs",
    description="One row a sync job: what was asked for, what happened, and how much was moved.",
    key=("job_id",),
    node=(),
    columns=(
        _JOB_ID,
        Column(
            name="connector_id",
            kind=Kind.STRING,
            description="The connector that the job belongs to. The connector may have been deleted since.",
            source=("connector", "id"),
        ),
        _taken(
            "job_type",
            Kind.STRING,
            "`full`, `incremental` or `access_control`; null for jobs created before 8.9. Unknown values are kept.",
        ),
        _taken(
            "status",
            Kind.STRING,
            "`pending`, `in_progress`, `canceling`, `canceled`, `suspended`, `completed` or `error`. "
            "Final are completed, error and canceled. Unknown values are kept.",
        ),
        _taken("trigger_method", Kind.STRING, "`on_demand` or `scheduled`."),
        _taken(
            "created_at",
            Kind.TIME,
            "When the job was created, by the clock of who created it (Elasticsearch, Kibana or the worker).",
        ),
        _taken(
            "started_at",
            Kind.TIME,
            "When the work began, by the worker's clock; of the last start where a suspended job was resumed.",
        ),
        _taken(
            "completed_at",
            Kind.TIME,
            "When the work ended. Null for suspended jobs, and for some that ended in error.",
        ),
        _taken("cancelation_requested_at", Kind.TIME, "When somebody asked to cancel the job."),
        _taken("canceled_at", Kind.TIME, "When the job was canceled; a job canceled while pending never started."),
        _taken(
            "last_seen",
            Kind.TIME,
            "The worker's last sign of life, every 10 s while it runs. Five minutes of silence end a job in error.",
        ),
        _taken(
            "indexed_document_count",
            Kind.INTEGER,
            "Documents indexed, of the last start only where a suspended job was resumed.",
            unit="documents",
        ),
        _taken(
            "indexed_document_volume",
            Kind.INTEGER,
            "Volume indexed, as reported: MiB since 8.8, bytes before. Nothing in a document says which; "
            "below half a MiB newer versions report 0.",
            unit="MiB (bytes before 8.8)",
        ),
        _taken("deleted_document_count", Kind.INTEGER, "Documents deleted from the index.", unit="documents"),
        _taken(
            "total_document_count",
            Kind.INTEGER,
            "Documents in the target index when the job ended; null where it did not get that far.",
            unit="documents",
        ),
        _taken(
            "error",
            Kind.STRING,
            "Why the job failed, mostly `ClassName: text`; null where it did not. Secrets are masked as [redacted].",
            free_text=True,
        ),
        _taken("worker_hostname", Kind.STRING, "Host of the worker that claimed the job last."),
        _taken(
            "metadata_json",
            Kind.JSON,
            "Metadata that the connector attached, a JSON object, mostly `{}`.",
            "metadata",
            free_text=True,
        ),
        _extra("the job"),
        Column(
            name="fetched_at",
            kind=Kind.TIME,
            description="When this version of the job was first received; later, unchanged answers do not move it.",
            origin="clock of the run",
            nullable=False,
        ),
        Column(
            name="not_found_at",
            kind=Kind.TIME,
            description="When the cluster first said that it no longer has the job; null while it has. "
            "The row stays as it was last seen.",
            origin="clock of the run",
        ),
        _CREATED_MONTH,
    ),
)

CONNECTORS = Table(
    name="connectors",
    description="One row a sync job: its connector as it was when the job was created.",
    key=("job_id",),
    node=("connector",),
    columns=(
        _JOB_ID,
        _taken(
            "index_name",
            Kind.STRING,
            "The index that the connector fills; `.search-acl-filter-<index>` for jobs of type access_control.",
        ),
        _taken("language", Kind.STRING, "Language analyzer of the index; may be null or empty."),
        _taken("service_type", Kind.STRING, "Kind of the data source, such as `mongodb` or `sharepoint_online`."),
        _taken("pipeline_name", Kind.STRING, "Ingest pipeline that documents pass through.", "pipeline", "name"),
        _taken(
            "pipeline_extract_binary_content",
            Kind.BOOLEAN,
            "Whether the pipeline extracts text from binary files.",
            "pipeline",
            "extract_binary_content",
        ),
        _taken(
            "pipeline_reduce_whitespace",
            Kind.BOOLEAN,
            "Whether the pipeline reduces white space.",
            "pipeline",
            "reduce_whitespace",
        ),
        _taken(
            "pipeline_run_ml_inference",
            Kind.BOOLEAN,
            "Whether the pipeline runs machine learning inference.",
            "pipeline",
            "run_ml_inference",
        ),
        _taken(
            "sync_cursor_json",
            Kind.JSON,
            "Where an incremental sync resumes, a JSON object whose shape belongs to the connector. Tokens in it are "
            "masked.",
            "sync_cursor",
            free_text=True,
        ),
        _extra("the connector and its pipeline"),
        _CREATED_MONTH,
    ),
)

CONNECTOR_CONFIGURATION = Table(
    name="connector_configuration",
    description="One row a configuration field of a job's connector. Values are redacted unless they are exposed.",
    key=("job_id", "field"),
    node=("connector", "configuration", "*"),
    columns=(
        _JOB_ID,
        Column(
            name="field",
            kind=Kind.STRING,
            description="Name of the configuration field.",
            origin="key in the configuration",
            nullable=False,
        ),
        _taken("label", Kind.STRING, "What Kibana shows as the field's name."),
        _taken("type", Kind.STRING, "Declared type: `str`, `int`, `bool` or `list`. The value may disagree with it."),
        _taken("display", Kind.STRING, "How Kibana shows it: `textbox`, `textarea`, `numeric`, `toggle`, `dropdown`."),
        _taken("category", Kind.STRING, "Group that the field is shown in."),
        _taken("required", Kind.BOOLEAN, "Whether the field must be filled."),
        _taken(
            "sensitive",
            Kind.BOOLEAN,
            "Whether Kibana hides the value. Known secrets exist that are not flagged; null on old entries.",
        ),
        _taken("field_order", Kind.INTEGER, "Position in the form.", "order"),
        Column(
            name="value",
            kind=Kind.STRING,
            description="The value as plain text, where it is a scalar and may be shown.",
            source=("value",),
            free_text=True,
        ),
        Column(
            name="value_json",
            kind=Kind.JSON,
            description='The value as JSON, where it may be shown: keeps the difference of 5 and "5".',
            source=("value",),
            free_text=True,
        ),
        Column(
            name="value_type",
            kind=Kind.STRING,
            description="JSON type of the value, also of a redacted one: `string`, `integer`, `number`, `boolean`, "
            "`object`, `array` or `null`; null where the field has no value.",
            origin="type of `value`",
        ),
        Column(
            name="is_redacted",
            kind=Kind.BOOLEAN,
            description="True where something of this field was withheld: its value, its default or a value inside its "
            "options, dependencies, validations or unknown fields.",
            origin="the redactor",
            nullable=False,
        ),
        _taken(
            "default_value_json",
            Kind.JSON,
            "Default value as JSON, where it may be shown.",
            "default_value",
            free_text=True,
        ),
        _taken("tooltip", Kind.STRING, "Help text in Kibana.", free_text=True),
        _taken("placeholder", Kind.STRING, "Text shown in the empty form field.", free_text=True),
        _taken(
            "depends_on_json",
            Kind.JSON,
            "Conditions under which the field is shown, a JSON array of {field, value}.",
            "depends_on",
            free_text=True,
        ),
        _taken(
            "options_json",
            Kind.JSON,
            "Choices of a dropdown, a JSON array of {label, value}.",
            "options",
            free_text=True,
        ),
        _taken(
            "validations_json",
            Kind.JSON,
            "Rules for the value, a JSON array of {type, constraint}.",
            "validations",
            free_text=True,
        ),
        _taken(
            "ui_restrictions_json",
            Kind.JSON,
            "Where Kibana shows the field, a JSON array.",
            "ui_restrictions",
            free_text=True,
        ),
        _extra("the configuration field"),
        _CREATED_MONTH,
    ),
)

FILTERING = Table(
    name="filtering",
    description="One row a filtering of a job: its advanced snippet and the state of its validation.",
    key=("job_id", "filtering_index"),
    node=("connector", "filtering", "[]"),
    columns=(
        _JOB_ID,
        _position("filtering_index", "Position of the filtering, from 0. Only the first is ever used by connectors."),
        _taken("domain", Kind.STRING, "Domain of the filtering, mostly `DEFAULT`; only older writers store it."),
        _taken(
            "advanced_snippet_value_json",
            Kind.JSON,
            "Advanced filter in the data source's own language, a JSON object or array.",
            "advanced_snippet",
            "value",
            free_text=True,
        ),
        _taken(
            "advanced_snippet_created_at",
            Kind.TIME,
            "When the snippet was created.",
            "advanced_snippet",
            "created_at",
        ),
        _taken(
            "advanced_snippet_updated_at",
            Kind.TIME,
            "When the snippet was changed last.",
            "advanced_snippet",
            "updated_at",
        ),
        _taken("validation_state", Kind.STRING, "`edited`, `invalid` or `valid`.", "validation", "state"),
        _extra("the filtering, its snippet and its validation"),
        _CREATED_MONTH,
    ),
)

FILTERING_RULES = Table(
    name="filtering_rules",
    description="One row a basic sync rule of a job.",
    key=("job_id", "filtering_index", "rule_index"),
    node=("connector", "filtering", "[]", "rules", "[]"),
    columns=(
        _JOB_ID,
        _position("filtering_index", "Position of the filtering that the rule belongs to, from 0."),
        _position("rule_index", "Position of the rule in its filtering, from 0."),
        _taken("rule_id", Kind.STRING, "The rule's id; `DEFAULT` is the rule that everything else falls to.", "id"),
        _taken("rule_order", Kind.INTEGER, "Order in which rules are tried.", "order"),
        _taken("policy", Kind.STRING, "`include` or `exclude`."),
        _taken("field", Kind.STRING, "Document field that is tested; an array of fields stands as compact JSON."),
        _taken(
            "rule",
            Kind.STRING,
            "The test: `contains`, `ends_with`, `equals`, `regex`, `starts_with`, `>` or `<`.",
        ),
        _taken("value", Kind.STRING, "What the field is compared with."),
        _taken("created_at", Kind.TIME, "When the rule was created."),
        _taken("updated_at", Kind.TIME, "When the rule was changed last."),
        _extra("the rule"),
        _CREATED_MONTH,
    ),
)

FILTERING_VALIDATION_ERRORS = Table(
    name="filtering_validation_errors",
    description="One row a complaint about a filtering.",
    key=("job_id", "filtering_index", "error_index"),
    node=("connector", "filtering", "[]", "validation", "errors", "[]"),
    columns=(
        _JOB_ID,
        _position("filtering_index", "Position of the filtering that the complaint is about, from 0."),
        _position("error_index", "Position of the complaint, from 0."),
        _taken("ids", Kind.STRINGS, "Ids of the rules concerned, or `advanced_snippet`."),
        _taken("messages", Kind.STRINGS, "What is wrong with them.", free_text=True),
        _extra("the complaint"),
        _CREATED_MONTH,
    ),
)

FIELD_ISSUES = Table(
    name="field_issues",
    description="One row a value that could not become its column's type: the column is null, the original is here.",
    key=("job_id", "path"),
    node=None,
    columns=(
        _JOB_ID,
        Column(
            name="table_name",
            kind=Kind.STRING,
            description="Table that the value belongs to.",
            origin="the table's declaration",
        ),
        Column(
            name="column_name",
            kind=Kind.STRING,
            description="Column that is null in its place; null where a whole object could not be read.",
            origin="the column's declaration",
        ),
        Column(
            name="path",
            kind=Kind.STRING,
            description="Where the value stands in the document (JSON Pointer, RFC 6901).",
            origin="position in the document",
            nullable=False,
        ),
        Column(
            name="problem",
            kind=Kind.STRING,
            description="What is wrong with it.",
            origin="the conversion",
            nullable=False,
        ),
        Column(
            name="original_json",
            kind=Kind.JSON,
            description="The value as received, as JSON; secrets are redacted here as everywhere.",
            origin="the value",
            free_text=True,
        ),
        _CREATED_MONTH,
    ),
)

TABLES: tuple[Table, ...] = (
    SYNC_JOBS,
    CONNECTORS,
    CONNECTOR_CONFIGURATION,
    FILTERING,
    FILTERING_RULES,
    FILTERING_VALIDATION_ERRORS,
    FIELD_ISSUES,
)

LARGEST_DOCUMENT_MIB = 100
"""Elasticsearch takes no larger request, so no larger document either: a higher mean shows a volume in bytes."""

FINAL_STATUSES = ("completed", "error", "canceled")
"""Statuses that a job does not leave by itself (a slow worker may still overwrite them for a while)."""

JOB_TIMES = tuple(column.name for column in SYNC_JOBS.columns if column.kind is Kind.TIME and column.source)
"""Columns of sync_jobs that hold times out of the document; the latest of them decides when a job is settled."""
