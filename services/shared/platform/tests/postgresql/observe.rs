//! What an observation says, and what it must not say.

use std::time::{Duration, Instant};

use muster_domain::{pb::observation::v1::ErrorClass, time};
use muster_local::postgres::{PostgresServer, StopMode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    drive::eventually,
    pair::{Pair, error, facts, login, mon, node, observer, watched},
};

#[tokio::test]
async fn both_sides_answer_for_themselves() {
    let pair = Pair::start().await;
    let observer = observer();
    let target = watched(pair.spec(), mon());

    // Lie L1: nobody writes, and the heartbeat still moves the position, so that "caught up" is evidence.
    let first = observer.observe(&target).await;
    let heartbeat = facts(&first[0]).heartbeat_lsn.unwrap();
    eventually("b has the heartbeat", async || {
        facts(&observer.observe(&target).await[1]).receive_lsn.unwrap() >= heartbeat
    })
    .await;

    let seen = observer.observe(&target).await;
    let (a, b) = (facts(&seen[0]), facts(&seen[1]));
    assert_eq!((seen[0].node.as_str(), seen[0].site.as_str()), ("a", "west"));
    assert!(seen[0].took.is_some() && seen[0].read_at.is_some());

    assert_eq!((a.in_recovery, b.in_recovery), (Some(false), Some(true)));
    assert_eq!(a.system_identifier, b.system_identifier);
    assert_eq!((a.timeline, b.timeline), (Some(1), Some(1)));
    assert!(a.server_version_num >= 130_000 && !a.limited_view && !b.limited_view);
    assert_eq!(
        (a.wal_log_hints, a.data_checksums, a.default_transaction_read_only),
        (Some(true), Some(true), Some(false))
    );

    assert!(a.current_lsn.is_some() && a.receive_lsn.is_none() && a.replay_lsn.is_none());
    assert!(a.heartbeat_lsn.unwrap() > heartbeat, "each look is one commit");
    assert_eq!(a.heartbeat_at, a.server_time);
    assert_eq!((a.wal_senders.len(), a.wal_senders[0].state.as_str()), (1, "streaming"));
    assert_eq!(
        (a.slots[0].name.as_str(), a.slots[0].active, a.slots[0].wal_status.as_str()),
        ("for_b", true, "reserved")
    );

    assert!(b.current_lsn.is_none() && b.heartbeat_at.is_none() && b.heartbeat_lsn.is_none());
    let receiver = b.wal_receiver.as_ref().unwrap();
    assert_eq!(
        (receiver.status.as_str(), receiver.received_timeline, receiver.slot_name.as_str()),
        ("streaming", 1, "for_b")
    );
    assert_eq!(receiver.sender_port, u32::from(pair.a.port()));
    assert_eq!(b.replay_pause_state, "not paused");
    assert_eq!(time::duration_from_pb(b.recovery_min_apply_delay.as_ref()).map(|d| d.is_zero()), Some(true));
    assert!(time::from_pb(b.last_replayed_commit_at.as_ref()).is_some());
}

/// Lie L2: on a severed standby receive equals replay; only the missing receiver and the primary's
/// position tell the truth. And the timeline is known without a receiver.
#[tokio::test]
async fn a_severed_standby_does_not_look_caught_up() {
    let pair = Pair::start().await;
    let observer = observer();
    let target = watched(pair.spec(), mon());
    eventually("the standby has applied all there is", async || {
        let seen = observer.observe(&target).await;
        let (a, b) = (facts(&seen[0]), facts(&seen[1]));
        b.receive_lsn == b.replay_lsn && a.current_lsn == b.replay_lsn
    })
    .await;
    pair.b.sql("ALTER SYSTEM SET primary_conninfo = ''").await.unwrap();
    pair.b.sql("SELECT pg_reload_conf()").await.unwrap();
    eventually("neither side speaks of the other any more", async || {
        let seen = observer.observe(&target).await;
        facts(&seen[1]).wal_receiver.is_none() && facts(&seen[0]).wal_senders.is_empty()
    })
    .await;
    pair.a.sql("INSERT INTO ledger SELECT generate_series(1, 1000)").await.unwrap();

    let seen = observer.observe(&target).await;
    let (a, b) = (facts(&seen[0]), facts(&seen[1]));
    assert_eq!(b.receive_lsn, b.replay_lsn, "the popular formula would say: no lag");
    assert!(b.wal_receiver.is_none());
    assert!(a.current_lsn.unwrap() > b.receive_lsn.unwrap() + 10_000);
    assert!(!a.slots[0].active && a.wal_senders.is_empty());
    assert_eq!(b.timeline, Some(1));
}

/// Lie L3: the primary's interval stays small while nothing is applied; the positions show it.
#[tokio::test]
async fn a_paused_replay_shows_in_the_positions() {
    let pair = Pair::start().await;
    let observer = observer();
    let target = watched(pair.spec(), mon());
    pair.b.sql("SELECT pg_wal_replay_pause()").await.unwrap();
    pair.a.sql("INSERT INTO ledger SELECT generate_series(1, 1000)").await.unwrap();
    eventually("the log is received and not applied", async || {
        let b = observer.observe(&target).await.remove(1);
        let b = facts(&b);
        b.replay_pause_state == "paused" && b.receive_lsn.unwrap() > b.replay_lsn.unwrap() + 10_000
    })
    .await;
}

#[tokio::test]
async fn a_refused_account_is_named_and_its_password_is_not() {
    let pair = Pair::start().await;
    for (user, class) in [("mon", ErrorClass::Credential), ("nobody_here", ErrorClass::Credential)] {
        let seen = observer().observe(&watched(pair.spec(), login(user, "wrong-password"))).await;
        for observation in &seen {
            let error = error(observation);
            assert_eq!(error.class(), class, "{error:?}");
            assert!(error.message.contains(user) && !error.message.contains("wrong-password"), "{error:?}");
        }
    }
    let spec = muster_domain::pb::inventory::v1::PostgresqlTarget { database: "nowhere".into(), ..pair.spec() };
    assert_eq!(error(&observer().observe(&watched(spec, mon())).await[0]).class(), ErrorClass::Configuration);
}

/// Columns that come back NULL for lack of rights are absent and never zero.
#[tokio::test]
async fn without_pg_monitor_the_view_is_limited_and_says_so() {
    let pair = Pair::start().await;
    let seen = observer().observe(&watched(pair.spec(), login("plain", "plain-password"))).await;
    let (a, b) = (facts(&seen[0]), facts(&seen[1]));
    assert!(a.limited_view && b.limited_view);
    assert!(a.current_lsn.is_some() && a.heartbeat_lsn.is_some(), "a heartbeat needs no grant");
    assert_eq!((a.wal_senders[0].state.as_str(), a.wal_senders[0].sent_lsn), ("", None));
    let receiver = b.wal_receiver.as_ref().unwrap();
    assert_eq!((receiver.status.as_str(), receiver.flushed_lsn), ("", None));
    assert_eq!(b.timeline, None, "not visible is unknown");
}

#[tokio::test]
async fn a_dead_or_silent_node_does_not_hold_up_the_other() {
    let mut pair = Pair::start().await;
    let observer = observer();
    // A listener that takes connections and never answers: a black hole for the protocol.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut spec = pair.spec();
    spec.nodes[1] = node("b", "east", silent.local_addr().unwrap().port());
    let began = Instant::now();
    let seen = observer.observe(&watched(spec, mon())).await;
    assert!(began.elapsed() < Duration::from_millis(3_500), "{:?}", began.elapsed());
    assert_eq!(facts(&seen[0]).in_recovery, Some(false));
    assert_eq!(error(&seen[1]).class(), ErrorClass::Unreachable);

    // Down: unreachable. Up again: the kept connection is replaced without a lost look.
    let target = watched(pair.spec(), mon());
    facts(&observer.observe(&target).await[1]);
    pair.b.stop(StopMode::Fast).await.unwrap();
    assert_eq!(error(&observer.observe(&target).await[1]).class(), ErrorClass::Unreachable);
    pair.b.start().await.unwrap();
    facts(&observer.observe(&target).await[1]);
    pair.b.stop(StopMode::Fast).await.unwrap();
    pair.b.start().await.unwrap();
    facts(&observer.observe(&target).await[1]);
}

/// TLS that is asked for and not there is an error, never a plain connection.
#[tokio::test]
async fn without_tls_on_the_server_nothing_is_sent_in_clear() {
    let server = PostgresServer::temporary().await.unwrap();
    let spec = muster_domain::pb::inventory::v1::PostgresqlTarget {
        nodes: vec![node("a", "west", server.port())],
        tls: muster_domain::pb::inventory::v1::TlsMode::VerifyFull.into(),
        ..Default::default()
    };
    let seen = observer().observe(&watched(spec, login("postgres", ""))).await;
    assert_eq!(error(&seen[0]).class(), ErrorClass::Protocol);
    assert!(error(&seen[0]).message.contains("TLS"), "{:?}", error(&seen[0]));
}

/// SQLSTATE 57P03, as a starting server answers; and a message that has no place at a login.
#[tokio::test]
async fn a_starting_server_is_not_ready_and_nonsense_is_a_protocol_error() {
    let cannot_connect_now: &[u8] = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0";
    let mut starting = vec![b'E'];
    starting.extend(u32::try_from(cannot_connect_now.len() + 4).unwrap().to_be_bytes());
    starting.extend(cannot_connect_now);
    for (answer, class) in [(starting, ErrorClass::NotReady), (b"s\0\0\0\x04".to_vec(), ErrorClass::Protocol)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut startup = [0; 1024];
            assert!(stream.read(&mut startup).await.unwrap() > 0);
            stream.write_all(&answer).await.unwrap();
            // Open until the client is done with it.
            while stream.read(&mut startup).await.is_ok_and(|n| n > 0) {}
        });
        let spec = muster_domain::pb::inventory::v1::PostgresqlTarget {
            nodes: vec![node("a", "west", port)],
            tls: muster_domain::pb::inventory::v1::TlsMode::Disable.into(),
            ..Default::default()
        };
        let seen = observer().observe(&watched(spec, mon())).await;
        assert_eq!(error(&seen[0]).class(), class, "{:?}", error(&seen[0]));
        server.abort();
    }
}

/// Two names for one server: both answer as what it is, so nothing can take one for the standby.
#[tokio::test]
async fn the_same_server_twice_is_two_primaries() {
    let server = PostgresServer::temporary().await.unwrap();
    let spec = muster_domain::pb::inventory::v1::PostgresqlTarget {
        nodes: vec![node("a", "west", server.port()), node("b", "east", server.port())],
        tls: muster_domain::pb::inventory::v1::TlsMode::Disable.into(),
        ..Default::default()
    };
    let seen = observer().observe(&watched(spec, login("postgres", ""))).await;
    assert_eq!(facts(&seen[0]).system_identifier, facts(&seen[1]).system_identifier);
    assert_eq!((facts(&seen[0]).in_recovery, facts(&seen[1]).in_recovery), (Some(false), Some(false)));
    assert!(facts(&seen[0]).heartbeat_at.is_none(), "no heartbeat unless it is asked for");
}
