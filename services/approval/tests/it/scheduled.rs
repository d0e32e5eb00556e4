//! What a schedule opens is a request like everybody's: it waits for people, and who declared it does not approve it.

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    pb::{
        common::v1::Tier,
        inventory::v1::{ApprovalRule, Kind, PolicySpec, ScheduleSpec, document::Spec},
        request::v1::{
            DecideGateChangeRequest, GateLevel, ProposeGateChangeRequest, RequestState, RequestType, RequestView,
        },
        schedule::v1::{ScheduleEvent, ScheduleFired, schedule_event::Event},
    },
    schedule::{Schedule, request_id},
    time::to_pb,
};

use crate::world::{RESOURCE, World, acme, code, eventually, meta};

/// Declares a schedule, as `ada`, and lets it fall due: the id of its request.
async fn due(world: &World, name: &str, spec: ScheduleSpec, lapses_in: SignedDuration) -> String {
    let what = spec.what.clone();
    world.declare(Kind::Schedule, name, Spec::ScheduleSpec(spec)).await;
    let due_at = Timestamp::now();
    let request_id = request_id(&acme(), name, due_at).to_string();
    let fired = ScheduleFired {
        due_at: Some(to_pb(due_at)),
        fired_at: Some(to_pb(due_at)),
        request_id: request_id.clone(),
        schedule_version: 1,
        what,
        resource: RESOURCE.into(),
        lapses_at: Some(to_pb(due_at + lapses_in)),
        tier: Tier::Tier1.into(),
        ..ScheduleFired::default()
    };
    let event = ScheduleEvent { event: Some(Event::Fired(fired)) };
    world.log.append::<Schedule>(&acme(), &name.parse().unwrap(), 1, &meta(), &event).await.unwrap();
    request_id
}

fn drill() -> ScheduleSpec {
    ScheduleSpec { what: "readiness-drill".into(), resource: RESOURCE.into(), ..ScheduleSpec::default() }
}

async fn opened(world: &World, id: &str) -> RequestView {
    eventually("the request is opened", async || world.olga().get(id).await.is_ok()).await;
    world.olga().get(id).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_due_time_opens_a_request_that_waits_for_people() {
    let world = World::start().await;
    let spec = ScheduleSpec { reason: "monthly proof".into(), ticket: "CHG-9".into(), ..drill() };
    let id = due(&world, "monthly", spec, SignedDuration::from_hours(1)).await;
    let view = opened(&world, &id).await;
    let told = view.opened.clone().unwrap();
    assert_eq!(
        (told.schedule.as_str(), told.reason.as_str(), told.ticket.as_str()),
        ("monthly", "monthly proof", "CHG-9")
    );
    assert_eq!(told.r#type(), RequestType::ReadinessDrill);
    assert!(told.due_at.is_some() && told.plan.is_some() && !told.confirmation_phrase.is_empty(), "{told:?}");
    // The window of the schedule, and not the policy's time.
    let (due_at, expires_at) = (told.due_at.unwrap(), told.expires_at.unwrap());
    assert_eq!(expires_at.seconds - due_at.seconds, 3_600);

    // Whoever declared it asked for it.
    assert_eq!(told.requester.clone().unwrap().id, "ada");
    assert_eq!(view.state(), RequestState::PendingApproval, "{:?}", view.missing);
    assert_eq!(code(world.olga().start(&id, &told.confirmation_phrase).await), "NOT_APPROVED");
    world.ingo().approve(&id, "").await.unwrap();
    let mut view = world.olga().get(&id).await.unwrap();
    if view.state() == RequestState::PendingApproval {
        view = world.bea().approve(&id, "").await.unwrap();
    }
    assert_eq!(view.state(), RequestState::Approved);
    // Approved is not started: that takes a person and the phrase.
    assert!(view.confirmed.is_none());
    assert_eq!(
        code(world.machine("cron", &["operator"]).start(&id, &told.confirmation_phrase).await),
        "PERSON_REQUIRED"
    );
    let started = world.olga().start(&id, &told.confirmation_phrase).await.unwrap();
    assert_eq!(started.state(), RequestState::Confirmed);
    assert_eq!(world.proven(&id).await, Ok(()));
}

/// TC-061: at a lowered gate nobody has to approve, and still nothing starts by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_lowered_gate_it_still_waits_for_a_person() {
    let world = World::start().await;
    world.declare_resource(Tier::Tier3).await;
    let ada = world.person("ada", &["admin"]);
    let propose = ProposeGateChangeRequest {
        tenant: "acme".into(),
        request_type: "readiness-drill".into(),
        to: GateLevel::L1.into(),
        reason: "readiness drills change nothing".into(),
        ..Default::default()
    };
    let proposed = ada.client().propose_gate_change(ada.request(propose)).await.unwrap().into_inner();
    let change_id = proposed.gate.unwrap().pending.unwrap().change_id;
    let ingo = world.ingo();
    let decide = DecideGateChangeRequest {
        tenant: "acme".into(),
        request_type: "readiness-drill".into(),
        change_id,
        approve: true,
        ..Default::default()
    };
    ingo.client().decide_gate_change(ingo.request(decide)).await.unwrap();
    let id = due(&world, "nightly", drill(), SignedDuration::from_secs(4)).await;
    let view = opened(&world, &id).await;
    let told = view.opened.clone().unwrap();
    assert_eq!(told.gate(), GateLevel::L1, "{}", told.gate_source);
    assert_eq!(view.state(), RequestState::Approved, "nobody has to approve it");
    assert!(view.confirmed.is_none(), "and nobody has started it");
    // Nobody comes: it lapses, without ever having been confirmed.
    eventually("it lapses", async || world.olga().get(&id).await.unwrap().expired.is_some()).await;
    let view = world.olga().get(&id).await.unwrap();
    assert!(view.confirmed.is_none() && view.state() == RequestState::Expired, "{view:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_opened_is_told_once_and_never_opened_late() {
    let world = World::start().await;
    let rule = ApprovalRule { require_ticket: true, ..Default::default() };
    world.declare_policy("tickets", PolicySpec { approvals: vec![rule], ..Default::default() }).await;
    let id = due(&world, "without-ticket", drill(), SignedDuration::from_hours(1)).await;
    let name = "without-ticket".parse().unwrap();
    let load = async || world.log.load::<Schedule>(&acme(), &name).await.unwrap();
    eventually("the refusal is told", async || load().await.version == 2).await;
    let schedule = load().await.state;
    let pending = schedule.pending.values().next().unwrap();
    assert_eq!(pending.open_failed, "FIELD_INVALID");
    assert_eq!(code(world.olga().get(&id).await), "REQUEST_NOT_FOUND");

    // One whose window is over opens nothing.
    let late =
        due(&world, "too-late", ScheduleSpec { ticket: "CHG-1".into(), ..drill() }, -SignedDuration::from_secs(1))
            .await;
    let next =
        due(&world, "in-time", ScheduleSpec { ticket: "CHG-1".into(), ..drill() }, SignedDuration::from_hours(1)).await;
    opened(&world, &next).await;
    assert_eq!(code(world.olga().get(&late).await), "REQUEST_NOT_FOUND");
}
