//! Conditions, each asked of something real, and waits for them.

use muster_domain::pb::{
    execution::v1::{Check, CheckOutcome},
    plan::v1::{
        Condition, DnsProbe, HttpProbe, NotifyAction, ResourceCondition, SqlCondition, TcpProbe, WaitAction,
        action::Kind as ActionKind, condition::Kind,
    },
};
use muster_platform::{Probe, StepErrorKind};
use tokio::net::TcpListener;

use super::{
    http::{OK, server},
    name_server::primary_and_secondary,
    stage::{Stage, step, within},
};
use crate::actions::{Look, check, checks, probe, run};

fn condition(kind: Kind) -> Condition {
    Condition { text: String::new(), kind: Some(kind) }
}

fn tcp(address: &str) -> Kind {
    Kind::Tcp(TcpProbe { address: address.into(), ..TcpProbe::default() })
}

async fn outcome(kind: Kind) -> (CheckOutcome, Check) {
    let stage = Stage::new();
    let check = check("switch/precheck-1", &condition(kind), &stage.surroundings()).await;
    (check.outcome(), check)
}

#[tokio::test]
async fn http_answers_are_judged_by_status_and_text() {
    let (url, _) = server(OK).await;
    let ask = |status: Vec<u32>, body: &str| {
        Kind::Http(HttpProbe {
            url: url.clone(),
            expect_status: status,
            expect_body: body.into(),
            ..HttpProbe::default()
        })
    };
    assert_eq!(outcome(ask(vec![], "")).await.0, CheckOutcome::Passed);
    assert_eq!(outcome(ask(vec![], "\"up\"")).await.0, CheckOutcome::Passed);
    let (judged, check) = outcome(ask(vec![], "down")).await;
    assert_eq!(judged, CheckOutcome::Failed);
    assert!(!check.value.contains("status"), "bodies are not shown: {check:?}");
    assert_eq!(outcome(ask(vec![503], "")).await.0, CheckOutcome::Failed);
    // Not being allowed to ask says nothing about the other side.
    let metadata = Kind::Http(HttpProbe { url: "http://169.254.169.254/".into(), ..HttpProbe::default() });
    assert_eq!(outcome(metadata).await.0, CheckOutcome::Unknown);
}

#[tokio::test]
async fn ports_records_resources_and_queries_are_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let open = listener.local_addr().unwrap().to_string();
    assert_eq!(outcome(tcp(&open)).await.0, CheckOutcome::Passed);
    drop(listener);
    assert_eq!(outcome(tcp(&open)).await.0, CheckOutcome::Failed);
    assert_eq!(outcome(tcp("169.254.169.254:80")).await.0, CheckOutcome::Unknown);

    let Some((primary, _secondary)) = primary_and_secondary().await else { return };
    let record = |value: &str| {
        let values = vec![value.to_owned()];
        let name = "app.dr.example".into();
        Kind::Dns(DnsProbe { server: primary.address(), name, r#type: "A".into(), values, ..DnsProbe::default() })
    };
    assert_eq!(outcome(record("10.0.0.1")).await.0, CheckOutcome::Passed);
    let (judged, check) = outcome(record("10.0.0.2")).await;
    assert!(judged == CheckOutcome::Failed && check.value.contains("10.0.0.1"), "{check:?}");

    let resource = |resource: &str, at_target, protected| {
        Kind::Resource(ResourceCondition { resource: resource.into(), at_target, protected })
    };
    assert_eq!(outcome(resource("ledger", true, false)).await.0, CheckOutcome::Passed);
    let (judged, check) = outcome(resource("ledger", true, true)).await;
    assert!(judged == CheckOutcome::Failed && check.value.contains("12 MiB behind"), "{check:?}");
    assert_eq!(check.resource, "ledger");
    assert_eq!(outcome(resource("other", true, false)).await.0, CheckOutcome::Unknown);
    assert_eq!(outcome(resource("ledger", false, false)).await.0, CheckOutcome::Unknown);

    let sql = |expect: &str| {
        Kind::Sql(SqlCondition { resource: "ledger".into(), query: "SELECT 0".into(), expect: expect.into() })
    };
    assert_eq!(outcome(sql("0")).await.0, CheckOutcome::Passed);
    assert_eq!(outcome(sql("1")).await.0, CheckOutcome::Failed);
}

#[tokio::test]
async fn a_wait_ends_when_it_holds_or_at_its_limit() {
    let stage = Stage::new();
    let s = stage.surroundings();
    let port = muster_local::free_port().unwrap();
    let address = format!("127.0.0.1:{port}");
    let waiting = step(ActionKind::Wait(WaitAction { until: Some(condition(tcp(&address))) }));
    assert_eq!(probe(&waiting, Look::BeforeClaim, &s).await, Probe::NotDone);
    let error = run(&within(waiting.clone(), 2), &s).await.unwrap_err();
    assert!(error.kind == StepErrorKind::Failed && error.text.contains("not within 2 s"), "{error:?}");
    let opens = async {
        // While it is waited for, and not before.
        tokio::task::yield_now().await;
        TcpListener::bind(&address).await.unwrap()
    };
    let waiting = within(waiting, 20);
    let (done, _listener) = tokio::join!(run(&waiting, &s), opens);
    assert!(done.unwrap().note.contains("accepts connections"));
    assert!(matches!(probe(&waiting, Look::AfterClaim, &s).await, Probe::Done { .. }));
    let nothing = step(ActionKind::Wait(WaitAction::default()));
    assert_eq!(run(&nothing, &s).await.unwrap_err().kind, StepErrorKind::Refused);
}

#[tokio::test]
async fn checks_keep_their_order_and_say_what_the_plan_says() {
    let stage = Stage::new();
    let mut named = condition(tcp("127.0.0.1:1"));
    named.text = "The pool is paused".into();
    let unknown = Condition { text: String::new(), kind: None };
    let found = checks("pause", "precheck", &[named, unknown], &stage.surroundings()).await;
    let seen: Vec<(&str, CheckOutcome)> = found.iter().map(|check| (check.name.as_str(), check.outcome())).collect();
    assert_eq!(seen, [("pause/precheck-1", CheckOutcome::Failed), ("pause/precheck-2", CheckOutcome::Unknown)]);
    assert_eq!(found[0].text, "The pool is paused");
}

#[tokio::test]
async fn a_notice_is_its_own_outcome() {
    let stage = Stage::new();
    let s = stage.surroundings();
    let done = run(&step(ActionKind::Notify(NotifyAction { text: "Shop is closed".into() })), &s).await.unwrap();
    assert_eq!(done.outputs["notice"], "Shop is closed");
    let empty = step(ActionKind::Notify(NotifyAction { text: " ".into() }));
    assert_eq!(run(&empty, &s).await.unwrap_err().kind, StepErrorKind::Refused);
}
