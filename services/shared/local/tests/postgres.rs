//! PostgreSQL is really initialised, started, stopped, killed and copied.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

use std::time::{Duration, Instant};

use muster_local::{
    LocalError, free_port,
    postgres::{PostgresOptions, PostgresServer, StopMode},
};

const LIMIT: Duration = Duration::from_secs(60);

/// Asks until the answer is as expected.
async fn eventually(server: &PostgresServer, sql: &str, expected: &str) {
    let deadline = Instant::now() + LIMIT;
    loop {
        let answer = server.sql(sql).await;
        match answer {
            Ok(text) if text == expected => return,
            other => assert!(Instant::now() < deadline, "`{sql}` is {other:?}, not {expected}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn committed_rows_survive_a_fast_stop_an_immediate_stop_and_sigkill() {
    let mut server = PostgresServer::temporary().await.unwrap();
    server.sql("CREATE TABLE t (n int)").await.unwrap();
    for n in 0..3 {
        server.sql(&format!("INSERT INTO t VALUES ({n})")).await.unwrap();
        match n {
            0 => server.stop(StopMode::Fast).await.unwrap(),
            1 => server.stop(StopMode::Immediate).await.unwrap(),
            _ => server.kill().await.unwrap(),
        }
        assert!(!server.is_running());
        assert!(server.sql("SELECT 1").await.is_err(), "it still answers");
        server.start().await.unwrap();
    }
    assert_eq!(server.sql("SELECT count(*), max(n) FROM t").await.unwrap(), "3|2");
}

#[tokio::test]
async fn a_failed_statement_is_an_error_with_the_servers_words() {
    let server = PostgresServer::temporary().await.unwrap();
    let error = server.sql("SELECT * FROM nothing").await.unwrap_err().to_string();
    assert!(error.contains("relation \"nothing\" does not exist"), "{error}");
}

#[tokio::test]
async fn a_standby_streams_and_can_be_promoted() {
    let mut primary = PostgresServer::temporary().await.unwrap();
    let standby = PostgresServer::temporary_standby(&primary, "standby_1").await.unwrap();
    primary.sql("CREATE TABLE t AS SELECT 42 AS n").await.unwrap();
    eventually(&standby, "SELECT n FROM t", "42").await;
    assert_eq!(standby.sql("SELECT pg_is_in_recovery()").await.unwrap(), "t");
    let replication = "SELECT application_name, state, slot_name FROM pg_stat_replication \
                       JOIN pg_replication_slots ON active_pid = pid";
    eventually(&primary, replication, "standby_1|streaming|standby_1").await;

    primary.kill().await.unwrap();
    assert_eq!(standby.sql("SELECT pg_promote()").await.unwrap(), "t");
    standby.sql("INSERT INTO t VALUES (43)").await.unwrap();
}

#[tokio::test]
async fn a_data_directory_is_opened_again_with_its_port_and_rows() {
    // Below /var/tmp because the user who runs PostgreSQL for root must get there.
    let parent = tempfile::Builder::new().prefix("pg-open-").tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(parent.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let dir = parent.path().join("data");
    let mut first = PostgresServer::init(dir.clone()).await.unwrap();
    first.start().await.unwrap();
    first.sql("CREATE TABLE t (n int)").await.unwrap();
    let port = first.port();
    drop(first);

    let mut second = PostgresServer::init(PostgresOptions::new(&dir).setting("work_mem", "5MB")).await.unwrap();
    assert!(second.is_running(), "the daemon outlives the value that started it");
    assert_eq!(second.port(), port);
    assert_eq!(second.sql("SELECT count(*) FROM t").await.unwrap(), "0");
    second.stop(StopMode::Fast).await.unwrap();
    second.start().await.unwrap();
    assert_eq!(second.sql("SHOW work_mem").await.unwrap(), "5MB");
    second.kill().await.unwrap();
}

#[tokio::test]
async fn dropping_a_temporary_server_leaves_no_process_and_no_files() {
    let server = PostgresServer::temporary().await.unwrap();
    let (port, dir) = (server.port(), server.dir().to_owned());
    drop(server);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(!dir.exists());
}

#[tokio::test]
async fn an_automatic_port_that_was_taken_meanwhile_is_replaced() {
    let mut server = PostgresServer::temporary().await.unwrap();
    let port = server.port();
    server.stop(StopMode::Fast).await.unwrap();
    let _other = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    server.start().await.unwrap();
    assert_ne!(server.port(), port);
    assert_eq!(server.sql("SHOW port").await.unwrap(), server.port().to_string());
}

#[tokio::test]
async fn a_fixed_port_that_is_taken_is_named() {
    let parent = tempfile::Builder::new().prefix("pg-port-").tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(parent.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let port = free_port().unwrap();
    let _other = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let mut server = PostgresServer::init(PostgresOptions::new(parent.path().join("data")).port(port)).await.unwrap();
    match server.start().await {
        Err(error @ LocalError::PortTaken { .. }) => assert!(error.to_string().contains(&port.to_string())),
        other => panic!("expected PortTaken, got {other:?}"),
    }
}
