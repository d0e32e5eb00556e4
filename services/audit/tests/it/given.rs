//! A request and its run, as the other services write them into the log.

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    AggregateId,
    execution::Execution,
    pb::{
        common::v1::{Actor, ActorKind, Environment, LossCertainty, LossStatement, Marker, Role, Tier},
        execution::v1::{
            Check, CheckOutcome, CheckPhase, ChecksRecorded, ExecutionEvent, ExecutionFailed, ExecutionStarted,
            ExecutionSucceeded, MarkersCaptured, Member, MemberOutcome, Step, StepClaimed, StepFailed, StepSucceeded,
            execution_event::Event as Run,
        },
        request::v1::{
            RequestApproved, RequestConfirmed, RequestEvent, RequestOpened, RequestType, request_event::Event as Asked,
        },
    },
    request::{Request, type_name},
    time::{PbDuration, PbTimestamp, duration_to_pb, to_pb},
};
use uuid::Uuid;

use crate::world::{World, meta};

/// What the hostile part of a text would be, if a page took it for markup.
pub(crate) const REASON: &str = "patch night <script>alert('x')</script>";

pub(crate) fn seconds(seconds: i64) -> Option<PbDuration> {
    Some(duration_to_pb(SignedDuration::from_secs(seconds)))
}

fn now() -> Option<PbTimestamp> {
    Some(to_pb(Timestamp::now()))
}

fn person(name: &str) -> Option<Actor> {
    Some(Actor { id: name.into(), name: name.into(), kind: ActorKind::Person.into(), roles: vec![] })
}

/// How the run ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum End {
    Succeeded { rto_seconds: i64 },
    Failed,
}

/// A request that was opened by Olga, approved by Ingo and started by Olga, with its run of orders-db.
pub(crate) struct Story<'a> {
    pub(crate) world: &'a World,
    pub(crate) tenant: &'static str,
    pub(crate) id: Uuid,
    versions: (u64, u64),
    /// The newest event that may cause the next one.
    cause: Option<Uuid>,
    pub(crate) sequence: u64,
}

impl<'a> Story<'a> {
    pub(crate) async fn opened(world: &'a World, tenant: &'static str, kind: RequestType, preflight_id: &str) -> Self {
        let id = Uuid::now_v7();
        let mut story = Self { world, tenant, id, versions: (0, 0), cause: None, sequence: 0 };
        let opened = RequestOpened {
            request_id: id.to_string(),
            r#type: kind.into(),
            resource: "orders-db".into(),
            from_site: "west".into(),
            target_site: "east".into(),
            reason: REASON.into(),
            tier: Tier::Tier2.into(),
            environment: Environment::Production.into(),
            requester: person("olga"),
            opened_at: now(),
            evidence: Some(muster_domain::pb::request::v1::Evidence {
                preflight_id: preflight_id.into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        story.asked("olga", Asked::Opened(opened)).await;
        story
    }

    /// Through to its end.
    pub(crate) async fn whole(world: &'a World, tenant: &'static str, kind: RequestType, end: End) -> Self {
        let mut story = Self::opened(world, tenant, kind, "").await;
        story.decided().await;
        story.run(kind, end).await;
        story
    }

    pub(crate) async fn decided(&mut self) {
        let approved = RequestApproved {
            approver: person("ingo"),
            as_role: Role::ApproverIt.into(),
            note: "seen".into(),
            plan_hash: "abc123".into(),
            completes: true,
            ..Default::default()
        };
        self.asked("ingo", Asked::Approved(approved)).await;
        let confirmed = RequestConfirmed {
            actor: person("olga"),
            phrase: "do it".into(),
            confirmed_at: now(),
            ..Default::default()
        };
        self.asked("olga", Asked::Confirmed(confirmed)).await;
    }

    pub(crate) async fn run(&mut self, kind: RequestType, end: End) {
        self.started(kind).await;
        self.did(Run::ChecksRecorded(ChecksRecorded {
            phase: CheckPhase::Before.into(),
            checks: vec![Check {
                name: "target_is_standby".into(),
                outcome: CheckOutcome::Passed.into(),
                ..Default::default()
            }],
            checked_at: now(),
        }))
        .await;
        for (phase, lsn) in [(CheckPhase::Before, "0/3010430"), (CheckPhase::After, "0/3020000")] {
            let marker =
                |node: &str| Marker { node: node.into(), lsn: lsn.into(), read_at: now(), ..Default::default() };
            let markers = vec![marker("pg-a"), marker("pg-b")];
            self.did(Run::MarkersCaptured(MarkersCaptured { phase: phase.into(), markers, unavailable: vec![] })).await;
        }
        let claimed =
            StepClaimed { step: "promote".into(), attempt: 1, executor: "executor-1".into(), claimed_at: now() };
        self.did(Run::StepClaimed(claimed)).await;
        match end {
            End::Succeeded { rto_seconds } => self.succeeded(rto_seconds).await,
            End::Failed => self.failed().await,
        }
    }

    async fn started(&mut self, kind: RequestType) {
        let member = Member {
            resource: "orders-db".into(),
            platform: "postgresql".into(),
            rpo_target: seconds(60),
            ..Default::default()
        };
        let step = Step { id: "promote".into(), title: "Promote pg-b".into(), ..Default::default() };
        let started = ExecutionStarted {
            request_id: self.id.to_string(),
            resource: "orders-db".into(),
            r#type: type_name(kind).into(),
            steps: vec![step],
            executor: "executor-1".into(),
            started_at: now(),
            confirmed_at: now(),
            rto_target: seconds(60),
            members: vec![member],
            tier: Tier::Tier2.into(),
            drill: type_name(kind).ends_with("drill"),
            ..Default::default()
        };
        self.did(Run::Started(started)).await;
    }

    async fn succeeded(&mut self, rto_seconds: i64) {
        let done = StepSucceeded {
            step: "promote".into(),
            attempt: 1,
            executor: "executor-1".into(),
            finished_at: now(),
            note: "promoted at 0/3020000".into(),
            ..Default::default()
        };
        self.did(Run::StepSucceeded(done)).await;
        let loss = LossStatement {
            certainty: LossCertainty::ProvenNone.into(),
            window: seconds(0),
            missing_bytes: Some(0),
            text: "No committed data is missing.".into(),
            limits: vec!["This cluster only.".into()],
            ..Default::default()
        };
        let outcome = MemberOutcome {
            resource: "orders-db".into(),
            loss: Some(loss),
            site: "east".into(),
            moved: true,
            ..Default::default()
        };
        self.did(Run::Succeeded(ExecutionSucceeded {
            finished_at: now(),
            rto_measured: seconds(rto_seconds),
            rto_met: rto_seconds <= 60,
            members: vec![outcome],
            ..Default::default()
        }))
        .await;
    }

    async fn failed(&mut self) {
        let failed = StepFailed {
            step: "promote".into(),
            attempt: 1,
            executor: "executor-1".into(),
            failed_at: now(),
            error: "disk full".into(),
        };
        self.did(Run::StepFailed(failed)).await;
        self.did(Run::Failed(ExecutionFailed {
            finished_at: now(),
            step: "promote".into(),
            error: "disk full".into(),
            known_state: "pg-b was not promoted".into(),
            ..Default::default()
        }))
        .await;
    }

    pub(crate) async fn asked(&mut self, who: &str, event: Asked) {
        self.versions.0 += 1;
        let event = RequestEvent { event: Some(event) };
        let id = AggregateId::from(self.id);
        let appended =
            self.world.append::<Request>(self.tenant, &id, self.versions.0, meta(who, self.id, None), &event);
        let (event_id, sequence) = appended.await;
        (self.cause, self.sequence) = (Some(event_id), sequence);
    }

    async fn did(&mut self, event: Run) {
        self.versions.1 += 1;
        // The run is caused by the confirmation; its later events by nothing else.
        let cause = self.cause.take();
        let event = ExecutionEvent { event: Some(event) };
        let meta = meta("service:executor", self.id, cause);
        let id = AggregateId::from(self.id);
        (_, self.sequence) = self.world.append::<Execution>(self.tenant, &id, self.versions.1, meta, &event).await;
    }
}
