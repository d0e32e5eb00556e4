//! From an event to the far side, and what the list then says.

use jiff::{SignedDuration, Timestamp};
use muster_domain::delivery::routing::rule;
use muster_domain::execution::Execution;
use muster_domain::pb::common::v1::{Environment, PageRequest};
use muster_domain::pb::execution::v1::{
    ExecutionEvent, ExecutionFailed, ExecutionStarted, StepClaimed, execution_event,
};
use muster_domain::pb::notification::v1::{DeliveryState, DeliveryView, ListDeliveriesRequest};
use muster_domain::pb::request::v1::{RequestApproved, RequestEvent, RequestOpened, request_event};
use muster_domain::request::Request;

use super::stage::Stage;
use super::{ago, alert_opened, alert_resolved, hook_route, mail_route};

fn of<'a>(list: &'a [DeliveryView], recipient: &str) -> Vec<&'a DeliveryView> {
    list.iter().filter(|d| d.recipient == recipient).collect()
}

fn all_finished(list: &[DeliveryView], count: usize) -> bool {
    list.len() == count && list.iter().all(|d| d.finished_at.is_some())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_reaches_its_routes_and_a_failure_is_told_on_the_others() {
    let mut stage = Stage::new().await;
    stage.start().await;
    let mut by_mail = mail_route(&["alice@example.com", "reject@example.com"]);
    by_mail.events = vec!["rpo.*".into()];
    stage.route("by-mail", by_mail).await;
    stage.route("by-hook", hook_route("https://hooks.example.com/a?token=s3cret")).await;
    let mut other = mail_route(&["requests@example.com"]);
    other.events = vec!["request.*".into()];
    stage.route("requests-only", other).await;
    stage.readiness(alert_opened("a1", Environment::Production), Timestamp::now()).await;

    // alice, reject, the hook, and the hook again: the failure at reject.
    let list = stage.until("four deliveries end", |list| all_finished(list, 4)).await;
    let alice = of(&list, "alice@example.com")[0];
    assert_eq!((alice.state(), alice.attempts, alice.receipt.as_str()), (DeliveryState::Accepted, 1, "250 ok"));
    assert_eq!(alice.subject, "CRITICAL: orders-db (tier 1, production): RPO breached");
    assert_eq!(
        (alice.resource.as_str(), alice.route.as_str(), alice.message_kind.as_str()),
        ("orders-db", "by-mail", "rpo.breached")
    );
    let rejected = of(&list, "reject@example.com")[0];
    assert_eq!((rejected.state(), rejected.last_error.as_str()), (DeliveryState::GaveUp, "REJECTED: 550 5.7.1 no"));
    let mut hook: Vec<&str> =
        of(&list, "https://hooks.example.com/a").iter().map(|d| d.message_kind.as_str()).collect();
    hook.sort_unstable();
    assert_eq!(hook, ["delivery.failed", "rpo.breached"]);
    assert!(!format!("{list:?}").contains("s3cret"));
    assert_eq!(stage.hook.attempts()[0].recipient.address, "https://hooks.example.com/a?token=s3cret");
    assert_eq!(stage.mail.attempts()[0].link, "https://muster.example/t/acme/resources/orders-db");

    pages(&stage).await;
    stage.stop().await;
}

/// One at a time, newest first; and filters.
async fn pages(stage: &Stage) {
    let (mut token, mut seen) = (String::new(), Vec::new());
    loop {
        let page = Some(PageRequest { page_size: 1, page_token: token });
        let ask = ListDeliveriesRequest {
            tenant: "acme".into(),
            resource: "orders-db".into(),
            page,
            ..ListDeliveriesRequest::default()
        };
        let answer = crate::api::list(&stage.ctx, &stage.tenant, &ask).await.unwrap();
        seen.extend(answer.deliveries.into_iter().map(|d| d.delivery_id));
        token = answer.page.unwrap().next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let all: Vec<String> = stage.list().await.into_iter().map(|d| d.delivery_id).collect();
    assert_eq!(seen, all);
    let ask =
        ListDeliveriesRequest { tenant: "acme".into(), resource: "other".into(), ..ListDeliveriesRequest::default() };
    assert!(crate::api::list(&stage.ctx, &stage.tenant, &ask).await.unwrap().deliveries.is_empty());
    let far = ListDeliveriesRequest { page: Some(PageRequest { page_size: 501, page_token: String::new() }), ..ask };
    assert_eq!(
        crate::api::list(&stage.ctx, &stage.tenant, &far).await.unwrap_err().code(),
        tonic::Code::InvalidArgument
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn non_production_never_wakes_the_on_call() {
    let mut stage = Stage::new().await;
    stage.start().await;
    let mut on_call = hook_route("https://page.example.com/on-call");
    on_call.production_on_call = true;
    stage.route("on-call", on_call).await;
    // The same endpoint in another spelling, on a route made for tests.
    let mut round = hook_route("https://PAGE.example.com:443/x/../on-call?test=1");
    round.environments = vec![Environment::Test.into()];
    stage.route("test-hook", round).await;
    stage.route("team", mail_route(&["team@example.com"])).await;
    stage.readiness(alert_opened("t1", Environment::Test), Timestamp::now()).await;

    let list = stage.until("three decisions", |list| all_finished(list, 3)).await;
    let suppressed: Vec<&DeliveryView> = list.iter().filter(|d| d.state() == DeliveryState::Suppressed).collect();
    assert_eq!(suppressed.len(), 2);
    assert!(suppressed.iter().all(|d| d.last_error == rule::ON_CALL_IS_FOR_PRODUCTION));
    assert_eq!(stage.mail.seen(), [("team@example.com".to_owned(), "rpo.breached".to_owned())]);
    assert!(stage.hook.attempts().is_empty());

    stage.readiness(alert_opened("p1", Environment::Production), Timestamp::now()).await;
    stage.until("production pages", |list| all_finished(list, 5)).await;
    assert_eq!(stage.hook.seen(), [("https://page.example.com/on-call".to_owned(), "rpo.breached".to_owned())]);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_requests_life_is_told_with_what_it_is_about() {
    let mut stage = Stage::new().await;
    stage.route("all", mail_route(&["alice@example.com"])).await;
    stage.start().await;
    let opened = RequestOpened {
        request_id: "r-1".into(),
        r#type: 1,
        resource: "orders-db".into(),
        target_site: "site-b".into(),
        tier: 1,
        environment: 1,
        ..RequestOpened::default()
    };
    let now = Timestamp::now();
    let request = |event| RequestEvent { event: Some(event) };
    let run = |event| ExecutionEvent { event: Some(event) };
    stage.append::<Request>("r-1", request(request_event::Event::Opened(opened)), now).await;
    let approved = RequestApproved { completes: true, ..RequestApproved::default() };
    stage.append::<Request>("r-1", request(request_event::Event::Approved(approved)), now).await;
    let started = ExecutionStarted {
        request_id: "r-1".into(),
        resource: "orders-db".into(),
        tier: 1,
        environment: 1,
        ..ExecutionStarted::default()
    };
    stage.append::<Execution>("r-1", run(execution_event::Event::Started(started)), now).await;
    stage.append::<Execution>("r-1", run(execution_event::Event::StepClaimed(StepClaimed::default())), now).await;
    let failed = ExecutionFailed { error: "it broke".into(), ..ExecutionFailed::default() };
    stage.append::<Execution>("r-1", run(execution_event::Event::Failed(failed)), now).await;

    let list = stage.until("four messages", |list| all_finished(list, 4)).await;
    let kinds: Vec<&str> = list.iter().rev().map(|d| d.message_kind.as_str()).collect();
    assert_eq!(kinds, ["request.created", "request.approved", "request.started", "request.failed"]);
    assert!(
        list.iter().all(|d| d.request_id == "r-1" && d.subject.contains("orders-db (tier 1, production) to site-b")),
        "{list:?}"
    );
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_news_is_not_told_and_an_end_follows_only_its_alert() {
    let mut stage = Stage::new().await;
    stage.route("all", mail_route(&["alice@example.com"])).await;
    // A log from before the notifier's first start.
    stage.readiness(alert_opened("old", Environment::Production), ago(SignedDuration::from_hours(30))).await;
    stage.readiness(alert_opened("new", Environment::Production), ago(SignedDuration::from_hours(2))).await;
    stage.readiness(alert_resolved("old"), ago(SignedDuration::from_hours(1))).await;
    stage.readiness(alert_resolved("new"), ago(SignedDuration::from_hours(1))).await;
    stage.start().await;

    let list = stage.until("four decisions", |list| all_finished(list, 4)).await;
    let rules: Vec<(&str, &str)> =
        list.iter().rev().map(|d| (d.message_kind.as_str(), d.last_error.as_str())).collect();
    assert_eq!(
        rules,
        [
            ("rpo.breached", rule::TOO_OLD),
            ("rpo.breached", ""),
            ("alert.resolved", rule::ALERT_NOT_TOLD),
            ("alert.resolved", "")
        ]
    );
    let threads: Vec<Option<String>> = stage.mail.attempts().iter().map(|a| a.message.thread()).collect();
    assert_eq!(threads, [Some("alert new".to_owned()), Some("alert new".to_owned())]);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_gone_is_left_alone_until_it_is_declared_again() {
    let mut stage = Stage::new().await;
    stage.start().await;
    stage.route("hook", hook_route("https://gone.example.com/a")).await;
    stage.readiness(alert_opened("a1", Environment::Production), Timestamp::now()).await;
    stage.until("gone", |list| all_finished(list, 1)).await;
    stage.readiness(alert_opened("a2", Environment::Production), Timestamp::now()).await;
    let list = stage.until("suppressed", |list| all_finished(list, 2)).await;
    assert_eq!(list[0].last_error, rule::RECIPIENT_DISABLED);
    assert_eq!(stage.hook.attempts().len(), 1);

    let mut again = hook_route("https://gone.example.com/a");
    again.description = "mended".into();
    stage.route("hook", again).await;
    stage.readiness(alert_opened("a3", Environment::Production), Timestamp::now()).await;
    stage.until("tried again", |list| all_finished(list, 3)).await;
    assert_eq!(stage.hook.attempts().len(), 2);
    stage.stop().await;
}
