-- What is declared, as the log says it. Rebuilt from the log at any time.
CREATE TABLE planner.document (
    tenant text NOT NULL,
    -- 'site', 'resource', 'notification-route', …
    kind text NOT NULL,
    name text NOT NULL,
    -- The event's own version: 1 for the first declaration.
    version bigint NOT NULL CHECK (version > 0),
    retired boolean NOT NULL,
    -- muster.inventory.v1.Document; version and retired hold as in the columns.
    document bytea NOT NULL,
    PRIMARY KEY (tenant, kind, name)
);
SELECT eventlog.protect('planner.document');

-- Which documents in use name which others: who would miss a document that is taken out of use.
CREATE TABLE planner.reference (
    tenant text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    to_kind text NOT NULL,
    to_name text NOT NULL,
    PRIMARY KEY (tenant, to_kind, to_name, kind, name)
);
CREATE INDEX reference_from ON planner.reference (tenant, kind, name);
SELECT eventlog.protect('planner.reference');

-- Requests that are not over: their resources should not change under them unnoticed.
CREATE TABLE planner.open_request (
    tenant text NOT NULL,
    request_id text NOT NULL,
    resource text NOT NULL,
    -- Confirmed by the phrase: the executor is or will be at work.
    confirmed boolean NOT NULL,
    PRIMARY KEY (tenant, request_id)
);
CREATE INDEX open_request_resource ON planner.open_request (tenant, resource);
SELECT eventlog.protect('planner.open_request');
