-- Ready joins for DuckDB: the same as ds.jobs() and ds.latest_jobs() in Python, held equal by a test.
-- Run it in the output folder's parent, such as:  duckdb -init docs/views.sql
-- Views read through `latest` each time: a query that meets a swap may find a file missing; repeat it.

CREATE OR REPLACE VIEW sync_jobs AS SELECT * FROM 'output/latest/sync_jobs/*.parquet';
CREATE OR REPLACE VIEW connectors AS SELECT * FROM 'output/latest/connectors/*.parquet';
CREATE OR REPLACE VIEW connector_configuration AS SELECT * FROM 'output/latest/connector_configuration/*.parquet';
CREATE OR REPLACE VIEW filtering AS SELECT * FROM 'output/latest/filtering/*.parquet';
CREATE OR REPLACE VIEW filtering_rules AS SELECT * FROM 'output/latest/filtering_rules/*.parquet';
CREATE OR REPLACE VIEW filtering_validation_errors AS SELECT * FROM 'output/latest/filtering_validation_errors/*.parquet';
CREATE OR REPLACE VIEW field_issues AS SELECT * FROM 'output/latest/field_issues/*.parquet';

-- One row a job, with its connector. Clocks of different machines can make durations negative; volume_mib is the volume
-- where that can be in MiB (no more than 100 MiB a document).
CREATE OR REPLACE VIEW jobs AS
SELECT
    j.*,
    c.* EXCLUDE (job_id, created_month, extra_json),
    c.extra_json AS connector_extra_json,
    coalesce(j.status IN ('completed', 'error', 'canceled'), false) AS is_final,
    coalesce(j.completed_at, j.canceled_at) AS ended_at,
    (epoch_us(coalesce(j.completed_at, j.canceled_at)) - epoch_us(j.started_at)) / 1e6 AS duration_s,
    (epoch_us(j.started_at) - epoch_us(j.created_at)) / 1e6 AS queue_s,
    CASE WHEN j.indexed_document_volume BETWEEN 0 AND 100 * greatest(coalesce(j.indexed_document_count, 0), 0)::DOUBLE
        THEN j.indexed_document_volume END AS volume_mib
FROM sync_jobs AS j
LEFT JOIN connectors AS c USING (job_id);

-- The newest job of each connector.
CREATE OR REPLACE VIEW latest_jobs AS
SELECT * FROM jobs
WHERE connector_id IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY connector_id ORDER BY created_at DESC NULLS LAST, job_id DESC) = 1
ORDER BY connector_id;
