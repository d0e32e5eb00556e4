-- What is told later or with others, and what of a delivery lists are filtered by.
ALTER TABLE notifier.delivery
    ADD COLUMN severity         text   NOT NULL DEFAULT '',
    ADD COLUMN tier             int    NOT NULL DEFAULT 0,
    ADD COLUMN person           text   NOT NULL DEFAULT '',
    ADD COLUMN test             bool   NOT NULL DEFAULT false,
    ADD COLUMN repetition       bigint NOT NULL DEFAULT 0,
    ADD COLUMN alert_id         text   NOT NULL DEFAULT '',
    -- Why it was suppressed or is held
    ADD COLUMN rule             text   NOT NULL DEFAULT '',
    ADD COLUMN held_until_us    bigint,
    ADD COLUMN grouped_into     text   NOT NULL DEFAULT '',
    -- Position of the event that put it there
    ADD COLUMN grouped_sequence bigint,
    -- Position of its first attempt: what joined a group before that is told by it
    ADD COLUMN claimed_sequence bigint;

CREATE INDEX delivery_by_group ON notifier.delivery (tenant, grouped_into, grouped_sequence) WHERE grouped_into <> '';
CREATE INDEX delivery_by_end_of_hold ON notifier.delivery (tenant, route, recipient, held_until_us)
    WHERE held_until_us IS NOT NULL;
CREATE INDEX delivery_by_state ON notifier.delivery (tenant, state, sequence DESC);
CREATE INDEX delivery_by_alert ON notifier.delivery (tenant, alert_id, sequence DESC) WHERE alert_id <> '';
