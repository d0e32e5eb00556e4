//! The hands on one host.

use std::time::Duration;

use muster_local::postgres::{PostgresServer, StopMode};
use muster_platform::{
    AgentError,
    agent::{ClusterState, ServerProcess, StandbySource},
};

use crate::pair::{Pair, login};

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn sees_stops_kills_and_starts_a_server() {
    let server = PostgresServer::temporary().await.unwrap();
    let agent = Pair::agent_of(&server);
    let ServerProcess::Running(running) = agent.process().await.unwrap() else { panic!("it runs") };
    assert_eq!(running.port, Some(server.port()));
    assert!(running.pids.len() > 1 && running.started_at.is_some(), "{running:?}");
    assert_eq!(agent.control_data().await.unwrap().state, ClusterState::InProduction);
    assert!(agent.free_disk().await.unwrap() > 0);
    assert_eq!(agent.fork_point(1).await.unwrap(), None);
    assert!(agent.local_setting("include_if_exists").await.unwrap().is_some());

    agent.stop(LIMIT).await.unwrap();
    agent.stop(LIMIT).await.unwrap();
    assert_eq!(agent.process().await.unwrap(), ServerProcess::Stopped);
    assert_eq!(agent.control_data().await.unwrap().state, ClusterState::ShutDown);

    agent.start(LIMIT).await.unwrap();
    // A postmaster alone can be killed, and its children go on for a while: they count as running.
    agent.kill().await.unwrap();
    agent.kill().await.unwrap();
    assert_eq!(agent.process().await.unwrap(), ServerProcess::Stopped);
    assert_eq!(agent.control_data().await.unwrap().state, ClusterState::InProduction);
    agent.start(LIMIT).await.unwrap();
    assert!(agent.process().await.unwrap().is_running());
}

/// A fence holds whoever starts the server, and can be put up while it runs.
#[tokio::test]
async fn a_fenced_server_never_accepts_writes() {
    let mut server = PostgresServer::temporary().await.unwrap();
    server.sql("CREATE TABLE t (n int)").await.unwrap();
    let agent = Pair::agent_of(&server);
    assert!(!agent.is_fenced().await.unwrap());
    agent.fence().await.unwrap();
    agent.fence().await.unwrap();
    server.sql("INSERT INTO t VALUES (1)").await.unwrap();

    for stop in [StopMode::Fast, StopMode::Immediate] {
        server.stop(stop).await.unwrap();
        server.start().await.unwrap();
        let refused = server.sql("INSERT INTO t VALUES (2)").await.unwrap_err().to_string();
        assert!(refused.contains("read-only transaction"), "{refused}");
    }
    agent.stop(LIMIT).await.unwrap();
    agent.unfence().await.unwrap();
    agent.unfence().await.unwrap();
    agent.start(LIMIT).await.unwrap();
    server.sql("INSERT INTO t VALUES (3)").await.unwrap();
}

#[tokio::test]
async fn a_running_server_is_not_reconfigured_and_a_missing_one_is_an_error() {
    let server = PostgresServer::temporary().await.unwrap();
    let agent = Pair::agent_of(&server);
    let source = StandbySource {
        host: "127.0.0.1".into(),
        port: 1,
        login: login("repl", "very-secret"),
        tls: false,
        slot: "muster_a".into(),
        application_name: "a".into(),
    };
    assert!(matches!(agent.configure_standby(&source).await, Err(AgentError::Configuration(_))));
    assert!(!agent.is_fenced().await.unwrap());
    let refused = agent.try_source(&source).await.unwrap_err().to_string();
    assert!(refused.contains("refused") && !refused.contains("very-secret"), "{refused}");

    let dir = server.dir().to_owned();
    drop(server);
    assert!(!dir.exists());
    assert!(agent.process().await.is_err(), "a directory that is not there proves nothing");
    assert!(agent.control_data().await.is_err() && agent.is_fenced().await.is_ok_and(|fenced| !fenced));
}
