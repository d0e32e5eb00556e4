-- Drills that somebody asked for by hand: they count as successes, and were not due.
ALTER TABLE planner.occurrence
    ADD COLUMN by_hand boolean NOT NULL DEFAULT false;
