-- One row for each event of the log, with what people filter by. Rebuilt from the log at any time.
CREATE TABLE audit.record (
    tenant            text        NOT NULL,
    sequence          bigint      NOT NULL,
    stored_at         timestamptz NOT NULL,
    -- When the actor did it, by the service's clock
    happened_at       timestamptz NOT NULL,
    type              text        NOT NULL,
    -- Lower case, id and name: for "who" filters
    actor_search      text        NOT NULL,
    resource          text        NOT NULL,
    request_id        text        NOT NULL,
    -- muster.audit.v1.AuditRecord as protobuf: people's texts may hold what SQL text cannot
    record            bytea       NOT NULL,
    PRIMARY KEY (tenant, sequence)
);

CREATE INDEX record_by_time ON audit.record (tenant, happened_at);
CREATE INDEX record_by_resource ON audit.record (tenant, resource, sequence) WHERE resource <> '';
CREATE INDEX record_by_request ON audit.record (tenant, request_id, sequence) WHERE request_id <> '';

-- Which resource a request is about: later events of the request name only the request.
CREATE TABLE audit.request_resource (
    tenant     text NOT NULL,
    request_id text NOT NULL,
    resource   text NOT NULL,
    PRIMARY KEY (tenant, request_id)
);

SELECT eventlog.protect('audit.record');
SELECT eventlog.protect('audit.request_resource');
