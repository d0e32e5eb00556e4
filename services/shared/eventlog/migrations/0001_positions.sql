-- What every service's tables rely on: the rule that a row belongs to a tenant, and the positions of readers.

-- A table is read and written within one tenant's transaction only, by its owner too.
CREATE FUNCTION eventlog.protect(protected regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', protected);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', protected);
    EXECUTE format(
        'CREATE POLICY tenant ON %s USING (tenant = current_setting(''muster.tenant'', true)) '
        'WITH CHECK (tenant = current_setting(''muster.tenant'', true))', protected);
END
$$;

-- How far a projection or a reactor has come in a tenant's log. Written in the same transaction as what it did.
CREATE TABLE eventlog.position (
    handler text NOT NULL,
    tenant text NOT NULL,
    sequence bigint NOT NULL DEFAULT 0 CHECK (sequence >= 0),
    -- Set while a rebuild is under way: the sequence it has to reach.
    rebuilding_to bigint,
    PRIMARY KEY (handler, tenant)
);

SELECT eventlog.protect('eventlog.position');
