//! PostgreSQL keeps tenants apart, whatever the code forgets.

use muster_eventlog::{Database, DatabaseError, Migration, Schema, db::assert_row_level_security};
use sqlx::Row;

use crate::support::{
    tables::{SCHEMA, database, owner_url, service_url},
    tenant,
};

const INSERT: &str = "INSERT INTO counting.total VALUES ($1, 'x', 1, 1)";

#[tokio::test]
async fn a_transaction_sees_its_tenant_only() {
    let (_server, db) = database().await;
    for name in ["acme", "globex"] {
        let mut tx = db.tenant_tx(&tenant(name)).await.unwrap();
        sqlx::query(INSERT).bind(name).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }
    let everything = "SELECT tenant FROM counting.total";
    let mut tx = db.tenant_tx(&tenant("acme")).await.unwrap();
    let seen: Vec<String> =
        sqlx::query(everything).fetch_all(&mut *tx).await.unwrap().iter().map(|r| r.get(0)).collect();
    assert_eq!(seen, ["acme"]);
    let changed = sqlx::query("UPDATE counting.total SET sum = 9").execute(&mut *tx).await.unwrap();
    assert_eq!(changed.rows_affected(), 1);
    let foreign = sqlx::query(INSERT).bind("initech").execute(&mut *tx).await;
    assert!(foreign.is_err(), "a row of another tenant cannot be written");
    drop(tx);

    // The same connections, without a tenant: nothing, rather than everything or the last one's.
    for _ in 0..20 {
        assert_eq!(sqlx::query(everything).fetch_all(db.pool()).await.unwrap().len(), 0);
    }
    assert!(sqlx::query(INSERT).bind("acme").execute(db.pool()).await.is_err());
}

#[tokio::test]
async fn a_table_without_row_level_security_is_found() {
    let (server, db) = database().await;
    assert_row_level_security(db.pool()).await.unwrap();
    let unprotected = [
        ("CREATE TABLE counting.open (tenant text)", "counting.open"),
        (
            "CREATE TABLE counting.unforced (tenant text); SELECT eventlog.protect('counting.unforced');
          ALTER TABLE counting.unforced NO FORCE ROW LEVEL SECURITY",
            "counting.unforced",
        ),
        (
            "CREATE TABLE counting.wide (tenant text); SELECT eventlog.protect('counting.wide');
          CREATE POLICY all_of_them ON counting.wide USING (true)",
            "counting.wide",
        ),
    ];
    for (sql, table) in unprotected {
        server.sql(sql).await.unwrap();
        let found = assert_row_level_security(db.pool()).await;
        assert!(matches!(&found, Err(DatabaseError::Unprotected(tables)) if tables == table), "{found:?}");
        server.sql(&format!("DROP TABLE {table}")).await.unwrap();
    }
}

#[tokio::test]
async fn roles_that_bypass_row_level_security_are_refused() {
    let (server, _db) = database().await;
    let superuser = Database::connect(&server.url(server.superuser(), "postgres")).await;
    assert!(matches!(superuser, Err(DatabaseError::TooPowerful { .. })), "{superuser:?}");
    server.sql("CREATE ROLE sly LOGIN BYPASSRLS").await.unwrap();
    let sly = Database::connect(&server.url("sly", "postgres")).await;
    assert!(matches!(sly, Err(DatabaseError::TooPowerful { .. })), "{sly:?}");
    // The service owns nothing, so it cannot switch row-level security off.
    let service = Database::connect(&service_url(&server)).await.unwrap();
    let off = sqlx::query("ALTER TABLE counting.total DISABLE ROW LEVEL SECURITY").execute(service.pool()).await;
    assert!(off.is_err());
    assert!(sqlx::query("SELECT * FROM migration.applied").execute(service.pool()).await.is_err());
}

#[tokio::test]
async fn migrations_are_applied_once_and_never_change() {
    let (server, _db) = database().await;
    let owner = owner_url(&server);
    let (first, second) = tokio::join!(Database::migrate(&owner, &[SCHEMA]), Database::migrate(&owner, &[SCHEMA]));
    first.unwrap();
    second.unwrap();

    const CHANGED: Schema =
        Schema { name: "counting", migrations: &[Migration { name: "0001_tables", sql: "SELECT 'something else'" }] };
    let changed = Database::migrate(&owner, &[CHANGED]).await;
    assert!(matches!(changed, Err(DatabaseError::MigrationChanged { .. })), "{changed:?}");

    const OLDER: Schema = Schema { name: "counting", migrations: &[] };
    let older = Database::migrate(&owner, &[OLDER]).await;
    assert!(matches!(older, Err(DatabaseError::NewerDatabase { .. })), "{older:?}");

    const BROKEN: Schema = Schema {
        name: "broken",
        migrations: &[Migration { name: "0001", sql: "CREATE TABLE broken.half (tenant text); SELECT nonsense" }],
    };
    let broken = Database::migrate(&owner, &[BROKEN]).await;
    assert!(matches!(broken, Err(DatabaseError::MigrationFailed { .. })), "{broken:?}");
    assert_eq!(server.sql("SELECT to_regclass('broken.half') IS NULL").await.unwrap().trim(), "t", "all or nothing");
}
