-- Requests about groups are found by each of their resources; broken glass stays visible for ever.
ALTER TABLE approval.request
    ADD COLUMN group_name  text    NOT NULL DEFAULT '',
    -- Every resource of the request. Empty in rows of requests that were opened before groups: `resource` has theirs.
    ADD COLUMN resources   text[]  NOT NULL DEFAULT '{}',
    ADD COLUMN break_glass boolean NOT NULL DEFAULT false;

CREATE INDEX request_by_member ON approval.request USING gin (resources);
CREATE INDEX request_by_group ON approval.request (tenant, group_name, opened_sequence DESC) WHERE group_name <> '';
CREATE INDEX request_broken_glass ON approval.request (tenant, opened_sequence DESC) WHERE break_glass;

-- Who decides for whom while somebody is away.
CREATE TABLE approval.delegation (
    tenant        text    NOT NULL,
    delegation_id text    NOT NULL,
    -- Stable ids, as people's tokens carry them
    from_person   text    NOT NULL,
    to_person     text    NOT NULL,
    -- Milliseconds since 1970
    ends_ms       bigint  NOT NULL,
    ended         boolean NOT NULL DEFAULT false,
    -- Position of "delegation.begun": newest first, and the cursor of the pages
    sequence      bigint  NOT NULL,
    -- muster.request.v1.Delegated, as protobuf
    delegated     bytea   NOT NULL,
    PRIMARY KEY (tenant, delegation_id)
);

CREATE INDEX delegation_of_person ON approval.delegation (tenant, from_person, sequence);

SELECT eventlog.protect('approval.delegation');
