//! An alert that nobody answers for, from the first message to the end.

use jiff::{SignedDuration, Timestamp};
use muster_domain::inventory::{Declared, declare, document_id};
use muster_domain::pb::common::v1::{Actor, Environment};
use muster_domain::pb::inventory::v1::{AlertRule, Document, EscalationStep, Kind, PolicySpec, document::Spec};
use muster_domain::pb::notification::v1::DeliveryView;
use muster_domain::time::duration_to_pb;

use super::stage::Stage;
use super::{alert_opened, alert_resolved, mail_route};
use crate::escalation::answer::{Answers, Said, via};
use crate::routes::Routes;

const ALERT: &str = "0199a1b2-0000-7000-8000-000000000001";

async fn policy(stage: &Stage, rule: AlertRule) {
    let id = document_id(Kind::Policy, "nights").unwrap();
    let document = Document {
        kind: Kind::Policy.into(),
        tenant: stage.tenant.to_string(),
        name: "nights".into(),
        spec: Some(Spec::PolicySpec(PolicySpec { alerts: vec![rule], ..PolicySpec::default() })),
        ..Document::default()
    };
    let now = Timestamp::now();
    let decide = |declared: &Declared| Ok::<_, std::convert::Infallible>(declare(declared, &document, "ada", now));
    stage.ctx.log.decide::<Declared, _>(&stage.tenant, &id, &stage.meta(now), decide).await.unwrap();
}

/// An alert is open, told to the team, and the boss's so much later.
async fn the_boss_is_next(after: SignedDuration) -> Stage {
    let mut stage = Stage::new().await;
    let mut team = mail_route(&["team@example.com"]);
    team.events = vec!["rpo.*".into(), "alert.*".into()];
    stage.route("team", team).await;
    // Asks for no alert by itself: reached by the chain alone.
    let mut boss = mail_route(&["boss@example.com"]);
    boss.events = vec!["request.escalated".into()];
    stage.route("boss", boss).await;
    let step = EscalationStep { after: Some(duration_to_pb(after)), routes: vec!["boss".into()] };
    policy(&stage, AlertRule { escalate: vec![step], ..AlertRule::default() }).await;
    stage.start().await;
    stage.readiness(alert_opened(ALERT, Environment::Production), Timestamp::now()).await;
    stage
}

fn told<'a>(list: &'a [DeliveryView], recipient: &str) -> Vec<&'a str> {
    let mut kinds: Vec<&str> =
        list.iter().filter(|d| d.recipient == recipient).map(|d| d.message_kind.as_str()).collect();
    kinds.reverse();
    kinds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_is_escalated_acknowledged_and_over() {
    let mut stage = the_boss_is_next(SignedDuration::from_secs(1)).await;

    let list = stage.until("the boss is told", |list| !told(list, "boss@example.com").is_empty()).await;
    assert_eq!(told(&list, "boss@example.com"), ["rpo.breached"]);
    assert!(list[0].subject.starts_with("ESCALATED (step 1): CRITICAL"), "{}", list[0].subject);

    acknowledge(&stage).await;
    let list = stage
        .until("both hear who looks after it", |list| {
            told(list, "team@example.com").len() == 2 && told(list, "boss@example.com").len() == 2
        })
        .await;
    assert_eq!(told(&list, "team@example.com"), ["rpo.breached", "alert.acknowledged"]);
    stage.readiness(alert_resolved(ALERT), Timestamp::now()).await;
    let list = stage
        .until("both hear that it is over", |list| {
            told(list, "team@example.com").len() == 3 && told(list, "boss@example.com").len() == 3
        })
        .await;
    assert_eq!(told(&list, "boss@example.com"), ["rpo.breached", "alert.acknowledged", "alert.resolved"]);
    let messages = stage.mail.attempts();
    assert!(messages.iter().all(|a| a.message.runbook_url == "https://muster.example/help/alerts/rpo.breached"));
    stage.stop().await;
}

/// Whoever looks after an alert calls for help: the step that is hours away is told now, once, and hears how it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_calls_the_next_step_by_hand() {
    let mut stage = the_boss_is_next(SignedDuration::from_hours(5)).await;
    stage.until("the team is told", |list| !told(list, "team@example.com").is_empty()).await;

    let answers = answers(&stage).await;
    let by = Actor { id: "idp|olga".into(), name: "Olga".into(), ..Actor::default() };
    let now = Timestamp::now();
    let said = Said { by: &by, via: via::API, at: now, now };
    let meta = stage.meta(now);
    // The same call again, as after a lost answer, is the same deed.
    for _ in 0..2 {
        let (view, _) = answers.escalate(&stage.tenant, ALERT, &said, ("I need a DBA", 1), &meta).await.unwrap();
        assert_eq!((view.step, view.acknowledged.is_some()), (1, false));
    }
    let second = answers.escalate(&stage.tenant, ALERT, &said, ("me too", 1), &stage.meta(now)).await.unwrap_err();
    assert!(format!("{second:?}").contains("ALERT_STEP_NOT_NEXT"), "{second:?}");

    let list = stage.until("the boss is told", |list| !told(list, "boss@example.com").is_empty()).await;
    assert!(list[0].subject.starts_with("ESCALATED by Olga (step 1): CRITICAL"), "{}", list[0].subject);
    stage.readiness(alert_resolved(ALERT), Timestamp::now()).await;
    let list = stage
        .until("both hear that it is over", |list| {
            told(list, "team@example.com").len() == 2 && told(list, "boss@example.com").len() == 2
        })
        .await;
    assert_eq!(told(&list, "boss@example.com"), ["rpo.breached", "alert.resolved"]);
    stage.stop().await;
}

async fn answers(stage: &Stage) -> Answers {
    let routes = Routes::follow(&stage.ctx.log, stage.ctx.secrets.clone(), stage.ctx.shutdown.clone());
    routes.caught_up().await;
    Answers { ctx: stage.ctx.clone(), routes }
}

/// By its row: asked again until the read model has seen the alert.
async fn acknowledge(stage: &Stage) {
    let answers = answers(stage).await;
    let by = Actor { id: "idp|ingo".into(), name: "Ingo".into(), ..Actor::default() };
    let now = Timestamp::now();
    let said = Said { by: &by, via: via::API, at: now, now };
    let (view, _) = answers.acknowledge(&stage.tenant, ALERT, &said, "on it", &stage.meta(now)).await.unwrap();
    assert_eq!(view.acknowledged.unwrap().note, "on it");
    assert_eq!((view.ended_at, view.step), (None, 1));
}
