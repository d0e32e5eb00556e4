//! The MariaDB server that tests and the demonstration protect: made, replicated, stopped, killed, removed.

#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use muster_local::{
    mariadb::{MariadbAccount, MariadbAccounts, MariadbOptions, MariadbServer},
    tools,
};

fn accounts() -> MariadbAccounts {
    MariadbAccounts {
        monitor: MariadbAccount::new("mon", "mon-password"),
        execute: MariadbAccount::new("exec", "exec-password"),
        replication: MariadbAccount::new("repl", "it's: \\ secret"),
    }
}

#[tokio::test]
async fn a_pair_replicates_and_survives_stops_and_crashes() {
    if tools::or_skip(tools::mariadb()).unwrap().is_none() {
        return;
    }
    let mut a = MariadbServer::temporary().await.unwrap();
    let mut b = MariadbServer::temporary().await.unwrap();
    a.create_accounts(&accounts()).await.unwrap();
    a.sql("CREATE DATABASE app; CREATE TABLE app.ledger (n BIGINT PRIMARY KEY)").await.unwrap();
    b.follow(&a, &accounts().replication).await.unwrap();
    assert_eq!(b.sql("SELECT count(*) FROM app.ledger; SELECT @@read_only").await.unwrap(), "0\n1");

    // What a server acknowledged outlives its crash; a replica stays one and comes up read-only.
    a.sql("INSERT INTO app.ledger VALUES (1)").await.unwrap();
    a.kill().await.unwrap();
    assert!(!a.is_running() && a.sql("SELECT 1").await.is_err());
    a.start().await.unwrap();
    b.restart().await.unwrap();
    assert_eq!(b.sql("SELECT @@read_only").await.unwrap(), "1");
    let position = a.sql("SELECT @@gtid_binlog_pos").await.unwrap();
    assert_eq!(b.sql(&format!("SELECT MASTER_GTID_WAIT('{position}', 30)")).await.unwrap(), "0");
    assert_eq!(b.sql("SELECT n FROM app.ledger").await.unwrap(), "1");

    let (dir, pid) = (a.dir().to_owned(), a.pid().unwrap());
    drop(a);
    assert!(!dir.exists() && !std::path::Path::new(&format!("/proc/{pid}/cwd")).exists());
}

#[tokio::test]
async fn a_server_is_opened_again_by_its_directory() {
    if tools::or_skip(tools::mariadb()).unwrap().is_none() {
        return;
    }
    let base = tempfile::Builder::new().prefix("my-").tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(base.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    // Deeper than the whole path of a socket may be.
    let dir = base.path().join("a-directory-with-a-name-that-is-long".repeat(3));
    let mut first = MariadbServer::init(&dir).await.unwrap();
    first.start().await.unwrap();
    first.create_accounts(&accounts()).await.unwrap();
    let (port, pid) = (first.port(), first.pid());
    drop(first);

    let mut again = MariadbServer::init(MariadbOptions::new(&dir)).await.unwrap();
    assert_eq!((again.port(), again.pid()), (port, pid), "the daemon outlives the value");
    again.start().await.unwrap();
    let grants = again.sql("SHOW GRANTS FOR mon").await.unwrap();
    assert!(grants.starts_with("GRANT BINLOG MONITOR, SLAVE MONITOR ON *.*"), "{grants}");
    again.stop().await.unwrap();
    again.stop().await.unwrap();
    assert!(!again.is_running());
}
