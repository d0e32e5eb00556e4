//! MariaDB: there and back, between servers that know each other's authority; and a lost one, built anew.

use std::fs;

use muster_domain::pb::inventory::v1::{MariadbTarget, TlsMode};
use muster_platform::{Facts, MoveJob, MoveKind, mariadb::fact};

use crate::{
    STRANGER,
    authority::given,
    drive::{blocking, eventually},
    mariadb_pair::{Pair, drive, mover, spec_of},
};

fn job_of(pair: &Pair, kind: MoveKind, from: &str, target: &str) -> MoveJob {
    let spec = spec_of(MariadbTarget { tls: TlsMode::VerifyFull.into(), ..pair.spec() });
    MoveJob { spec, ..pair.job(kind, from, target) }
}

fn job(pair: &Pair, from: &str, target: &str) -> MoveJob {
    job_of(pair, MoveKind::Switchover, from, target)
}

/// The files that the node reads.
fn put(node: &str, name: &str) {
    for kind in ["pem", "key"] {
        fs::copy(given(&format!("{name}.{kind}")), given(&format!("node-{node}.{kind}"))).unwrap();
    }
}

/// To the next connection. Not through the log: the replica would have a transaction of its own.
async fn show(pair: &Pair, node: &str, name: &str) {
    put(node, name);
    pair.server(node).sql("FLUSH LOCAL SSL").await.unwrap();
}

/// "a" is lost with a row of its own. It is copied from a source that gives nothing away in clear.
async fn is_built_anew(mut pair: Pair) {
    pair.b.sql("STOP SLAVE IO_THREAD").await.unwrap();
    pair.a.sql("SET SESSION sql_log_bin=1; INSERT INTO app.ledger VALUES (100)").await.unwrap();
    pair.a.kill().await.unwrap();
    let (mover, lost) = (mover(), || job_of(&pair, MoveKind::Failover, "a", "b"));
    eventually("its replica has noticed", async || blocking(&mover.prechecks(&lost()).await).is_empty()).await;
    drive(lost, None).await;

    let home = || job(&pair, "b", "a");
    let measured = mover.run(&home(), "measure-original", &Facts::new()).await.unwrap();
    assert_eq!(measured.outputs[fact::ORIGINAL_DIVERGED], "true");
    show(&pair, "b", "stranger").await;
    let error = mover.run(&home(), "return-original", &measured.outputs).await.unwrap_err();
    assert!(error.text.contains("certificate") || error.text.contains(STRANGER), "{error:?}");
    show(&pair, "b", "good").await;
    for step in ["return-original", "wait-until-following"] {
        mover.run(&home(), step, &measured.outputs).await.unwrap();
    }
    pair.arrives(5, "b", "a").await;
    assert_eq!(pair.a.sql("SELECT count(*) FROM app.ledger WHERE n = 100").await.unwrap(), "0");
}

#[tokio::test]
#[ignore = "run by another test, in a process that trusts the test's authority"]
async fn over_tls() {
    let file = |name: String| given(&name).display().to_string();
    let settings = ["a", "b"].map(|node| {
        put(node, "good");
        let (certificate, key) = (file(format!("node-{node}.pem")), file(format!("node-{node}.key")));
        [("ssl-cert", certificate), ("ssl-key", key), ("ssl-ca", file("authority.pem".to_owned()))]
    });
    let settings = settings.each_ref().map(|of_node| of_node.each_ref().map(|(name, value)| (*name, value.as_str())));
    let Some(pair) = Pair::start_with(&settings[0], &settings[1]).await else { return };
    // In clear they are never even asked.
    for user in ["mon", "exec", "repl"] {
        pair.a.sql(&format!("SET SESSION sql_log_bin=1; ALTER USER {user}@'%' REQUIRE SSL")).await.unwrap();
    }
    pair.arrives(1, "a", "b").await;

    let mover = mover();
    for (node, other) in [("a", "b"), ("b", "a")] {
        show(&pair, node, "stranger").await;
        let said = format!("{:?}", blocking(&mover.prechecks(&job(&pair, "a", "b")).await));
        assert!(said.contains(STRANGER) && said.contains("`tls`"), "{node}: {said}");
        let job = job(&pair, node, other);
        let moved = mover.run(&job, &mover.plan(&job)[0].id, &Facts::new()).await;
        assert!(moved.is_err(), "{node}: {moved:?}");
        show(&pair, node, "good").await;
    }
    assert!(!pair.is_fenced("a").await, "a restart would have made it read-only");
    assert!(!pair.is_read_only("a").await && pair.is_read_only("b").await);
    pair.arrives(2, "a", "b").await;

    for (from, target, row) in [("a", "b", 3), ("b", "a", 4)] {
        let job = || job(&pair, from, target);
        let checks = mover.prechecks(&job()).await;
        assert!(blocking(&checks).is_empty(), "{checks:#?}");
        let facts = drive(job, None).await;
        let checks = mover.postchecks(&job(), &facts).await;
        assert!(blocking(&checks).is_empty(), "{checks:#?}");
        // Its account comes in by TLS alone.
        pair.arrives(row, target, from).await;
    }
    is_built_anew(pair).await;
}
