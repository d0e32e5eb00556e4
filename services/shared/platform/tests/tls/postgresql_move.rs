//! PostgreSQL: there, then a failover, and home again by a rewind.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    sync::Arc,
};

use muster_domain::pb::{
    execution::v1::{Check, CheckOutcome},
    inventory::v1::{PostgresqlTarget, TlsMode},
};
use muster_local::postgres::PostgresServer;
use muster_platform::{Facts, LocalAgent, LocalAgentConfig, MoveJob, MoveKind};

use crate::{
    STRANGER,
    authority::given,
    drive::{blocking, check, eventually, settle},
    pair::{Pair, drive, mover, spec_of},
};

/// The accounts of the contract come in by TLS alone. The first line of replication is the test's own, by which the pair was made.
const HBA: &str = "\
host all postgres,plain 127.0.0.1/32 trust
host replication postgres 127.0.0.1/32 trust
hostssl all all 127.0.0.1/32 scram-sha-256
hostssl replication all 127.0.0.1/32 scram-sha-256
";

fn job(pair: &Pair, kind: MoveKind, from: &str, target: &str) -> MoveJob {
    let spec = spec_of(PostgresqlTarget { tls: TlsMode::VerifyFull.into(), ..pair.spec() });
    MoveJob { spec, ..pair.job(kind, from, target) }
}

/// Both show a good certificate, and let in nobody of the contract without it.
pub(crate) async fn by_tls_alone(pair: &Pair) {
    for server in [&pair.a, &pair.b] {
        fs::write(server.dir().join("pg_hba.conf"), HBA).unwrap();
        show(server, "good").await;
    }
}

/// Shows this certificate to every connection from now on.
pub(crate) async fn show(server: &PostgresServer, name: &str) {
    let (certificate, key) = (given(&format!("{name}.pem")), given(&format!("{name}.key")));
    // PostgreSQL takes a key from its owner alone.
    let owner = fs::metadata(server.dir()).unwrap();
    chown(&key, Some(owner.uid()), Some(owner.gid())).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let settings = [("ssl_cert_file", certificate), ("ssl_key_file", key), ("ssl", "on".into())];
    for (setting, value) in settings {
        server.sql(&format!("ALTER SYSTEM SET {setting} = '{}'", value.display())).await.unwrap();
    }
    server.sql("SELECT pg_reload_conf()").await.unwrap();
    let shown =
        format!("SELECT current_setting('ssl_cert_file') LIKE '%/{name}.pem' AND current_setting('ssl') = 'on'");
    eventually("the certificate is shown", async || server.sql(&shown).await.unwrap().trim() == "t").await;
}

async fn is(server: &PostgresServer, condition: &str) -> bool {
    server.sql(&format!("SELECT {condition}")).await.unwrap().trim() == "t"
}

async fn follows_over_tls(primary: &PostgresServer) -> bool {
    is(
        primary,
        "count(*) = 1 AND bool_and(ssl) FROM pg_stat_replication JOIN pg_stat_ssl USING (pid) WHERE usename = 'repl'",
    )
    .await
}

fn passed(check: &Check) -> bool {
    check.outcome() == CheckOutcome::Passed
}

/// Whoever shows a stranger's certificate stops the move before its first step, and nothing was touched.
async fn a_stranger_is_not_moved(pair: &Pair) {
    let (mover, job) = (mover(), || job(pair, MoveKind::Switchover, "a", "b"));
    let plan = mover.plan(&job());
    // Each of the first two steps is about the server that is a stranger then.
    for (server, step) in [&pair.a, &pair.b].into_iter().zip(&plan) {
        show(server, "stranger").await;
        let checks = mover.prechecks(&job()).await;
        let said = format!("{:?}", blocking(&checks));
        assert!(said.contains(STRANGER) && said.contains("`tls`"), "{said}");
        // A check that was right a moment ago helps no step.
        let error = mover.run(&job(), &step.id, &Facts::new()).await.unwrap_err();
        assert!(error.text.contains(STRANGER), "{}: {error:?}", step.id);
        show(server, "good").await;
    }
    assert!(is(&pair.b, "count(*) = 0 FROM pg_replication_slots").await);
    // Told by the old primary's own programs: it would trust another authority than the one that is there.
    let mistaken = LocalAgent::new(LocalAgentConfig {
        data_directory: pair.a.dir().to_owned(),
        bin_directory: pair.a.bin_dir().to_owned(),
        config_file: None,
        log_file: None,
        root_certificate: Some(given("nobodys.pem")),
    });
    let mut mistaken_job = job();
    mistaken_job.agents.insert("a".into(), Arc::new(mistaken));
    let checks = mover.prechecks(&mistaken_job).await;
    assert!(!passed(check(&checks, "way_back")), "{checks:#?}");
    assert!(!is(&pair.a, "pg_is_in_recovery()").await && is(&pair.b, "pg_is_in_recovery()").await);
    pair.a.sql("INSERT INTO ledger VALUES (1)").await.unwrap();
}

/// Rows that the standby never got, and the end of their server.
async fn is_lost_with_rows_of_its_own(primary: &PostgresServer, standby: &PostgresServer) {
    standby.sql("ALTER SYSTEM SET primary_conninfo = ''").await.unwrap();
    standby.sql("SELECT pg_reload_conf()").await.unwrap();
    eventually("it receives nothing", async || is(standby, "count(*) = 0 FROM pg_stat_wal_receiver").await).await;
    primary.sql("INSERT INTO ledger SELECT generate_series(1000, 1009)").await.unwrap();
    Pair::agent_of(primary).kill().await.unwrap();
}

#[tokio::test]
#[ignore = "run by another test, in a process that trusts the test's authority"]
async fn over_tls() {
    let pair = Pair::start().await;
    by_tls_alone(&pair).await;
    a_stranger_is_not_moved(&pair).await;

    let (mover, there) = (mover(), || job(&pair, MoveKind::Switchover, "a", "b"));
    let checks = mover.prechecks(&there()).await;
    assert!(blocking(&checks).is_empty() && passed(check(&checks, "way_back")), "{checks:#?}");
    let facts = drive(there, None).await;
    let checks = mover.postchecks(&there(), &facts).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
    assert!(follows_over_tls(&pair.b).await);

    is_lost_with_rows_of_its_own(&pair.b, &pair.a).await;
    drive(|| job(&pair, MoveKind::Failover, "b", "a"), None).await;
    let (home, mut facts) = (|| job(&pair, MoveKind::Switchover, "a", "b"), Facts::new());
    for step in mover.way_home(&home()) {
        let outputs = settle(&mover, &home(), &step.id, &facts).await;
        facts.extend(outputs);
    }
    assert_eq!(facts["original_diverged"], "true", "it was rewound over TLS");
    assert!(follows_over_tls(&pair.a).await);
    assert_eq!(pair.b.sql("SELECT n FROM ledger").await.unwrap().trim(), "1");
}
