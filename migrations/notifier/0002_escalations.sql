-- Alerts, and who answers for them. Rebuilt from the log at any time.
CREATE TABLE notifier.escalation (
    tenant           text   NOT NULL,
    alert_id         text   NOT NULL,
    resource         text   NOT NULL,
    message_kind     text   NOT NULL,
    -- muster.notification.v1 EscalationStarted, with the rule that holds for the alert
    started          bytea  NOT NULL,
    step             bigint NOT NULL DEFAULT 0,
    repetitions      bigint NOT NULL DEFAULT 0,
    renotified_at_us bigint,
    -- AlertAcknowledged, AlertSilenced, EscalationEnded
    acknowledged     bytea,
    silenced         bytea,
    ended            bytea,
    -- Position of its first event: newest first, and the cursor of the pages
    sequence         bigint NOT NULL,
    PRIMARY KEY (tenant, alert_id)
);

CREATE INDEX escalation_newest ON notifier.escalation (tenant, sequence DESC);
CREATE INDEX escalation_open ON notifier.escalation (tenant, resource, message_kind) WHERE ended IS NULL;

SELECT eventlog.protect('notifier.escalation');
