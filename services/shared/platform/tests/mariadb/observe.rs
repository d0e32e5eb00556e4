//! What an observation says, and what it must not say.

use std::time::{Duration, Instant};

use muster_domain::{pb::observation::v1::ErrorClass, readiness::mariadb::primary_sample};
use tokio::net::TcpListener;

use crate::{
    drive::eventually,
    pair::{Pair, error, facts, login, mon, node, observer, watched},
};

#[tokio::test]
async fn both_sides_answer_for_themselves() {
    let Some(pair) = Pair::start().await else { return };
    let observer = observer();
    let target = watched(pair.spec(), mon());
    eventually("b has everything", async || {
        let seen = observer.observe(&target).await;
        facts(&seen[0]).gtid_binlog_pos == facts(&seen[1]).gtid_slave_pos
    })
    .await;
    let seen = observer.observe(&target).await;
    let (a, b) = (facts(&seen[0]), facts(&seen[1]));
    assert_eq!((seen[0].node.as_str(), seen[0].site.as_str()), ("a", "west"));
    assert!(seen[0].took.is_some() && seen[0].read_at.is_some());
    assert!(a.version.contains("MariaDB") && a.server_time.is_some() && a.uptime_seconds.is_some());
    assert_eq!((a.read_only, b.read_only), (Some(false), Some(true)));
    assert_eq!((a.server_id, b.server_id), (Some(pair.a.port().into()), Some(pair.b.port().into())));
    assert_eq!((a.log_bin, a.log_slave_updates, a.gtid_strict_mode), (Some(true), Some(true), Some(true)));
    assert_eq!((a.wsrep_on, a.limited_view, b.limited_view), (Some(false), false, false));
    assert!(a.replica.is_none() && b.replication_filters.is_empty());
    assert_eq!(a.gtid_binlog_state, a.gtid_binlog_pos);

    let replica = b.replica.as_ref().unwrap();
    assert_eq!((replica.io_running.as_str(), replica.sql_running.as_str()), ("Yes", "Yes"));
    assert_eq!((replica.using_gtid.as_str(), replica.sql_delay), ("Slave_Pos", Some(0)));
    assert_eq!((replica.source_host.as_str(), replica.source_port), ("127.0.0.1", u32::from(pair.a.port())));
    assert_eq!(replica.source_server_id, a.server_id);
    assert_eq!((replica.gtid_io_pos.as_ref(), replica.seconds_behind), (a.gtid_binlog_pos.as_ref(), Some(0)));

    let (identifier, transactions) = primary_sample(a).unwrap();
    assert_eq!(identifier, "mariadb-gtid-domains:0");
    pair.a.sql("INSERT INTO app.ledger VALUES (1)").await.unwrap();
    let later = observer.observe(&target).await;
    assert_eq!(primary_sample(facts(&later[0])).unwrap().1, transactions + 1);
    assert_eq!(primary_sample(b), None);
}

/// The number reads 0 or NULL whatever the primary does; threads and positions tell.
#[tokio::test]
async fn a_standby_that_receives_nothing_or_applies_nothing_shows_it() {
    let Some(pair) = Pair::start().await else { return };
    let observer = observer();
    let target = watched(pair.spec(), mon());
    pair.b.sql("STOP SLAVE IO_THREAD").await.unwrap();
    pair.a.sql("INSERT INTO app.ledger VALUES (1)").await.unwrap();
    let seen = observer.observe(&target).await;
    let replica = facts(&seen[1]).replica.clone().unwrap();
    assert_eq!((replica.io_running.as_str(), replica.seconds_behind), ("No", None), "NULL is not zero");
    assert_ne!(replica.gtid_io_pos, facts(&seen[0]).gtid_binlog_pos);

    pair.b.sql("START SLAVE IO_THREAD; STOP SLAVE SQL_THREAD").await.unwrap();
    pair.a.sql("INSERT INTO app.ledger VALUES (2)").await.unwrap();
    eventually("received and not applied", async || {
        let seen = observer.observe(&target).await;
        let b = facts(&seen[1]);
        b.replica.as_ref().unwrap().gtid_io_pos == facts(&seen[0]).gtid_binlog_pos
            && b.gtid_slave_pos != facts(&seen[0]).gtid_binlog_pos
    })
    .await;
}

#[tokio::test]
async fn a_refused_account_is_named_and_its_password_is_not() {
    let Some(pair) = Pair::start().await else { return };
    for user in ["mon", "nobody_here"] {
        for observation in &observer().observe(&watched(pair.spec(), login(user, "wrong-password"))).await {
            let error = error(observation);
            assert_eq!(error.class(), ErrorClass::Credential, "{error:?}");
            assert!(error.message.contains(user) && !error.message.contains("wrong-password"), "{error:?}");
        }
    }
}

/// Without the rights it cannot be told what a node is: not even that it is no replica.
#[tokio::test]
async fn without_slave_monitor_the_view_is_limited_and_says_so() {
    let Some(pair) = Pair::start().await else { return };
    for observation in &observer().observe(&watched(pair.spec(), login("plain", "plain-password"))).await {
        assert!(facts(observation).limited_view && facts(observation).replica.is_none());
        assert_eq!(primary_sample(facts(observation)), None);
    }
}

#[tokio::test]
async fn a_dead_or_silent_node_does_not_hold_up_the_other() {
    let Some(mut pair) = Pair::start().await else { return };
    let observer = observer();
    // A listener that takes connections and never answers: a black hole for the protocol.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut spec = pair.spec();
    spec.nodes[1] = node("b", "east", silent.local_addr().unwrap().port());
    let began = Instant::now();
    let seen = observer.observe(&watched(spec, mon())).await;
    assert!(began.elapsed() < Duration::from_millis(3_500), "{:?}", began.elapsed());
    assert_eq!(facts(&seen[0]).read_only, Some(false));
    assert_eq!(error(&seen[1]).class(), ErrorClass::Unreachable);

    // Down: unreachable. Up again: the kept connection is replaced without a lost look.
    let target = watched(pair.spec(), mon());
    facts(&observer.observe(&target).await[1]);
    pair.b.stop().await.unwrap();
    assert_eq!(error(&observer.observe(&target).await[1]).class(), ErrorClass::Unreachable);
    pair.b.start().await.unwrap();
    facts(&observer.observe(&target).await[1]);
    pair.b.restart().await.unwrap();
    facts(&observer.observe(&target).await[1]);
}

/// TLS that is asked for and not there is an error, never a plain connection.
#[tokio::test]
async fn without_tls_on_the_server_nothing_is_sent_in_clear() {
    let Some(pair) = Pair::start().await else { return };
    let spec = muster_domain::pb::inventory::v1::MariadbTarget {
        tls: muster_domain::pb::inventory::v1::TlsMode::VerifyFull.into(),
        ..pair.spec()
    };
    let seen = observer().observe(&watched(spec, mon())).await;
    assert_eq!(error(&seen[0]).class(), ErrorClass::Protocol, "{:?}", error(&seen[0]));
    assert!(error(&seen[0]).message.contains("TLS"), "{:?}", error(&seen[0]));
}
