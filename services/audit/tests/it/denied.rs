//! Denied attempts: alike ones in one line, found by person and time, page by page.

use muster_domain::{
    denial::Denial,
    pb::{
        audit::v1::{DeniedAttempt, ListDeniedAttemptsRequest},
        common::v1::{Actor, PageRequest, Refusal},
        identity::v1::{AttemptDenied, DenialEvent, denial_event},
    },
};
use uuid::Uuid;

use crate::world::{World, meta};

const TENANT: &str = "denied";

async fn attempt(world: &World, who: &str, code: &str) -> u64 {
    let denied = AttemptDenied {
        method: "muster.request.v1.ApprovalService/StartRequest".into(),
        actor: Some(Actor { id: who.into(), name: who.into(), ..Default::default() }),
        refusal: Some(Refusal { code: code.into(), rule: "no".into(), ..Default::default() }),
        ..Default::default()
    };
    let event = DenialEvent { event: Some(denial_event::Event::Denied(denied)) };
    let id = Uuid::now_v7();
    world.append::<Denial>(TENANT, &id.into(), 1, meta(who, id, None), &event).await.1
}

pub(crate) async fn alike_attempts_are_one_line_with_a_count(world: &mut World) {
    for (who, code) in [("vera", "NOT_APPROVED"), ("vera", "NOT_APPROVED"), ("mallory", "ROLE_MISSING")] {
        attempt(world, who, code).await;
    }
    attempt(world, "vera", "NOT_APPROVED").await;
    let newest = attempt(world, "vera", "PHRASE_WRONG").await;

    let ada = world.ada(TENANT);
    let list = async |ask: ListDeniedAttemptsRequest| {
        let ask = ListDeniedAttemptsRequest { tenant: TENANT.into(), min_version: newest, ..ask };
        ada.client().list_denied_attempts(ada.request(ask)).await.unwrap().into_inner()
    };
    let all = list(ListDeniedAttemptsRequest::default()).await.attempts;
    assert_eq!(
        all.iter().map(told).collect::<Vec<_>>(),
        [
            ("vera".into(), "PHRASE_WRONG".into(), 1),
            ("mallory".into(), "ROLE_MISSING".into(), 1),
            ("vera".into(), "NOT_APPROVED".into(), 3),
        ]
    );
    assert!(all[0].method.ends_with("/StartRequest"));
    let of_mallory = list(ListDeniedAttemptsRequest { actor: "MALL".into(), ..Default::default() }).await.attempts;
    assert_eq!(of_mallory.len(), 1);
    let later = all[0].record.as_ref().unwrap().time;
    assert_eq!(list(ListDeniedAttemptsRequest { from: later, ..Default::default() }).await.attempts.len(), 1);

    let mut seen = 0;
    let mut token = String::new();
    loop {
        let page = Some(PageRequest { page_size: 2, page_token: token });
        let answer = list(ListDeniedAttemptsRequest { page, ..Default::default() }).await;
        seen += answer.attempts.len();
        token = answer.page.unwrap().next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, 3);
}

fn told(attempt: &DeniedAttempt) -> (String, String, u32) {
    let who = attempt.record.clone().unwrap().actor.unwrap().name;
    (who, attempt.refusal.clone().unwrap().code, attempt.count)
}
