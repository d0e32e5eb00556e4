-- The event by which a tenant's payload key was destroyed, once the tables were emptied of what it protected.
ALTER TABLE eventlog.position ADD COLUMN forgotten_at bigint NOT NULL DEFAULT 0;
