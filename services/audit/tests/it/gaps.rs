//! Gaps that people open: planned, accepted, closed, opened again.

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    pb::audit::v1::{
        AcceptGapRequest, CloseGapRequest, Gap, GapState, ListGapsRequest, OpenGapRequest, PlanGapRequest,
        ReopenGapRequest, Severity,
    },
    pb::common::v1::PageRequest,
    time::to_pb,
};
use tonic::Status;

use crate::world::{Caller, World, code, eventually};

async fn open(who: &Caller, title: &str, severity: Severity, key: &str) -> Result<(String, u64), Status> {
    let ask = OpenGapRequest {
        tenant: who.tenant(),
        idempotency_key: key.into(),
        title: title.into(),
        severity: severity.into(),
        ..Default::default()
    };
    let answer = who.client().open_gap(who.request(ask)).await?.into_inner();
    Ok((answer.gap_id, answer.sequence))
}

async fn plan(who: &Caller, gap_id: &str, due: Timestamp) -> Result<u64, Status> {
    let ask = PlanGapRequest {
        tenant: who.tenant(),
        gap_id: gap_id.into(),
        plan: "lay a second cable".into(),
        owner: "network team".into(),
        due: Some(to_pb(due)),
    };
    Ok(who.client().plan_gap(who.request(ask)).await?.into_inner().sequence)
}

async fn accept(who: &Caller, gap_id: &str, until: Timestamp) -> Result<u64, Status> {
    let ask = AcceptGapRequest {
        tenant: who.tenant(),
        gap_id: gap_id.into(),
        reason: "moves out in spring".into(),
        until: Some(to_pb(until)),
    };
    Ok(who.client().accept_gap(who.request(ask)).await?.into_inner().sequence)
}

pub(crate) async fn close(who: &Caller, gap_id: &str, evidence: &str) -> Result<u64, Status> {
    let ask = CloseGapRequest {
        tenant: who.tenant(),
        gap_id: gap_id.into(),
        note: "done".into(),
        evidence_request_id: evidence.into(),
    };
    Ok(who.client().close_gap(who.request(ask)).await?.into_inner().sequence)
}

fn in_days(days: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(24 * days)
}

pub(crate) async fn opened_planned_accepted_closed(world: &mut World) {
    let (olga, ingo, bea) = (world.olga("life"), world.ingo("life"), world.bea("life"));
    let (id, sequence) = open(&olga, "No second path", Severity::Low, "k1").await.unwrap();
    assert_eq!(open(&olga, "No second path", Severity::Low, "k1").await.unwrap(), (id.clone(), sequence), "once");
    assert_eq!(code(open(&olga, "Another", Severity::Low, "k1").await), "IDEMPOTENCY_KEY_REUSED");
    let gap = bea.gap(&id, sequence).await;
    assert_eq!((gap.state(), gap.opened_by.as_str(), gap.version), (GapState::Open, "olga", 1));

    assert_eq!(code(plan(&olga, &id, in_days(-1)).await), "FIELD_INVALID");
    let sequence = plan(&olga, &id, in_days(7)).await.unwrap();
    let gap = bea.gap(&id, sequence).await;
    assert_eq!(
        (gap.state(), gap.overdue, gap.planned.unwrap().owner.as_str()),
        (GapState::Planned, false, "network team")
    );

    assert_eq!(code(accept(&ingo, &id, in_days(7)).await), "ROLE_MISSING");
    assert_eq!(code(accept(&bea, &id, in_days(400)).await), "FIELD_INVALID");
    let sequence = accept(&bea, &id, in_days(300)).await.unwrap();
    assert_eq!(bea.gap(&id, sequence).await.state(), GapState::Accepted);

    assert_eq!(code(close(&olga, &id, "").await), "ROLE_MISSING", "operators do not close");
    let sequence = close(&ingo, &id, "").await.unwrap();
    let closed = bea.gap(&id, sequence).await;
    assert_eq!((closed.state(), closed.version), (GapState::Closed, 4));
    assert!(bea.gaps(ListGapsRequest::default()).await.is_empty(), "what is closed is listed only when asked for");
    assert_eq!(code(plan(&olga, &id, in_days(7)).await), "GAP_CLOSED");

    let ask = ReopenGapRequest { tenant: olga.tenant(), gap_id: id.clone(), reason: "cut again".into() };
    let sequence = olga.client().reopen_gap(olga.request(ask)).await.unwrap().into_inner().sequence;
    let again = bea.gap(&id, sequence).await;
    assert_eq!((again.state(), again.closed), (GapState::Open, None));
    assert_eq!(code(close(&ingo, "0190aaaa-0000-7000-8000-000000000000", "").await), "GAP_NOT_FOUND");
    assert_eq!(code(close(&ingo, "Not An Id", "").await), "FIELD_INVALID");
}

pub(crate) async fn bad_enough_takes_two_people(world: &mut World) {
    let (ingo, ada) = (world.ingo("two"), world.ada("two"));
    let (id, _) = open(&ingo, "Backups unreadable", Severity::High, "").await.unwrap();
    assert_eq!(code(close(&ingo, &id, "").await), "GAP_NEEDS_ANOTHER");
    eventually("the attempt is in the record", async || !ada.events(&["access.denied"], 0).await.is_empty()).await;
    close(&ada, &id, "").await.unwrap();
}

pub(crate) async fn listed_the_worst_first_page_by_page(world: &mut World) {
    let (olga, ingo) = (world.olga("paged"), world.ingo("paged"));
    let mut newest = 0;
    let mut first = String::new();
    for (title, severity) in [
        ("low", Severity::Low),
        ("high", Severity::High),
        ("moderate", Severity::Moderate),
        ("high later", Severity::High),
        ("closed", Severity::High),
    ] {
        (first, newest) = open(&olga, title, severity, "").await.unwrap();
    }
    newest = newest.max(close(&ingo, &first, "").await.unwrap());
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let ask = ListGapsRequest {
            tenant: olga.tenant(),
            include_closed: true,
            page: Some(PageRequest { page_size: 2, page_token: token }),
            min_version: newest,
            ..Default::default()
        };
        let answer = olga.client().list_gaps(olga.request(ask)).await.unwrap().into_inner();
        seen.extend(answer.gaps.into_iter().map(|gap: Gap| gap.opened.unwrap().title));
        token = answer.page.unwrap().next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["high later", "high", "moderate", "low", "closed"]);
}

pub(crate) async fn an_acceptance_ends_by_itself(world: &mut World) {
    let (olga, bea) = (world.olga("lapse"), world.bea("lapse"));
    let (id, _) = open(&olga, "Old hardware", Severity::Moderate, "").await.unwrap();
    let sequence = accept(&bea, &id, Timestamp::now() + SignedDuration::from_secs(2)).await.unwrap();
    assert_eq!(bea.gap(&id, sequence).await.state(), GapState::Accepted);
    // Nobody is there when its time is over.
    world.reacted("lapse", sequence).await;
    world.stop();
    world.start_again().await;
    let bea = world.bea("lapse");
    eventually("it is open again", async || bea.gap(&id, 0).await.state() == GapState::Open).await;
    let reopened = bea.events(&["gap.reopened"], 0).await;
    assert_eq!(reopened.len(), 1);
    assert_eq!(reopened[0].actor.as_ref().unwrap().id, "service:audit");
    assert!(reopened[0].reason.contains("the acceptance ended"), "{}", reopened[0].reason);
}
