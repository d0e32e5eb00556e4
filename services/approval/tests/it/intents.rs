//! Decisions by the links of messages: by the person who was asked, once, and by nobody else.

use std::convert::Infallible;

use jiff::Timestamp;
use muster_domain::{
    AggregateId,
    pb::{
        common::v1::Tier,
        request::v1::{
            DecideByIntentRequest, GetIntentRequest, GetIntentResponse, IntentDecision, RequestState, RequestView,
            WithdrawRequestRequest,
        },
    },
    request::{
        Request,
        intent::{self, Addressee, Intent},
    },
};
use tonic::Status;

use crate::world::{Caller, World, acme, code, meta};

struct Link {
    id: AggregateId,
    token: String,
}

/// As the notifier does it when somebody is asked.
async fn link(world: &World, request_id: &str, name: &str) -> Link {
    let request = world.log.load::<Request>(&acme(), &request_id.parse().unwrap()).await.unwrap().state;
    let person = world.id_of(name);
    let to = Addressee { tenant: "acme", person: &person, channel: "email", level: 0 };
    let hash = request.view.opened.as_ref().unwrap().plan.as_ref().unwrap().hash.clone();
    let id = AggregateId::from(intent::intent_id(request_id, &hash, &to));
    let issue = |intent: &Intent| Ok::<_, Infallible>(intent::issue(intent, &request, &to, Timestamp::now()));
    let decided = world.log.decide::<Intent, _>(&acme(), &id, &meta(), issue).await.unwrap();
    let token = world.links.sign(&acme(), &decided.state.issued.unwrap()).unwrap().unwrap();
    Link { id, token }
}

async fn look(who: &Caller, tenant: &str, token: &str) -> Result<GetIntentResponse, Status> {
    let ask = GetIntentRequest { tenant: tenant.into(), token: token.into() };
    Ok(who.client().get_intent(who.request(ask)).await?.into_inner())
}

async fn decide(
    who: &Caller,
    link: &Link,
    decision: IntentDecision,
    note: &str,
    key: &str,
) -> Result<RequestView, Status> {
    decide_in(who, "acme", &link.token, decision, note, key).await
}

async fn decide_in(
    who: &Caller,
    tenant: &str,
    token: &str,
    decision: IntentDecision,
    note: &str,
    key: &str,
) -> Result<RequestView, Status> {
    let ask = DecideByIntentRequest {
        tenant: tenant.into(),
        token: token.into(),
        decision: decision.into(),
        note: note.into(),
        idempotency_key: key.into(),
    };
    Ok(who.client().decide_by_intent(who.request(ask)).await?.into_inner().request.unwrap())
}

async fn refusals(world: &World, link: &Link) -> usize {
    world.log.load::<Intent>(&acme(), &link.id).await.unwrap().state.refusals
}

use IntentDecision::{Approve, Deny};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_person_who_was_asked_decides_once_after_a_fresh_login() {
    let world = World::start().await;
    let request = world.olga().open("").await.unwrap();
    let link = link(&world, &request.request_id, "ingo").await;
    let before = world.log.last_sequence(&acme()).await.unwrap();

    let seen = look(&world.ingo(), "acme", &link.token).await.unwrap();
    assert!(seen.refusal.is_none() && seen.needs_step_up && seen.consequences.len() == 3, "{seen:?}");
    assert_eq!(seen.request.unwrap().request_id, request.request_id);
    assert_eq!(world.log.last_sequence(&acme()).await.unwrap(), before, "looking changes nothing");

    assert_eq!(code(decide(&world.ingo(), &link, Approve, "", "").await), "INTENT_STEP_UP_NEEDED");
    let an_hour_ago = world.stepped_up("ingo", &["it"], 3_600);
    assert_eq!(code(decide(&an_hour_ago, &link, Approve, "", "").await), "INTENT_STEP_UP_NEEDED");

    let fresh = world.stepped_up("ingo", &["it"], 10);
    assert!(!look(&fresh, "acme", &link.token).await.unwrap().needs_step_up);
    let approved = decide(&fresh, &link, Approve, "seen", "k1").await.unwrap();
    assert_eq!(approved.approvals.len(), 1);
    assert_eq!(approved.approvals[0].approver.as_ref().unwrap().id, world.id_of("ingo"));
    assert_eq!(approved.approvals[0].plan_hash, request.opened.unwrap().plan.unwrap().hash);
    let repeated = decide(&fresh, &link, Approve, "seen", "k1").await.unwrap();
    assert_eq!(repeated.approvals.len(), 1, "the same command sent again is the same decision");
    assert_eq!(code(decide(&fresh, &link, Approve, "", "k2").await), "INTENT_USED");
    assert_eq!(code(decide(&fresh, &link, Deny, "no", "k1").await), "INTENT_USED");
    assert_eq!(look(&fresh, "acme", &link.token).await.unwrap().refusal.unwrap().code, "INTENT_USED");
    assert_eq!(refusals(&world, &link).await, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forwarded_foreign_changed_and_late_links_are_refused_and_recorded() {
    let world = World::start().await;
    world.declare_resource(Tier::Tier2).await;
    let request = world.olga().open("").await.unwrap();
    let link = link(&world, &request.request_id, "ingo").await;

    let seen = look(&world.bea(), "acme", &link.token).await.unwrap();
    assert_eq!(seen.refusal.unwrap().code, "INTENT_OTHER_PERSON");
    assert!(seen.request.is_none(), "they learn nothing about the request");
    assert_eq!(code(decide(&world.bea(), &link, Approve, "", "").await), "INTENT_OTHER_PERSON");
    assert_eq!(refusals(&world, &link).await, 2, "the look of somebody else is recorded, too");
    let vera = world.person("vera", &["viewer"]);
    assert_eq!(code(decide(&vera, &link, Approve, "", "").await), "ROLE_MISSING");

    let gala = world.person("ingo", &["globex-it"]);
    let elsewhere = decide_in(&gala, "globex", &link.token, Approve, "", "").await;
    assert_eq!(code(elsewhere), "INTENT_OTHER_TENANT");
    let mut changed = link.token.clone().into_bytes();
    changed[20] ^= 1;
    let changed = String::from_utf8(changed).unwrap();
    for token in [changed.as_str(), "", "a.b", &link.token[..40]] {
        assert_eq!(code(decide_in(&world.ingo(), "acme", token, Approve, "", "").await), "INTENT_BAD_TOKEN");
    }
    let denials = world.denials(7).await;
    assert!(denials.iter().any(|(code, method, _, about)| {
        code == "INTENT_OTHER_PERSON" && method == "DecideByIntent" && *about == request.request_id
    }));

    world.declare_resource(Tier::Tier3).await;
    assert_eq!(code(decide(&world.ingo(), &link, Approve, "", "").await), "INTENT_PLAN_CHANGED");
    let withdrawal = WithdrawRequestRequest {
        tenant: "acme".into(),
        request_id: request.request_id.clone(),
        reason: "not needed".into(),
        ..Default::default()
    };
    let olga = world.olga();
    olga.client().withdraw_request(olga.request(withdrawal)).await.unwrap();
    assert_eq!(code(decide(&world.ingo(), &link, Approve, "", "").await), "INTENT_REQUEST_NOT_OPEN");
    assert_eq!(world.olga().get(&request.request_id).await.unwrap().approvals.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_goes_through_the_requests_own_rules_and_is_not_used_up_by_them() {
    let world = World::start().await;
    world.declare_resource(Tier::Tier2).await;
    let request = world.olga().open("").await.unwrap();
    let own = link(&world, &request.request_id, "olga").await;
    let olga = world.person("olga", &["operator", "it"]);
    assert_eq!(code(decide(&olga, &own, Approve, "", "").await), "APPROVER_IS_REQUESTER");
    let state = world.log.load::<Intent>(&acme(), &own.id).await.unwrap().state;
    assert!(state.used.is_none() && state.refusals == 0, "the request said no, not the link");

    let link = link(&world, &request.request_id, "ingo").await;
    assert_eq!(code(decide(&world.ingo(), &link, Deny, " ", "").await), "FIELD_INVALID");
    // One wins, whatever the other wanted.
    let ingo = world.ingo();
    let (yes, no) =
        tokio::join!(decide(&ingo, &link, Approve, "", "a"), decide(&ingo, &link, Deny, "not tonight", "b"));
    assert!(yes.is_ok() != no.is_ok(), "{yes:?} {no:?}");
    let after = world.olga().get(&request.request_id).await.unwrap();
    let expected = if yes.is_ok() { RequestState::Approved } else { RequestState::Denied };
    assert_eq!(after.state(), expected);
    assert_eq!(code(if yes.is_ok() { no } else { yes }), "INTENT_USED");
}
