//! PostgreSQL keeps tenants apart in every table of every service, whatever the services' code forgets.
//!
//! The tables are read from the catalogue, so a new one is covered by being there. One row of "acme" is written into
//! each; then the role of the services tries to see it, to change it, to remove it and to write such a row itself.

#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{collections::BTreeSet, fs, path::Path};

use muster_eventlog::{
    Database, DatabaseError, Schema,
    db::{OWNER_ROLE, SERVICE_ROLE, assert_row_level_security},
};
use muster_local::postgres::PostgresServer;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

const SCHEMAS: [Schema; 5] = [
    muster_planner::MIGRATIONS,
    muster_monitor::MIGRATIONS,
    muster_approval::MIGRATIONS,
    muster_notifier::MIGRATIONS,
    muster_audit::MIGRATIONS,
];

/// "permission denied", also by row-level security.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// As whom a statement runs: `muster.tenant` of its transaction.
#[derive(Debug, Clone, Copy)]
enum Tenant {
    /// Never set on this connection.
    Unset,
    Is(&'static str),
}

/// Everybody but acme.
const STRANGERS: [Tenant; 3] = [Tenant::Is("globex"), Tenant::Unset, Tenant::Is("")];

/// A server with all services' tables.
struct Stage {
    server: PostgresServer,
    superuser: PgConnection,
    tables: Vec<Table>,
}

struct Table {
    /// "planner.document"
    name: String,
    /// Writes a row of acme.
    insert: String,
}

impl Stage {
    async fn new() -> Self {
        let server = PostgresServer::temporary().await.unwrap();
        let admin_url = server.url(server.superuser(), "postgres");
        Database::prepare(&admin_url).await.unwrap();
        Database::migrate(&server.url(OWNER_ROLE, "postgres"), &SCHEMAS).await.unwrap();
        let mut superuser = PgConnection::connect(&admin_url).await.unwrap();
        // A row without the rows that it refers to: foreign keys are not what is tested.
        sqlx::query("SET session_replication_role = replica").execute(&mut superuser).await.unwrap();
        let mut stage = Self { server, superuser, tables: Vec::new() };
        stage.fill().await;
        stage
    }

    /// One row of acme in every table.
    async fn fill(&mut self) {
        self.tables = tables(&mut self.superuser).await;
        for table in &self.tables {
            sqlx::raw_sql(AssertSqlSafe(table.insert.clone())).execute(&mut self.superuser).await.unwrap();
        }
    }

    /// A connection of its own: a setting that was made once stays known to the session.
    async fn service(&self) -> PgConnection {
        PgConnection::connect(&self.server.url(SERVICE_ROLE, "postgres")).await.unwrap()
    }

    /// Everything in a table, past all rules.
    async fn truth(&mut self, table: &str) -> Vec<String> {
        let sql = AssertSqlSafe(format!("SELECT t::text FROM {table} t"));
        sqlx::query_scalar(sql).fetch_all(&mut self.superuser).await.unwrap()
    }

    /// What is wrong with the separation of tenants, one line each.
    async fn faults(&mut self) -> Vec<String> {
        let mut faults = Vec::new();
        for Table { name, insert } in std::mem::take(&mut self.tables) {
            let before = self.truth(&name).await;
            for stranger in STRANGERS {
                let mut service = self.service().await;
                let found = strangers_faults(&mut service, stranger, &name, &insert).await;
                faults.extend(found.into_iter().map(|fault| format!("{name}, {stranger:?}: {fault}")));
            }
            faults.extend(own_faults(&mut self.service().await, &name).await);
            if self.truth(&name).await != before {
                faults.push(format!("{name}: acme's row is not what it was"));
            }
        }
        faults
    }
}

/// All tables that services have, with an INSERT that fits their columns.
async fn tables(superuser: &mut PgConnection) -> Vec<Table> {
    let rows = sqlx::query(
        "SELECT table_schema || '.' || table_name, array_agg(column_name::text), array_agg(udt_name::text)
         FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
         WHERE table_type = 'BASE TABLE' AND is_generated = 'NEVER' AND is_identity = 'NO'
           AND table_schema NOT IN ('pg_catalog', 'information_schema', 'migration')
         GROUP BY 1 ORDER BY 1",
    )
    .fetch_all(superuser)
    .await
    .unwrap();
    let table = |row: &sqlx::postgres::PgRow| {
        let (name, columns, types): (String, Vec<String>, Vec<String>) = (row.get(0), row.get(1), row.get(2));
        let values: Vec<&str> = columns.iter().zip(&types).map(|(column, of_type)| value(column, of_type)).collect();
        let insert = format!("INSERT INTO {name} ({}) VALUES ({})", columns.join(", "), values.join(", "));
        Table { name, insert }
    };
    rows.iter().map(table).collect()
}

/// Some value, as SQL. A type without one fails when its column is filled.
fn value(column: &str, of_type: &str) -> &'static str {
    match (column, of_type) {
        ("tenant", _) => "'acme'",
        (_, "int2" | "int4" | "int8" | "float8" | "numeric") => "1",
        (_, "bool") => "true",
        (_, "bytea") => r"'\x01'",
        (_, "timestamptz") => "'2026-01-01T00:00:00Z'",
        (_, "uuid") => "'01890a5d-ac96-774b-bcce-b302099a8057'",
        (_, "json" | "jsonb" | "_text") => "'{}'",
        _ => "'x'",
    }
}

/// Runs one statement as this tenant and commits: the rows that it returned or changed.
async fn run(connection: &mut PgConnection, tenant: Tenant, sql: &str) -> Result<u64, sqlx::Error> {
    let mut tx = connection.begin().await?;
    if let Tenant::Is(tenant) = tenant {
        sqlx::query("SELECT set_config('muster.tenant', $1, true)").bind(tenant).execute(&mut *tx).await?;
    }
    let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut *tx).await?.rows_affected();
    tx.commit().await?;
    Ok(rows)
}

fn is_refused(result: &Result<u64, sqlx::Error>) -> bool {
    let code = result.as_ref().err().and_then(|error| error.as_database_error()?.code());
    code.is_some_and(|code| code == INSUFFICIENT_PRIVILEGE)
}

async fn strangers_faults(service: &mut PgConnection, stranger: Tenant, table: &str, insert: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for sql in [
        format!("SELECT * FROM {table}"),
        format!("SELECT * FROM {table} FOR UPDATE"),
        format!("UPDATE {table} SET tenant = tenant"),
        format!("UPDATE {table} SET tenant = 'globex' WHERE tenant = 'acme'"),
        format!("DELETE FROM {table}"),
    ] {
        let result = run(service, stranger, &sql).await;
        if !matches!(result, Ok(0)) {
            faults.push(format!("{sql}: {result:?}"));
        }
    }
    for sql in [insert.to_owned(), format!("{insert} ON CONFLICT DO NOTHING"), format!("TRUNCATE {table}")] {
        let result = run(service, stranger, &sql).await;
        if !is_refused(&result) {
            faults.push(format!("{sql}: {result:?}"));
        }
    }
    faults
}

/// Acme has its row, may change it, and may not give it away or shed the rules.
async fn own_faults(service: &mut PgConnection, table: &str) -> Vec<String> {
    let (acme, mut faults) = (Tenant::Is("acme"), Vec::new());
    for sql in [format!("SELECT * FROM {table}"), format!("UPDATE {table} SET tenant = tenant")] {
        let result = run(service, acme, &sql).await;
        if !matches!(result, Ok(1)) {
            faults.push(format!("{table}, its own tenant: {sql}: {result:?}"));
        }
    }
    for sql in [
        format!("UPDATE {table} SET tenant = 'globex'"),
        format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"),
        format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY"),
        format!("DROP POLICY tenant ON {table}"),
        format!("SET LOCAL ROLE {OWNER_ROLE}"),
        "SELECT * FROM migration.applied".to_owned(),
    ] {
        let result = run(service, acme, &sql).await;
        if !is_refused(&result) {
            faults.push(format!("{table}, its own tenant: {sql}: {result:?}"));
        }
    }
    faults
}

#[tokio::test]
async fn no_tenant_sees_or_changes_what_is_anothers() {
    let mut stage = Stage::new().await;
    let schemas: BTreeSet<&str> = stage.tables.iter().filter_map(|t| Some(t.name.split_once('.')?.0)).collect();
    let expected: BTreeSet<&str> = SCHEMAS.iter().map(|schema| schema.name).chain(["eventlog"]).collect();
    assert_eq!(schemas, expected, "every schema has tables, and no other has");

    let faults = stage.faults().await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test]
async fn the_tables_owner_is_under_the_same_rules() {
    let stage = Stage::new().await;
    let mut owner = PgConnection::connect(&stage.server.url(OWNER_ROLE, "postgres")).await.unwrap();
    for table in &stage.tables {
        let seen = run(&mut owner, Tenant::Unset, &format!("SELECT * FROM {}", table.name)).await.unwrap();
        assert_eq!(seen, 0, "{}", table.name);
    }
}

#[tokio::test]
async fn nothing_leads_around_the_rules() {
    let mut stage = Stage::new().await;
    let db = Database::connect(&stage.server.url(SERVICE_ROLE, "postgres")).await.unwrap();
    assert_row_level_security(db.pool()).await.unwrap();
    // A view, or a function that runs as its owner, reads with other rights than the caller's.
    let others: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE relkind IN ('v', 'm', 'f') AND nspname NOT IN ('pg_catalog', 'information_schema')
         UNION ALL
         SELECT proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE prosecdef AND nspname NOT IN ('pg_catalog', 'information_schema')",
    )
    .fetch_all(&mut stage.superuser)
    .await
    .unwrap();
    assert_eq!(others, Vec::<String>::new());
}

#[tokio::test]
async fn a_table_that_forgot_the_rules_is_found() {
    let mut stage = Stage::new().await;
    let forgotten = "CREATE TABLE planner.forgotten (tenant text PRIMARY KEY);
                     ALTER TABLE planner.forgotten OWNER TO muster_owner;
                     GRANT SELECT, INSERT, UPDATE, DELETE ON planner.forgotten TO muster_service";
    sqlx::raw_sql(forgotten).execute(&mut stage.superuser).await.unwrap();

    let db = Database::connect(&stage.server.url(SERVICE_ROLE, "postgres")).await.unwrap();
    let found = assert_row_level_security(db.pool()).await;
    assert!(matches!(&found, Err(DatabaseError::Unprotected(table)) if table == "planner.forgotten"), "{found:?}");

    // And the test above would say so too.
    stage.tables = tables(&mut stage.superuser).await;
    stage.tables.retain(|table| table.name == "planner.forgotten");
    let insert = stage.tables[0].insert.clone();
    sqlx::raw_sql(AssertSqlSafe(insert)).execute(&mut stage.superuser).await.unwrap();
    let faults = stage.faults().await;
    let seen_by_all = STRANGERS
        .iter()
        .all(|stranger| faults.iter().any(|fault| fault.starts_with(&format!("planner.forgotten, {stranger:?}: "))));
    assert!(seen_by_all, "{faults:?}");
}

#[test]
fn every_services_migrations_are_among_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let files = |folder: &Path| -> BTreeSet<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.map(|name| name.trim_end_matches(".sql").to_owned()).collect()
    };
    let listed: BTreeSet<String> = SCHEMAS.iter().map(|schema| schema.name.to_owned()).collect();
    assert_eq!(listed, files(&folder), "a service with tables: add its MIGRATIONS here and in services/muster");
    for schema in SCHEMAS {
        let names: BTreeSet<String> = schema.migrations.iter().map(|migration| migration.name.to_owned()).collect();
        assert_eq!(names, files(&folder.join(schema.name)), "{}", schema.name);
    }
}
