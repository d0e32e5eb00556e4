-- A request holds everything it is about: each resource, its group, and the plan it runs by. One row for each.
ALTER TABLE planner.open_request
    ADD COLUMN kind text NOT NULL DEFAULT 'resource',
    DROP CONSTRAINT open_request_pkey,
    ADD PRIMARY KEY (tenant, request_id, kind, resource);
