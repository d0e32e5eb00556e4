//! Patroni: there and back, with TLS at the API and at the database of both members.

use std::fs;

use muster_domain::pb::inventory::v1::TlsMode;
use muster_platform::{Facts, MoveJob, MoveKind, Mover};

use crate::{
    STRANGER,
    cluster::{Cluster, drive, mover},
    drive::{blocking, eventually},
    patroni::{secured, show},
};

fn job(cluster: &Cluster, from: &str, target: &str) -> MoveJob {
    let spec = secured(cluster, TlsMode::VerifyFull);
    MoveJob { spec, ..cluster.job(MoveKind::Switchover, from, target) }
}

/// What stops the move from "a" to "b".
async fn in_the_way(mover: &dyn Mover, cluster: &Cluster) -> String {
    format!("{:?}", blocking(&mover.prechecks(&job(cluster, "a", "b")).await))
}

async fn leads(cluster: &Cluster, name: &str) -> bool {
    cluster.0.member(name).sql("SELECT NOT pg_is_in_recovery()").await.unwrap().trim() == "t"
}

#[tokio::test]
#[ignore = "run by another test, in a process that trusts the test's authority"]
async fn over_tls() {
    let Some(mut cluster) = Cluster::start().await else { return };
    let plain = ["a", "b"].map(|name| fs::read_to_string(cluster.0.member(name).config_file()).unwrap());
    let members = || ["a", "b"].into_iter().zip(&plain);
    for (name, plain) in members() {
        show(cluster.0.member(name), plain, "good").await;
    }
    let mover = mover();
    eventually("nothing is in the way", async || in_the_way(&*mover, &cluster).await == "[]").await;

    let plan = mover.plan(&job(&cluster, "a", "b"));
    for (name, plain) in members() {
        show(cluster.0.member(name), plain, "stranger").await;
        eventually("the stranger is seen", async || {
            let said = in_the_way(&*mover, &cluster).await;
            said.contains(STRANGER) && (said.contains("`tls`") || said.contains("`apiUrl`"))
        })
        .await;
        // A check that was right a moment ago helps no step.
        let error = mover.run(&job(&cluster, "a", "b"), &plan[0].id, &Facts::new()).await.unwrap_err();
        assert!(error.text.contains(STRANGER), "{name}: {error:?}");
        show(cluster.0.member(name), plain, "good").await;
        eventually("it is known again", async || in_the_way(&*mover, &cluster).await == "[]").await;
    }
    assert!(leads(&cluster, "a").await && !leads(&cluster, "b").await);

    for (row, from, target) in [(1, "a", "b"), (2, "b", "a")] {
        let job = || job(&cluster, from, target);
        eventually("nothing is in the way", async || blocking(&mover.prechecks(&job()).await).is_empty()).await;
        let facts = drive(job).await;
        let checks = mover.postchecks(&job(), &facts).await;
        assert!(blocking(&checks).is_empty(), "{checks:#?}");
        assert!(leads(&cluster, target).await && !leads(&cluster, from).await);
        cluster.0.member(target).sql(&format!("INSERT INTO ledger VALUES ({row})")).await.unwrap();
        cluster.0.wait_until_streaming(target).await.unwrap();
    }
    assert_eq!(cluster.0.member("a").sql("SELECT count(*) FROM ledger").await.unwrap().trim(), "2");
}
