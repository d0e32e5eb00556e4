//! nats-server is really started, stopped, killed and restarted.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

use muster_local::{
    LocalError, free_port,
    nats::{Credentials, NatsCluster, NatsOptions, NatsServer},
};

/// Sends one JetStream request as plain NATS protocol and gives the answer's body.
fn request(port: u16, subject: &str, body: &str) -> String {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).unwrap());
    stream.get_ref().set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let message = format!(
        "CONNECT {{\"verbose\":false}}\r\nSUB _INBOX.t 1\r\nPUB {subject} _INBOX.t {}\r\n{body}\r\n",
        body.len()
    );
    stream.get_mut().write_all(message.as_bytes()).unwrap();
    let mut line = String::new();
    while !line.starts_with("MSG _INBOX.t") {
        line.clear();
        assert!(stream.read_line(&mut line).unwrap() > 0, "the server closed the connection");
    }
    line.clear();
    stream.read_line(&mut line).unwrap();
    line
}

fn create_stream(port: u16, replicas: usize) -> String {
    let config = format!(r#"{{"name":"T","subjects":["t.>"],"storage":"file","num_replicas":{replicas}}}"#);
    request(port, "$JS.API.STREAM.CREATE.T", &config)
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_sigkill_and_restart() {
    let mut server = NatsServer::temporary().await.unwrap();
    assert!(!create_stream(server.port(), 1).contains("error"));
    assert!(request(server.port(), "t.1", "hello").contains("\"seq\":1"));
    let (url, old_pid) = (server.url(), server.pid());

    server.kill().await.unwrap();
    assert!(!server.is_running());
    assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err());

    server.restart().await.unwrap();
    assert_eq!(server.url(), url);
    assert_ne!(server.pid(), old_pid);
    assert!(request(server.port(), "$JS.API.STREAM.INFO.T", "").contains("\"messages\":1"));
}

#[tokio::test]
async fn dropping_a_temporary_server_leaves_no_process_and_no_files() {
    let server = NatsServer::temporary().await.unwrap();
    let (port, dir) = (server.port(), server.dir().to_owned());
    assert!(dir.join("store").is_dir());
    drop(server);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(!dir.exists());
}

#[tokio::test]
async fn a_server_left_by_a_killed_run_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let options = NatsOptions { dir: dir.path().into(), sync_always: true, ..NatsOptions::default() };
    let mut first = NatsServer::start(options.clone()).await.unwrap();
    create_stream(first.port(), 1);
    let mut second = NatsServer::start(options).await.unwrap();
    assert!(!first.is_running(), "two servers share a store");
    assert!(request(second.port(), "$JS.API.STREAM.INFO.T", "").contains("\"messages\":0"));
    second.stop().await.unwrap();
    second.stop().await.unwrap();
}

#[tokio::test]
async fn credentials_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let credentials = Some(Credentials { user: "muster".into(), password: "s3cret".into() });
    let server = NatsServer::start(NatsOptions { dir: dir.path().into(), credentials, ..NatsOptions::default() });
    let server = server.await.unwrap();
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", server.port())).unwrap());
    stream.get_mut().write_all(b"CONNECT {}\r\nPING\r\n").unwrap();
    let mut lines = String::new();
    while !lines.contains("-ERR") {
        assert!(stream.read_line(&mut lines).unwrap() > 0, "no refusal: {lines}");
    }
    assert!(lines.contains("Authorization Violation"), "{lines}");
}

#[tokio::test]
async fn a_fixed_port_that_is_taken_is_named() {
    let port = free_port().unwrap();
    let _other = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let options = NatsOptions { dir: dir.path().into(), port: Some(port), ..NatsOptions::default() };
    match NatsServer::start(options).await {
        Err(error @ LocalError::PortTaken { .. }) => assert!(error.to_string().contains(&port.to_string())),
        other => panic!("expected PortTaken, got {other:?}"),
    }
}

#[tokio::test]
async fn a_cluster_replicates_and_survives_the_loss_of_a_member() {
    let mut cluster = NatsCluster::temporary().await.unwrap();
    assert_eq!(cluster.url().split(',').count(), 3);
    let answer = create_stream(cluster.servers[0].port(), 3);
    assert!(answer.contains("\"num_replicas\":3") && !answer.contains("\"error\""), "{answer}");
    cluster.servers[2].kill().await.unwrap();
    cluster.servers[0].wait_ready().await.unwrap();
    cluster.servers[2].restart().await.unwrap();
}
