//! Schedules as callers meet them: declared, previewed, due, missed, come to nothing, reviewed.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    Aggregate,
    inventory::{Declared, document_id},
    pb::{
        common::v1::Actor,
        execution::v1::{ExecutionEvent, ExecutionStarted, ExecutionSucceeded, execution_event},
        inventory::v1::{
            Document, DocumentDeclared, InventoryEvent, Kind, ScheduleSpec, document::Spec, inventory_event,
        },
        request::v1::{RequestEvent, RequestOpened, RequestType, request_event},
        schedule::v1::{
            GetScheduleRequest, GetScheduleResponse, ListCalendarRequest, ListSchedulesRequest, OccurrenceState,
            PreviewScheduleRequest, RecordReviewRequest, ScheduleEvent, ScheduleFired, schedule_event::Event,
        },
    },
    schedule::request_id,
    time::{duration_to_pb, from_pb, to_pb},
};
use muster_eventlog::Meta;
use uuid::Uuid;

use crate::world::{Caller, World, acme, refusal};

/// What one schedule's log says, in order.
#[derive(Debug, Default, Clone)]
struct Told(Vec<Event>);

impl Aggregate for Told {
    const KIND: &'static str = "schedule";
    type Event = ScheduleEvent;

    fn evolve(&mut self, event: &ScheduleEvent) {
        self.0.extend(event.event.clone());
    }
}

async fn told(world: &World, name: &str, what: &str, enough: impl Fn(&[Event]) -> bool) -> Vec<Event> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let events = world.log.load::<Told>(&acme(), &name.parse().unwrap()).await.unwrap().state.0;
        if enough(&events) {
            return events;
        }
        assert!(Instant::now() < deadline, "never {what}: {events:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn in_ms(milliseconds: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_millis(milliseconds)
}

fn meta() -> Meta {
    #[expect(clippy::disallowed_methods, reason = "a test makes its own ids")]
    let id = Uuid::now_v7;
    let actor = Actor { id: "idp|ada".into(), name: "ada".into(), ..Actor::default() };
    Meta { event_id: id(), actor, time: Timestamp::now(), correlation: id(), causation: None }
}

/// Declared some time ago, as the log of a product that was down since then has it.
async fn declared_ago(world: &World, name: &str, ago: SignedDuration, spec: ScheduleSpec) {
    let document = Document {
        kind: Kind::Schedule.into(),
        tenant: "acme".into(),
        name: name.into(),
        version: 1,
        declared_at: Some(to_pb(Timestamp::now() - ago)),
        declared_by: "idp|ada".into(),
        spec: Some(Spec::ScheduleSpec(spec)),
        ..Document::default()
    };
    let declared = DocumentDeclared { document: Some(document), changes: Vec::new() };
    let event = InventoryEvent { event: Some(inventory_event::Event::Declared(declared)) };
    let id = document_id(Kind::Schedule, name).unwrap();
    world.log.append::<Declared>(&acme(), &id, 1, &meta(), &event).await.unwrap();
}

/// Nothing of it: the tables do not have it yet.
async fn get(caller: &Caller, name: &str) -> GetScheduleResponse {
    let ask = GetScheduleRequest { tenant: "acme".into(), name: name.into(), min_version: 0 };
    let found = caller.schedules().get_schedule(caller.request(ask)).await;
    found.map(tonic::Response::into_inner).unwrap_or_default()
}

async fn shows(caller: &Caller, name: &str, state: OccurrenceState) -> GetScheduleResponse {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let found = get(caller, name).await;
        if found.schedule.as_ref().and_then(|view| view.latest.as_ref()).is_some_and(|latest| latest.state() == state) {
            return found;
        }
        assert!(Instant::now() < deadline, "never {state:?}: {found:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn drill(dates: &[Timestamp]) -> ScheduleSpec {
    ScheduleSpec {
        what: "readiness-drill".into(),
        resource: "orders-db".into(),
        dates: dates.iter().map(|at| to_pb(*at)).collect(),
        ..ScheduleSpec::default()
    }
}

const MONTHLY: &str = "kind: Schedule
metadata: {name: monthly, tenant: acme}
spec:
  what: isolated-drill
  resource: orders-db
  rrule: FREQ=MONTHLY;BYDAY=3SA;BYHOUR=2
  timeZone: Europe/Berlin
  reason: monthly proof
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_due_comes_to_something_or_to_nothing() {
    let world = World::start().await;

    // Nobody opens its request: it lapses with its window, and then it is overdue.
    let spec = ScheduleSpec {
        window: Some(duration_to_pb(SignedDuration::from_secs(2))),
        overdue_after: Some(duration_to_pb(SignedDuration::from_secs(3))),
        notices: vec![duration_to_pb(SignedDuration::from_secs(1))],
        ..drill(&[in_ms(2_500)])
    };
    declared_ago(&world, "alone", SignedDuration::from_secs(1), spec).await;
    // A request is opened for this one, by hand here, and run.
    let due = in_ms(1_500);
    declared_ago(&world, "done", SignedDuration::from_secs(1), drill(&[due])).await;
    let fired = told(&world, "done", "due", |events| events.iter().any(|e| matches!(e, Event::Fired(_)))).await;
    let Some(Event::Fired(fired)) = fired.last().cloned() else { panic!("it fired") };
    assert!(!fired.late && fired.missed.is_empty(), "{fired:?}");
    assert_eq!(fired.request_id, request_id(&acme(), "done", due).to_string());
    assert_eq!(fired.tier, 1, "as loud as what it is about");
    opened_and_run(&world, &fired, "done").await;
    let events = told(&world, "done", "done", |events| matches!(events.last(), Some(Event::Succeeded(_)))).await;
    assert_eq!(events.len(), 2, "{events:#?}");
    let shown = shows(&world.olga(), "done", OccurrenceState::Succeeded).await;
    assert!(shown.schedule.unwrap().last_success_at.is_some());

    let kinds = |events: &[Event]| -> Vec<&'static str> {
        use muster_domain::EventKind;
        events.iter().map(|event| ScheduleEvent { event: Some(event.clone()) }.kind()).collect()
    };
    let events = told(&world, "alone", "overdue", |events| matches!(events.last(), Some(Event::Overdue(_)))).await;
    assert_eq!(kinds(&events), ["schedule.noticed", "schedule.fired", "schedule.lapsed", "schedule.overdue"]);
    let shown = shows(&world.olga(), "alone", OccurrenceState::Overdue).await;
    assert!(shown.schedule.unwrap().overdue);
    assert!(shown.occurrences[0].note.contains("no request was opened"), "{:?}", shown.occurrences[0]);
    ended_by_hand(&world, &events).await;
}

/// Somebody runs the drill without being asked by the calendar: it is not overdue any more.
async fn ended_by_hand(world: &World, before: &[Event]) {
    let readiness_of = |resource: &str, request_id: &str| RequestOpened {
        request_id: request_id.into(),
        r#type: RequestType::ReadinessDrill.into(),
        resource: resource.into(),
        ..RequestOpened::default()
    };
    let (other, same) = ("0198aaaa-0000-7000-8000-000000000001", "0198aaaa-0000-7000-8000-000000000002");
    run(world, readiness_of("billing-db", other)).await;
    run(world, readiness_of("orders-db", same)).await;
    let events = told(world, "alone", "proven", |events| matches!(events.last(), Some(Event::Succeeded(_)))).await;
    assert_eq!(events.len(), before.len() + 1, "once, and not by the other system's: {events:#?}");
    let Some(Event::Succeeded(done)) = events.last() else { panic!("{events:#?}") };
    assert_eq!((done.request_id.as_str(), done.due_at), (same, None));

    let shown = shows(&world.olga(), "alone", OccurrenceState::Lapsed).await;
    let schedule = shown.schedule.unwrap();
    assert!(!schedule.overdue && schedule.last_success_at == done.succeeded_at, "{schedule:?}");
    let due = before.iter().find_map(|event| match event {
        Event::Fired(fired) => fired.due_at,
        _ => None,
    });
    assert_eq!(schedule.last_due_at, due, "it was not due by that");
    let by_hand = &shown.occurrences[0];
    assert_eq!((by_hand.request_id.as_str(), by_hand.note.as_str()), (same, "asked for by hand"));
    assert_eq!((by_hand.state(), by_hand.resource.as_str()), (OccurrenceState::Succeeded, "orders-db"));
}

/// As the approval service and the executor write it.
async fn opened_and_run(world: &World, fired: &ScheduleFired, name: &str) {
    let opened = RequestOpened {
        request_id: fired.request_id.clone(),
        schedule: name.into(),
        due_at: fired.due_at,
        ..RequestOpened::default()
    };
    run(world, opened).await;
}

async fn run(world: &World, opened: RequestOpened) {
    let id = opened.request_id.parse().unwrap();
    let started = ExecutionStarted { request_id: opened.request_id.clone(), ..ExecutionStarted::default() };
    let event = RequestEvent { event: Some(request_event::Event::Opened(opened)) };
    world.log.append::<muster_domain::request::Request>(&acme(), &id, 1, &meta(), &event).await.unwrap();
    let succeeded = ExecutionSucceeded { finished_at: Some(to_pb(Timestamp::now())), ..ExecutionSucceeded::default() };
    let events = [execution_event::Event::Started(started), execution_event::Event::Succeeded(succeeded)];
    for (index, event) in events.into_iter().enumerate() {
        let event = ExecutionEvent { event: Some(event) };
        let version = index as u64 + 1;
        world.log.append::<muster_domain::execution::Execution>(&acme(), &id, version, &meta(), &event).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_missed_fires_once_and_late_and_people_read_and_review() {
    let world = World::start().await;
    let day = SignedDuration::from_hours(24);
    let (first, second) = (Timestamp::now() - day * 2, Timestamp::now() - day);
    declared_ago(&world, "missed", day * 3, drill(&[first, second])).await;
    let events = told(&world, "missed", "due", |events| !events.is_empty()).await;
    let Event::Fired(fired) = &events[0] else { panic!("{events:#?}") };
    assert!(fired.late && fired.late_because.contains("late"), "{fired:?}");
    assert_eq!((from_pb(fired.due_at.as_ref()), fired.missed.clone()), (Some(second), vec![to_pb(first)]));

    // A review is due: nothing is opened, a person records it.
    let review = ScheduleSpec { what: "access-review".into(), resource: String::new(), ..drill(&[second]) };
    declared_ago(&world, "access", day * 2, review).await;
    shows(&world.olga(), "access", OccurrenceState::Open).await;
    let record = |findings: &str| RecordReviewRequest {
        tenant: "acme".into(),
        name: "access".into(),
        findings: findings.into(),
        idempotency_key: "k-1".into(),
        ..RecordReviewRequest::default()
    };
    let (olga, ingo) = (world.olga(), world.ingo());
    let refused = olga.schedules().record_review(olga.request(record("fine"))).await;
    assert_eq!(refusal(refused).code, "ROLE_MISSING");
    assert_eq!(refusal(ingo.schedules().record_review(ingo.request(record(""))).await).field, "findings");
    for _ in 0..2 {
        let done = ingo.schedules().record_review(ingo.request(record("two accounts removed"))).await.unwrap();
        assert_eq!(done.into_inner().schedule.unwrap().latest.unwrap().state(), OccurrenceState::Succeeded);
    }
    let again = RecordReviewRequest { idempotency_key: "k-2".into(), ..record("again") };
    assert_eq!(refusal(ingo.schedules().record_review(ingo.request(again)).await).code, "REVIEW_NOT_DUE");

    declared_and_read(&world).await;
}

async fn declared_and_read(world: &World) {
    let broken = MONTHLY.replace("BYDAY=3SA", "BYDAY=6SA");
    let refused = world.ada().apply(&broken).await.unwrap_err();
    assert!(refused.message().contains("BYDAY is 6SA"), "{}", refused.message());
    let version = world.ada().apply(MONTHLY).await.unwrap();
    let vera = world.olga();

    let ask = ListSchedulesRequest { tenant: "acme".into(), min_version: version, ..ListSchedulesRequest::default() };
    let listed = vera.schedules().list_schedules(vera.request(ask)).await.unwrap().into_inner().schedules;
    let names: Vec<&str> = listed.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["access", "missed", "monthly"]);
    assert_eq!(listed[2].in_words, "every third Saturday of the month at 02:00, Europe/Berlin");
    assert!(listed[2].next_due_at.is_some() && listed[2].latest.is_none(), "{:?}", listed[2]);

    let preview = PreviewScheduleRequest {
        tenant: "acme".into(),
        name: "monthly".into(),
        after: Some(to_pb("2026-10-01T00:00:00Z".parse().unwrap())),
        ..PreviewScheduleRequest::default()
    };
    let shown = vera.schedules().preview_schedule(vera.request(preview.clone())).await.unwrap().into_inner();
    assert_eq!(shown.occurrences.len(), 10);
    // Before and after the clocks change.
    assert_eq!(shown.occurrences[0].local_time, "2026-10-17T02:00:00+02:00[Europe/Berlin]");
    assert_eq!(shown.occurrences[1].local_time, "2026-11-21T02:00:00+01:00[Europe/Berlin]");
    let many = PreviewScheduleRequest { count: 1_000, ..preview.clone() };
    assert_eq!(refusal(vera.schedules().preview_schedule(vera.request(many)).await).field, "count");
    let unknown = PreviewScheduleRequest { name: "nobody".into(), ..preview };
    assert_eq!(refusal(vera.schedules().preview_schedule(vera.request(unknown)).await).code, "SCHEDULE_NOT_FOUND");

    let day = SignedDuration::from_hours(24);
    let calendar = |from: Timestamp, until: Timestamp| ListCalendarRequest {
        tenant: "acme".into(),
        from: Some(to_pb(from)),
        until: Some(to_pb(until)),
        min_version: version,
    };
    let now = Timestamp::now();
    let ask = calendar(now - day * 3, now + day * 62);
    let listed = vera.schedules().list_calendar(vera.request(ask)).await.unwrap().into_inner();
    let of = |name: &str| listed.occurrences.iter().filter(|found| found.schedule == name).count();
    assert_eq!((of("missed"), of("access"), listed.cut), (2, 1, false));
    assert!((1..=3).contains(&of("monthly")), "{:#?}", listed.occurrences);
    let long = vera.schedules().list_calendar(vera.request(calendar(now, now + day * 500))).await;
    assert_eq!(refusal(long).field, "until");
}
