//! The story of a request: everything that belongs to it, causes before effects.

use muster_domain::{
    AggregateId,
    denial::Denial,
    pb::{
        audit::v1::{GetStoryRequest, StoryLine},
        execution::v1::{PreflightChecked, PreflightEvent, PreflightReport, preflight_event},
        identity::v1::{AttemptDenied, DenialEvent, denial_event},
        readiness::v1::{AlertOpened, AlertResolved, ReadinessEvent, readiness_event::Event as Seen},
        request::v1::RequestType,
    },
    preflight::Preflight,
    readiness::Readiness,
};
use uuid::Uuid;

use crate::{
    given::{End, Story},
    world::{World, code, meta},
};

const TENANT: &str = "told";

async fn seen(world: &World, version: u64, event: Seen) {
    let event = ReadinessEvent { event: Some(event) };
    let id: AggregateId = "orders-db".parse().unwrap();
    world.append::<Readiness>(TENANT, &id, version, meta("service:monitor", Uuid::now_v7(), None), &event).await;
}

fn opened(alert: &str) -> Seen {
    Seen::AlertOpened(AlertOpened { alert_id: alert.into(), resource: "orders-db".into(), ..Default::default() })
}

fn resolved(alert: &str) -> Seen {
    Seen::AlertResolved(AlertResolved { alert_id: alert.into(), resource: "orders-db".into(), ..Default::default() })
}

pub(crate) async fn in_causal_order_with_what_led_to_it(world: &mut World) {
    // One alert that was over before, one that led to it.
    seen(world, 1, opened("old")).await;
    seen(world, 2, resolved("old")).await;
    seen(world, 3, opened("led-to-it")).await;
    let preflight = Uuid::now_v7();
    let report = PreflightReport { resource: "orders-db".into(), ..Default::default() };
    let checked =
        PreflightEvent { event: Some(preflight_event::Event::Checked(PreflightChecked { report: Some(report) })) };
    let by_olga = meta("olga", Uuid::now_v7(), None);
    world.append::<Preflight>(TENANT, &preflight.into(), 1, by_olga, &checked).await;

    let mut story = Story::opened(world, TENANT, RequestType::ReadinessDrill, &preflight.to_string()).await;
    // Another request's events are not in it.
    let other = Story::whole(world, TENANT, RequestType::ReadinessDrill, End::Succeeded { rto_seconds: 1 }).await;
    let denied = AttemptDenied { request_id: story.id.to_string(), ..Default::default() };
    let denied = DenialEvent { event: Some(denial_event::Event::Denied(denied)) };
    let denial = Uuid::now_v7();
    world.append::<Denial>(TENANT, &denial.into(), 1, meta("vera", denial, None), &denied).await;
    story.decided().await;
    story.run(RequestType::ReadinessDrill, End::Failed).await;
    seen(world, 4, resolved("led-to-it")).await;
    world.reacted(TENANT, story.sequence).await;

    let vera = world.person(TENANT, "vera", &["viewer"]);
    let newest = world.newest(TENANT).await;
    let ask = GetStoryRequest { tenant: TENANT.into(), request_id: story.id.to_string(), min_version: newest };
    let lines = vera.client().get_story(vera.request(ask)).await.unwrap().into_inner().lines;
    let told: Vec<(String, u32, String)> = lines.iter().map(line).collect();
    let expected = [
        ("event", 0, "alert.opened"),
        ("analysis", 0, "preflight.checked"),
        ("gate", 0, "request.created"),
        ("decision", 1, "access.denied"),
        ("decision", 1, "request.approved"),
        ("decision", 1, "request.confirmed"),
        ("execution", 2, "execution.started"),
        ("execution", 3, "execution.prechecks_recorded"),
        ("execution", 3, "execution.markers_captured"),
        ("execution", 3, "execution.markers_captured"),
        ("execution", 3, "execution.step_claimed"),
        ("execution", 3, "execution.step_failed"),
        ("execution", 3, "execution.failed"),
        ("after", 4, "gap.opened"),
        ("event", 0, "alert.resolved"),
    ];
    let expected: Vec<_> = expected.map(|(chapter, depth, kind)| (chapter.to_owned(), depth, kind.to_owned())).into();
    assert_eq!(told, expected);
    let other_id = other.id.to_string();
    assert!(lines.iter().all(|line| line.record.as_ref().unwrap().request_id != other_id));

    let nothing = GetStoryRequest { tenant: TENANT.into(), request_id: Uuid::now_v7().to_string(), min_version: 0 };
    assert_eq!(code(vera.client().get_story(vera.request(nothing)).await), "REQUEST_NOT_FOUND");
}

fn line(line: &StoryLine) -> (String, u32, String) {
    (line.chapter.clone(), line.depth, line.record.clone().unwrap().r#type)
}
