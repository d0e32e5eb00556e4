-- Due times of schedules that have come, and what became of them. Rebuilt from the log at any time.
CREATE TABLE planner.occurrence (
    tenant text NOT NULL,
    schedule text NOT NULL,
    -- Nanoseconds since 1970: a due time is told from others by its whole value.
    due_ns bigint NOT NULL,
    -- muster.schedule.v1.OccurrenceState
    state integer NOT NULL,
    -- No success for too long after it was due: told as an alarm.
    overdue boolean NOT NULL DEFAULT false,
    -- When it succeeded or came to nothing.
    settled_ns bigint,
    -- Empty: a review, or left out.
    request_id text NOT NULL,
    what text NOT NULL,
    resource text NOT NULL,
    group_name text NOT NULL,
    plan text NOT NULL,
    note text NOT NULL,
    PRIMARY KEY (tenant, schedule, due_ns)
);
CREATE INDEX occurrence_due ON planner.occurrence (tenant, due_ns);
SELECT eventlog.protect('planner.occurrence');
