//! A tenant's content is made unreadable: by an admin who means it, not in the middle of a run, and leaving the trail whole.

use muster_domain::{
    AggregateId,
    denial::Denial,
    execution::Execution,
    pb::{
        audit::v1::{AuditRecord, DestroyPayloadKeyRequest, DestroyPayloadKeyResponse, OpenGapRequest, Severity},
        common::v1::{Actor, Refusal},
        execution::v1::{ExecutionEvent, ExecutionFailed, ExecutionStarted, execution_event::Event},
        identity::v1::{AttemptDenied, DenialEvent, denial_event},
    },
};
use muster_eventlog::LogError;
use tonic::Status;
use uuid::Uuid;

use crate::world::{Caller, World, code, meta};

const TENANT: &str = "shredded";

async fn destroy(caller: &Caller, confirmation: &str) -> Result<DestroyPayloadKeyResponse, Status> {
    let ask = DestroyPayloadKeyRequest {
        tenant: caller.tenant(),
        reason: "the contract ended".into(),
        confirmation: confirmation.into(),
    };
    caller.client().destroy_payload_key(caller.request(ask)).await.map(tonic::Response::into_inner)
}

fn left(records: &[AuditRecord]) -> Vec<(u64, String, String, String, String)> {
    let actor = |record: &AuditRecord| record.actor.clone().unwrap().id;
    let of = |r: &AuditRecord| (r.sequence, r.r#type.clone(), r.event_id.clone(), actor(r), r.payload_sha256.clone());
    records.iter().map(of).collect()
}

pub(crate) async fn content_goes_and_the_trail_stays(world: &mut World) {
    let (ada, olga, request) = (world.ada(TENANT), world.olga(TENANT), Uuid::now_v7());
    let run = AggregateId::from(request);
    let event = |event| ExecutionEvent { event: Some(event) };
    let by = || meta("https://idp.example|ada", request, None);
    let started = event(Event::Started(ExecutionStarted::default()));
    world.append::<Execution>(TENANT, &run, 1, by(), &started).await;
    let secret = AttemptDenied {
        actor: Some(Actor { id: "vera".into(), name: "Vera Secret".into(), ..Default::default() }),
        refusal: Some(Refusal { code: "NOT_APPROVED".into(), rule: "a secret rule".into(), ..Default::default() }),
        resource: "secret-db".into(),
        ..Default::default()
    };
    let secret = DenialEvent { event: Some(denial_event::Event::Denied(secret)) };
    world.append::<Denial>(TENANT, &Uuid::now_v7().into(), 1, by(), &secret).await;

    // Not by a slip, not by anybody, not in the middle of a run.
    assert_eq!(code(destroy(&olga, TENANT).await), "ROLE_MISSING");
    assert_eq!(code(destroy(&ada, "shreded").await), "CONFIRMATION_WRONG");
    assert_eq!(code(destroy(&ada, TENANT).await), "PAYLOAD_KEY_IN_USE");
    let failed = event(Event::Failed(ExecutionFailed::default()));
    let (_, last) = world.append::<Execution>(TENANT, &run, 2, by(), &failed).await;
    let before = ada.events(&[], last).await;
    assert!(before.iter().any(|record| record.payload_json.contains("a secret rule")));
    let was: Vec<_> = world.stored(TENANT).await;

    let done = destroy(&ada, TENANT).await.unwrap();
    assert!(!done.receipt.is_empty());
    assert_eq!(done, destroy(&ada, TENANT).await.unwrap(), "again: the same receipt");

    // The bytes that every proof is over are the same; nobody can read them.
    let now = world.stored(TENANT).await;
    assert_eq!(now[..was.len()], was);
    let loaded = world.log.load::<Execution>(&TENANT.parse().unwrap(), &run).await;
    assert!(matches!(loaded, Err(LogError::KeyDestroyed { .. })), "{loaded:?}");
    let end = now.last().unwrap().sequence;
    let after = ada.events(&[], end).await;
    assert_eq!(left(&after)[..before.len()], left(&before));
    for record in &after {
        assert!(!format!("{record:?}").to_lowercase().contains("secret"), "{record:?}");
        let in_clear = record.r#type.starts_with("payload-key.") || record.r#type.starts_with("audit.");
        assert_eq!(record.outcome == "content destroyed", !in_clear, "{record:?}");
    }
    let run_of: Vec<_> = after.iter().filter(|record| record.r#type.starts_with("execution.")).collect();
    assert!(run_of.iter().all(|record| record.request_id == request.to_string()));
    let key: Vec<_> = after.iter().filter(|record| record.aggregate.starts_with("payload-key/")).collect();
    let types: Vec<_> = key.iter().map(|record| record.r#type.as_str()).collect();
    assert_eq!(types, ["payload-key.created", "payload-key.destruction-begun", "payload-key.destroyed"]);
    assert!(key[2].payload_json.contains(&done.receipt) && key[2].reason.contains("the contract ended"));

    // Nothing new is written, and the refusal says why.
    let gap = OpenGapRequest {
        tenant: ada.tenant(),
        title: "t".into(),
        description: "d".into(),
        severity: Severity::Low.into(),
        ..Default::default()
    };
    assert_eq!(code(ada.client().open_gap(ada.request(gap)).await), "PAYLOAD_KEY_DESTROYED");
}
