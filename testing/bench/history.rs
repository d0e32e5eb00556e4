//! A tenant's past: switchovers that were asked for, approved, run step by step, and succeeded.

use anyhow::Result;
use jiff::Timestamp;
use muster_domain::{
    AggregateId,
    execution::Execution,
    ids::derived_id,
    pb::{
        common::v1::{Actor, ActorKind, Environment, LossCertainty, LossStatement, Marker, Role, Tier},
        execution::v1::{
            Check, CheckOutcome, CheckPhase, ChecksRecorded, ExecutionEvent, ExecutionStarted, ExecutionSucceeded,
            MarkersCaptured, Step, StepClaimed, StepSucceeded, execution_event,
        },
        inventory::v1::ApprovalRequirement,
        request::v1::{
            ApprovalPolicy, RequestApproved, RequestConfirmed, RequestEvent, RequestOpened, RequestType, request_event,
        },
    },
    request::Request,
    time::{duration_to_pb, to_pb},
};
use muster_eventlog::{MAX_BATCH, Meta, Pending};
use uuid::Uuid;

use crate::stack::Nats;

/// Steps of a switchover of PostgreSQL.
const STEPS: [&str; 7] =
    ["block-writes", "fence-primary", "wait-for-replay", "promote-target", "verify-write", "rejoin-old", "verify-link"];
const REQUEST_EVENTS: usize = 4;
/// The start, checks and markers before and after, claim and success of each step, the end.
pub(crate) const EXECUTION_EVENTS: usize = 6 + 2 * STEPS.len();
pub(crate) const STORY_EVENTS: usize = REQUEST_EVENTS + EXECUTION_EVENTS;

/// Fills the log with whole stories, at least `events` events. How many stories.
pub(crate) async fn fill(nats: &Nats, events: usize) -> Result<usize> {
    let stories = events.div_ceil(STORY_EVENTS);
    let all: Vec<usize> = (0..stories).collect();
    for some in all.chunks(MAX_BATCH / STORY_EVENTS) {
        let mut pending = Vec::with_capacity(some.len() * STORY_EVENTS);
        for &story in some {
            pending.extend(tell(story)?);
        }
        nats.log.append_batch(&nats.tenant, pending).await?;
    }
    Ok(stories)
}

/// The id of a story's request and of its execution.
pub(crate) fn story_id(story: usize) -> Result<AggregateId> {
    Ok(format!("req-{story:08}").parse()?)
}

fn tell(story: usize) -> Result<Vec<Pending>> {
    let id = story_id(story)?;
    let request = request(&id).into_iter().enumerate().map(|(index, event)| {
        let event = RequestEvent { event: Some(event) };
        Pending::new::<Request>(&id, index as u64 + 1, &meta(&format!("{id} request {index}")), &event)
    });
    let execution = execution(&id).into_iter().enumerate().map(|(index, event)| {
        let event = ExecutionEvent { event: Some(event) };
        Pending::new::<Execution>(&id, index as u64 + 1, &meta(&format!("{id} execution {index}")), &event)
    });
    Ok(request.chain(execution).collect())
}

/// What goes with an event; `seed` makes its id.
pub(crate) fn meta(seed: &str) -> Meta {
    let event_id = derived_id(&["bench", seed]);
    Meta { event_id, actor: person("ada"), time: Timestamp::now(), correlation: event_id, causation: Some(Uuid::nil()) }
}

fn person(name: &str) -> Actor {
    let roles = vec![Role::Operator.into(), Role::Viewer.into()];
    Actor { id: format!("https://idp.example|{name}"), name: name.to_owned(), kind: ActorKind::Person.into(), roles }
}

fn request(id: &AggregateId) -> Vec<request_event::Event> {
    use request_event::Event::{Approved, Confirmed, Opened};
    let now = Some(to_pb(Timestamp::now()));
    let policy = ApprovalPolicy {
        source: "built-in ADR-001".to_owned(),
        require: [Role::ApproverIt, Role::ApproverBusiness]
            .map(|role| ApprovalRequirement { role: role.into(), count: 1 })
            .to_vec(),
        ..ApprovalPolicy::default()
    };
    let opened = RequestOpened {
        request_id: id.to_string(),
        r#type: RequestType::Switchover.into(),
        resource: resource_of(id),
        from_site: "east".to_owned(),
        target_site: "west".to_owned(),
        reason: "Quarterly switchover test of the order system, agreed with its owner".to_owned(),
        ticket: "CHG-0041".to_owned(),
        tier: Tier::Tier1.into(),
        environment: Environment::Production.into(),
        requester: Some(person("ada")),
        policy: Some(policy.clone()),
        expires_at: now,
        confirmation_phrase: "switch orders-db to west".to_owned(),
        resource_version: 3,
        opened_at: now,
        ..RequestOpened::default()
    };
    let approval = |name, role: Role, completes| RequestApproved {
        approver: Some(person(name)),
        as_role: role.into(),
        note: "The change window is agreed".to_owned(),
        approved_at: now,
        completes,
        missing: if completes { Vec::new() } else { vec!["1 approver of the business".to_owned()] },
        ..RequestApproved::default()
    };
    let approvals = [approval("grace", Role::ApproverIt, false), approval("linus", Role::ApproverBusiness, true)];
    let confirmed = RequestConfirmed {
        actor: Some(person("ada")),
        phrase: opened.confirmation_phrase.clone(),
        confirmed_at: now,
        policy: Some(policy),
        approvals: approvals.to_vec(),
        ..RequestConfirmed::default()
    };
    let [first, second] = approvals;
    vec![Opened(opened), Approved(first), Approved(second), Confirmed(confirmed)]
}

fn execution(id: &AggregateId) -> Vec<execution_event::Event> {
    use execution_event::Event::{ChecksRecorded as Checked, MarkersCaptured as Marked, Started, Succeeded};
    let mut events =
        vec![Started(started(id)), Checked(checks(CheckPhase::Before)), Marked(markers(CheckPhase::Before))];
    events.extend(STEPS.into_iter().flat_map(|step| [claimed(step), done(step)]));
    events.extend([Marked(markers(CheckPhase::After)), Checked(checks(CheckPhase::After)), Succeeded(succeeded())]);
    events
}

fn started(id: &AggregateId) -> ExecutionStarted {
    let now = Some(to_pb(Timestamp::now()));
    let step = |step: &str| Step {
        id: step.to_owned(),
        title: step.replace('-', " "),
        node: "west-1".to_owned(),
        idempotent: true,
        timeout: Some(duration_to_pb(jiff::SignedDuration::from_secs(60))),
        guidance: "Look at the server's log before anything else".to_owned(),
        changes_target: true,
        ..Step::default()
    };
    ExecutionStarted {
        request_id: id.to_string(),
        resource: resource_of(id),
        r#type: "switchover".to_owned(),
        from_site: "east".to_owned(),
        target_site: "west".to_owned(),
        from_node: "east-1".to_owned(),
        target_node: "west-1".to_owned(),
        steps: STEPS.into_iter().map(step).collect(),
        executor: "executor-1".to_owned(),
        started_at: now,
        confirmed_at: now,
        tier: Tier::Tier1.into(),
        environment: Environment::Production.into(),
        ..ExecutionStarted::default()
    }
}

fn resource_of(id: &AggregateId) -> String {
    // One of a hundred systems.
    let number = id.as_str().get(id.as_str().len() - 2..).unwrap_or_default();
    format!("orders-db-{number}")
}

fn checks(phase: CheckPhase) -> ChecksRecorded {
    let check = |name: &str| Check {
        name: name.to_owned(),
        outcome: CheckOutcome::Passed.into(),
        value: "yes".to_owned(),
        limit: "yes".to_owned(),
        text: "as it has to be".to_owned(),
        ..Check::default()
    };
    let checks = ["target_is_standby", "link_is_live", "nothing_unapplied", "agents_answer"].map(check).to_vec();
    ChecksRecorded { phase: phase.into(), checks, checked_at: Some(to_pb(Timestamp::now())) }
}

fn markers(phase: CheckPhase) -> MarkersCaptured {
    let marker = |node: &str, role: &str| Marker {
        node: node.to_owned(),
        site: node.trim_end_matches("-1").to_owned(),
        system_identifier: "7351944327117465301".to_owned(),
        timeline: 1,
        lsn: "16/B374D848".to_owned(),
        read_at: Some(to_pb(Timestamp::now())),
        clock: "node".to_owned(),
        role: role.to_owned(),
    };
    MarkersCaptured {
        phase: phase.into(),
        markers: vec![marker("east-1", "primary"), marker("west-1", "standby")],
        unavailable: Vec::new(),
    }
}

fn claimed(step: &str) -> execution_event::Event {
    execution_event::Event::StepClaimed(StepClaimed {
        step: step.to_owned(),
        attempt: 1,
        executor: "executor-1".to_owned(),
        claimed_at: Some(to_pb(Timestamp::now())),
    })
}

/// "The step succeeded": an event of ordinary size.
pub(crate) fn done(step: &str) -> execution_event::Event {
    execution_event::Event::StepSucceeded(StepSucceeded {
        step: step.to_owned(),
        attempt: 1,
        executor: "executor-1".to_owned(),
        finished_at: Some(to_pb(Timestamp::now())),
        note: "shutdown checkpoint at 16/B374D848, received and replayed by the target".to_owned(),
        outputs: [("shutdown_lsn".to_owned(), "16/B374D848".to_owned())].into(),
        found_done: false,
    })
}

fn succeeded() -> ExecutionSucceeded {
    let seconds = |seconds| Some(duration_to_pb(jiff::SignedDuration::from_secs(seconds)));
    ExecutionSucceeded {
        finished_at: Some(to_pb(Timestamp::now())),
        rto_measured: seconds(14),
        write_outage: seconds(6),
        loss: Some(LossStatement {
            certainty: LossCertainty::ProvenNone.into(),
            text: "No data loss: the old primary stopped cleanly at 16/B374D848, and the target holds it".to_owned(),
            ..LossStatement::default()
        }),
        rto_met: true,
        ..ExecutionSucceeded::default()
    }
}
