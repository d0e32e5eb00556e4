//! An isolated drill: the copy is fetched over TLS, by the server's own program.

use muster_domain::pb::inventory::v1::{PostgresqlTarget, TlsMode};
use muster_platform::drill::{self, COPY, DrillJob, REMOVE, START};

use crate::{
    STRANGER,
    authority::given,
    drill_stage::{DrillDirectory, drill_of, is_gone, pair_with_rows, passed},
    pair::Pair,
    postgresql_move::{by_tls_alone, show},
};

fn job(pair: &Pair, drills: &DrillDirectory) -> DrillJob {
    let spec = PostgresqlTarget { tls: TlsMode::VerifyFull.into(), ..pair.spec() };
    DrillJob { spec, ..drill_of(pair, drills) }
}

#[tokio::test]
#[ignore = "run by another test, in a process that trusts the test's authority"]
async fn over_tls() {
    let pair = pair_with_rows(500).await;
    by_tls_alone(&pair).await;
    let drills = DrillDirectory::beside(&pair.b);

    show(&pair.b, "stranger").await;
    let checks = drill::prechecks(&job(&pair, &drills)).await;
    let said = format!("{:?}", checks.iter().filter(|check| !passed(check)).collect::<Vec<_>>());
    assert!(said.contains(STRANGER) && said.contains("`tls`"), "{said}");
    let error = drill::run(&job(&pair, &drills), COPY).await.unwrap_err();
    assert!(error.to_string().contains(STRANGER), "{error}");
    assert!(drills.is_empty(), "nothing was fetched");
    show(&pair.b, "good").await;

    // Its own programs verify it, too: this authority did not sign the certificate.
    let mut mistaken = job(&pair, &drills);
    mistaken.host.root_certificate = Some(given("nobodys.pem"));
    let error = drill::run(&mistaken, COPY).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    drill::run(&mistaken, REMOVE).await.unwrap();

    let job = job(&pair, &drills);
    let checks = drill::prechecks(&job).await;
    assert!(checks.iter().all(passed), "{checks:#?}");
    for step in [COPY, START] {
        drill::run(&job, step).await.unwrap();
    }
    assert_eq!(drill::inspect(&job).await.unwrap().answers[0].answer.as_deref(), Some("500"));
    drill::run(&job, REMOVE).await.unwrap();
    is_gone(&job, &drills).await;
}
