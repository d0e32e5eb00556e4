-- Proofs are asked for by the event's id. Rows from before have none until `muster projection rebuild audit.records`.
ALTER TABLE audit.record ADD COLUMN event_id uuid;

CREATE INDEX record_by_event_id ON audit.record (tenant, event_id) WHERE event_id IS NOT NULL;
