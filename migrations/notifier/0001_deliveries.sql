-- Who was told what, and when. Rebuilt from the log at any time. Times in microseconds since 1970.
CREATE TABLE notifier.delivery (
    tenant          text   NOT NULL,
    delivery_id     text   NOT NULL,
    -- muster.notification.v1.DeliveryState
    state           int    NOT NULL,
    route           text   NOT NULL,
    channel         text   NOT NULL,
    recipient       text   NOT NULL DEFAULT '',
    message_kind    text   NOT NULL,
    subject         text   NOT NULL DEFAULT '',
    source_event_id text   NOT NULL,
    resource        text   NOT NULL DEFAULT '',
    request_id      text   NOT NULL DEFAULT '',
    attempts        bigint NOT NULL DEFAULT 0,
    queued_at_us    bigint NOT NULL,
    finished_at_us  bigint,
    retry_at_us     bigint,
    last_error      text   NOT NULL DEFAULT '',
    receipt         text   NOT NULL DEFAULT '',
    -- Position of its first event: newest first, and the cursor of the pages
    sequence        bigint NOT NULL,
    PRIMARY KEY (tenant, delivery_id)
);

CREATE INDEX delivery_newest ON notifier.delivery (tenant, sequence DESC);
CREATE INDEX delivery_by_resource ON notifier.delivery (tenant, resource, sequence DESC);
CREATE INDEX delivery_by_request ON notifier.delivery (tenant, request_id, sequence DESC);

SELECT eventlog.protect('notifier.delivery');

-- How it goes with a recipient of a route: what decides whether it is still tried.
CREATE TABLE notifier.recipient (
    tenant              text   NOT NULL,
    route               text   NOT NULL,
    recipient           text   NOT NULL,
    last_accepted_at_us bigint,
    -- The first failure since the last success
    failing_since_us    bigint,
    -- Since it said that it is gone, or does not exist
    disabled_at_us      bigint,
    disabled_reason     text   NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, route, recipient)
);

SELECT eventlog.protect('notifier.recipient');
