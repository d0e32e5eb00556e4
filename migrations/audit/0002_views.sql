-- Read models of their own, each filled from the kinds of events it is about. Rebuilt from the log at any time.

-- One row for each gap, as it stands.
CREATE TABLE audit.gap (
    tenant          text    NOT NULL,
    gap_id          text    NOT NULL,
    opened_sequence bigint  NOT NULL,
    closed          boolean NOT NULL,
    -- muster.audit.v1.Severity: a larger one is worse
    severity        int     NOT NULL,
    resource        text    NOT NULL,
    group_name      text    NOT NULL,
    request_id      text    NOT NULL,
    -- muster.audit.v1.Gap as protobuf
    gap             bytea   NOT NULL,
    PRIMARY KEY (tenant, gap_id)
);

-- As they are listed: what stands before what is closed, the worst first, then the newest.
CREATE INDEX gap_in_order ON audit.gap (tenant, closed, (-severity), (-opened_sequence));
CREATE INDEX gap_by_request ON audit.gap (tenant, request_id) WHERE request_id <> '';

-- Which events belong to a request's story: those that name it, and those that began with it.
CREATE TABLE audit.story (
    tenant     text   NOT NULL,
    request_id text   NOT NULL,
    sequence   bigint NOT NULL,
    PRIMARY KEY (tenant, request_id, sequence)
);

-- One row for each field of a declared document that changed.
CREATE TABLE audit.change (
    tenant      text        NOT NULL,
    sequence    bigint      NOT NULL,
    -- Within its event, from 0
    position    int         NOT NULL,
    happened_at timestamptz NOT NULL,
    kind        text        NOT NULL,
    name        text        NOT NULL,
    field       text        NOT NULL,
    -- muster.audit.v1.ConfigurationChange as protobuf
    change      bytea       NOT NULL,
    PRIMARY KEY (tenant, sequence, position)
);

CREATE INDEX change_of_document ON audit.change (tenant, kind, name, sequence);

-- Attempts that were refused alike within one minute, in one row.
CREATE TABLE audit.denied (
    tenant       text        NOT NULL,
    -- Of the first one
    sequence     bigint      NOT NULL,
    happened_at  timestamptz NOT NULL,
    -- Who, what, why and on what: equal for attempts that are alike
    alike        text        NOT NULL,
    -- Lower case, id and name
    actor_search text        NOT NULL,
    attempts     int         NOT NULL,
    -- muster.identity.v1.AttemptDenied as protobuf
    denied       bytea       NOT NULL,
    PRIMARY KEY (tenant, sequence)
);

CREATE INDEX denied_alike ON audit.denied (tenant, alike, sequence);

SELECT eventlog.protect('audit.gap');
SELECT eventlog.protect('audit.story');
SELECT eventlog.protect('audit.change');
SELECT eventlog.protect('audit.denied');
