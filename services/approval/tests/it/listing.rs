//! The read model: what lists show, and that it is no more than the log.

use jiff::Timestamp;
use muster_domain::{
    AggregateId, Refusal,
    execution::{self, Begin, Execution},
    pb::{
        common::v1::PageRequest,
        execution::v1::{ExecutionFailed, ExecutionStarted, Step},
        request::v1::{ListRequestsRequest, RequestState},
    },
};
use muster_eventlog::db::assert_row_level_security;

use crate::world::{PHRASE, RESOURCE, World, acme, code, meta};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_filtered_paged_and_newest_first() {
    let world = World::start().await;
    let olga = world.olga();
    let mut ids = Vec::new();
    let mut version = 0;
    for _ in 0..5 {
        let view = olga.open("").await.unwrap();
        (version, ids) = (view.version, [vec![view.request_id], ids].concat());
    }
    let ask = |token: &str| ListRequestsRequest {
        min_version: version,
        page: Some(PageRequest { page_size: 2, page_token: token.into() }),
        ..Default::default()
    };
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = olga.list(ask(&token)).await.unwrap();
        seen.extend(page.requests.into_iter().map(|view| view.request_id));
        token = page.page.unwrap().next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ids);

    let denied = world.ingo().approve(&ids[2], "").await.unwrap();
    let some = |states: &[RequestState], resource: &str| ListRequestsRequest {
        states: states.iter().map(|state| (*state).into()).collect(),
        resource: resource.into(),
        min_version: denied.version,
        ..Default::default()
    };
    assert_eq!(olga.list(some(&[], RESOURCE)).await.unwrap().requests.len(), 5);
    assert_eq!(olga.list(some(&[], "other")).await.unwrap().requests.len(), 0);
    assert_eq!(olga.list(some(&[RequestState::Approved], "")).await.unwrap().requests.len(), 0);
    let pending = olga.list(some(&[RequestState::PendingApproval, RequestState::Denied], "")).await.unwrap();
    assert_eq!(pending.requests.len(), 5);
    assert_eq!(pending.requests[2].approvals.len(), 1);
    assert_eq!(code(olga.list(some(&[RequestState::Unspecified], "")).await), "FIELD_INVALID");
    let foreign = ListRequestsRequest { resource: RESOURCE.into(), ..ask("bm90IG91cnM") };
    assert_eq!(code(olga.list(foreign).await), "PAGE_TOKEN_INVALID");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_execution_shows_in_the_request_and_a_rebuild_gives_the_same() {
    let world = World::start().await;
    let olga = world.olga();
    let approved = world.approved().await;
    let id: AggregateId = approved.request_id.parse().unwrap();
    olga.start(id.as_str(), PHRASE).await.unwrap();
    let started = ExecutionStarted {
        request_id: id.to_string(),
        executor: "one".into(),
        steps: vec![Step { id: "stop".into(), ..Default::default() }],
        ..Default::default()
    };
    let begin = |e: &Execution| execution::start(e, Begin { started: started.clone() });
    let begun = world.log.decide::<Execution, Refusal>(&acme(), &id, &meta(), begin).await.unwrap();
    let list = async |version| {
        let ask = ListRequestsRequest { min_version: version, ..Default::default() };
        olga.list(ask).await.unwrap().requests
    };
    assert_eq!(list(begun.sequence).await[0].state(), RequestState::Executing);
    let end = ExecutionFailed {
        error: "no".into(),
        finished_at: Some(muster_domain::time::to_pb(Timestamp::now())),
        ..Default::default()
    };
    let fail = |e: &Execution| execution::fail(e, "one", end.clone());
    let failed = world.log.decide::<Execution, Refusal>(&acme(), &id, &meta(), fail).await.unwrap();

    let listed = list(failed.sequence).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].state(), RequestState::Failed);
    assert_eq!(listed[0], olga.get(id.as_str()).await.unwrap(), "the list and the log say the same");
    assert_eq!(listed[0].execution.as_ref().unwrap().failed.as_ref().unwrap().error, "no");

    for projection in muster_approval::projections() {
        muster_eventlog::rebuild(world.log.clone(), world.db.clone(), projection, |_| {}).await.unwrap();
    }
    assert_eq!(list(failed.sequence).await, listed);
    assert_row_level_security(world.db.pool()).await.unwrap();
}
