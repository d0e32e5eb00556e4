-- Requests as lists show them. Rebuilt from the log at any time.
CREATE TABLE approval.request (
    tenant          text   NOT NULL,
    request_id      text   NOT NULL,
    resource        text   NOT NULL DEFAULT '',
    -- muster.request.v1.RequestState, with the execution's state folded in
    state           int    NOT NULL DEFAULT 0,
    -- Position of "request.created": newest first, and the cursor of the pages
    opened_sequence bigint NOT NULL DEFAULT 0,
    -- Position of the newest event of the request or of its execution
    version         bigint NOT NULL,
    -- muster.request.v1.RequestView without its execution, as protobuf: people's texts may hold what SQL text cannot
    request         bytea  NOT NULL,
    -- muster.execution.v1.ExecutionView; empty before it began
    execution       bytea  NOT NULL,
    PRIMARY KEY (tenant, request_id)
);

CREATE INDEX request_newest ON approval.request (tenant, opened_sequence DESC);
CREATE INDEX request_by_resource ON approval.request (tenant, resource, opened_sequence DESC);

SELECT eventlog.protect('approval.request');
