-- What the monitor knows of each resource. Times are milliseconds since 1970: what is compared is computed in the program.

-- Declared resources and policies, from the log: names, tiers, limits.
CREATE TABLE monitor.document (
    tenant   text    NOT NULL,
    -- muster.inventory.v1.Kind
    kind     int     NOT NULL,
    name     text    NOT NULL,
    -- muster.inventory.v1.Document
    document bytea   NOT NULL,
    retired  boolean NOT NULL,
    PRIMARY KEY (tenant, kind, name)
);

-- The recorded status, from the log.
CREATE TABLE monitor.readiness (
    tenant          text   NOT NULL,
    resource        text   NOT NULL,
    -- muster.readiness.v1.Status
    status          int    NOT NULL,
    status_since_ms bigint NOT NULL,
    -- muster.readiness.v1.Assessment, as recorded with the status
    assessment      bytea  NOT NULL,
    PRIMARY KEY (tenant, resource)
);

-- Alerts, from the log.
CREATE TABLE monitor.alert (
    tenant          text   NOT NULL,
    alert_id        text   NOT NULL,
    resource        text   NOT NULL,
    -- Position of "alert.opened": newest first, and the cursor of the pages
    opened_sequence bigint NOT NULL,
    opened_at_ms    bigint NOT NULL,
    -- NULL while it is open
    resolved_at_ms  bigint,
    -- muster.readiness.v1.AlertView
    view            bytea  NOT NULL,
    PRIMARY KEY (tenant, alert_id)
);

CREATE INDEX alert_newest ON monitor.alert (tenant, opened_sequence DESC);
CREATE INDEX alert_open ON monitor.alert (tenant, resource) WHERE resolved_at_ms IS NULL;

-- The newest judgement, from the measurements: written about once a second, not in the log.
CREATE TABLE monitor.latest (
    tenant          text   NOT NULL,
    resource        text   NOT NULL,
    seen_at_ms      bigint NOT NULL,
    -- muster.readiness.v1.Assessment
    assessment      bytea  NOT NULL,
    -- The newest one made with sight of both sides; empty if there was none
    last_known_good bytea  NOT NULL,
    active_site     text   NOT NULL,
    PRIMARY KEY (tenant, resource)
);

-- Down-sampled history: buckets of 10 s for two days, of 5 min for 90 days.
CREATE TABLE monitor.trend (
    tenant               text     NOT NULL,
    resource             text     NOT NULL,
    width_s              int      NOT NULL,
    bucket_ms            bigint   NOT NULL,
    -- NULL: not known in the whole bucket
    rpo_max_ms           bigint,
    not_received_max     bigint,
    not_applied_max      bigint,
    -- 0 green, 1 yellow, 2 unknown, 3 red
    worst                smallint NOT NULL,
    observations         int      NOT NULL,
    PRIMARY KEY (tenant, resource, width_s, bucket_ms)
);

CREATE INDEX trend_by_age ON monitor.trend (tenant, width_s, bucket_ms);

SELECT eventlog.protect('monitor.document');
SELECT eventlog.protect('monitor.readiness');
SELECT eventlog.protect('monitor.alert');
SELECT eventlog.protect('monitor.latest');
SELECT eventlog.protect('monitor.trend');
