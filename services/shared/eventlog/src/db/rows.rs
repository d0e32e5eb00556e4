//! Checks that every table separates tenants.

use sqlx::{PgPool, Row};

use super::DatabaseError;

/// Tables without tenants: no service may even look into this schema.
const EXEMPT_SCHEMA: &str = "migration";

/// Tables (`schema.table`) that lack row-level security, its forcing on the owner, or the policy by tenant.
pub async fn tables_without_row_level_security(pool: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT n.nspname || '.' || c.relname
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p')
           AND n.nspname NOT IN ('pg_catalog', 'information_schema', $1)
           AND n.nspname NOT LIKE 'pg\\_%'
           AND NOT (c.relrowsecurity AND c.relforcerowsecurity
                    AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid
                                AND pg_get_expr(p.polqual, p.polrelid) LIKE '%muster.tenant%')
                    AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive
                                    AND coalesce(pg_get_expr(p.polqual, p.polrelid), '') NOT LIKE '%muster.tenant%'))
         ORDER BY 1",
    )
    .bind(EXEMPT_SCHEMA)
    .fetch_all(pool)
    .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// For start-up, `muster doctor` and tests.
pub async fn assert_row_level_security(pool: &PgPool) -> Result<(), DatabaseError> {
    let tables = tables_without_row_level_security(pool).await?;
    if tables.is_empty() { Ok(()) } else { Err(DatabaseError::Unprotected(tables.join(", "))) }
}
