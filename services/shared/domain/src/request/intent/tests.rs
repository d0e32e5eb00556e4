#![expect(clippy::unwrap_used, reason = "a test panics to fail")]
use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::pb::common::v1::{ActorKind, Role};
use crate::pb::inventory::v1::{ApprovalRequirement, ContactSpec, MessageApprovalRule};
use crate::pb::plan::v1::PlanRef;
use crate::pb::request::v1::{ApprovalPolicy, RequestEvent, RequestOpened, RequestWithdrawn, request_event};

const TENANT: &str = "acme";

fn start() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

fn later(minutes: i64) -> Timestamp {
    start() + SignedDuration::from_mins(minutes)
}

fn person(name: &str, role: Role) -> Actor {
    Actor {
        id: format!("https://idp.example|{name}"),
        name: name.into(),
        kind: ActorKind::Person.into(),
        roles: vec![role.into()],
    }
}

fn ingo() -> Actor {
    person("ingo", Role::ApproverIt)
}

fn request(tier: Tier) -> Request {
    let need = |role: Role| ApprovalRequirement { role: role.into(), count: 1 };
    let opened = RequestOpened {
        request_id: "r-1".into(),
        tier: tier.into(),
        requester: Some(person("olga", Role::Operator)),
        opened_at: Some(to_pb(start())),
        expires_at: Some(to_pb(later(240))),
        plan: Some(PlanRef { hash: "ab12".into(), ..PlanRef::default() }),
        policy: Some(ApprovalPolicy {
            require: vec![need(Role::ApproverIt), need(Role::ApproverBusiness)],
            ..ApprovalPolicy::default()
        }),
        ..RequestOpened::default()
    };
    let mut request = Request::default();
    request.evolve(&RequestEvent { event: Some(request_event::Event::Opened(opened)) });
    request
}

fn to_ingo() -> Addressee<'static> {
    Addressee { tenant: TENANT, person: "https://idp.example|ingo", channel: "email", level: 0 }
}

struct Link {
    intent: Intent,
    claims: Claims,
}

fn link(request: &Request) -> Link {
    let mut intent = Intent::default();
    intent.evolve(&issue(&intent, request, &to_ingo(), start()).unwrap());
    let claims = Claims::of(TENANT, intent.issued.as_ref().unwrap(), "n".into()).unwrap();
    Link { intent, claims }
}

/// Ingo, in his tenant, with a login fit for anything.
fn attempt<'a>(link: &'a Link, request: &'a Request, by: &'a Actor, now: Timestamp) -> Attempt<'a> {
    let login = Login { at: Some(now), second_factor: true };
    Attempt { tenant: TENANT, claims: &link.claims, by, request, changed: None, login }
}

fn code(outcome: Result<Option<IntentEvent>, Refusal>) -> String {
    let refusal = outcome.unwrap_err();
    assert!(!refusal.next_action.is_empty(), "{refusal:?}");
    refusal.code
}

const APPROVE: IntentDecision = IntentDecision::Approve;

#[test]
fn the_person_who_was_asked_decides_once() {
    let (request, by) = (request(Tier::Tier1), ingo());
    let mut link = link(&request);
    assert!(look(&link.intent, &attempt(&link, &request, &by, later(5)), later(5)).is_ok());
    let used = use_once(&link.intent, &attempt(&link, &request, &by, later(5)), APPROVE, later(5)).unwrap().unwrap();
    link.intent.evolve(&used);
    let again = use_once(&link.intent, &attempt(&link, &request, &by, later(6)), APPROVE, later(6));
    assert_eq!(code(again), "INTENT_USED");
}

#[test]
fn forwarded_expired_and_foreign_links_are_refused() {
    let (asked, bea) = (request(Tier::Tier2), person("bea", Role::ApproverBusiness));
    let (ingo, link) = (ingo(), link(&asked));
    let now = later(1);
    let forwarded = use_once(&link.intent, &attempt(&link, &asked, &bea, now), APPROVE, now);
    assert_eq!(code(forwarded), "INTENT_OTHER_PERSON");
    let late = use_once(&link.intent, &attempt(&link, &asked, &ingo, later(240)), APPROVE, later(240));
    assert_eq!(code(late), "INTENT_EXPIRED");
    let elsewhere = Attempt { tenant: "globex", ..attempt(&link, &asked, &ingo, now) };
    assert_eq!(code(use_once(&Intent::default(), &elsewhere, APPROVE, now)), "INTENT_OTHER_TENANT");
    let unknown = use_once(&Intent::default(), &attempt(&link, &asked, &ingo, now), APPROVE, now);
    assert_eq!(code(unknown), "INTENT_BAD_TOKEN", "a signature opens nothing that is not in the log");
}

#[test]
fn what_changed_and_what_is_closed_is_not_decided() {
    let (asked, by, now) = (request(Tier::Tier2), ingo(), later(1));
    let link = link(&asked);
    let changed = refusal("RESOURCE_CHANGED", "", "orders-db version 4", "", "");
    let after = Attempt { changed: Some(&changed), ..attempt(&link, &asked, &by, now) };
    assert_eq!(code(use_once(&link.intent, &after, APPROVE, now)), "INTENT_PLAN_CHANGED");
    let mut other_plan = asked.clone();
    other_plan.view.opened.as_mut().unwrap().plan.as_mut().unwrap().hash = "cd34".into();
    let with_it = attempt(&link, &other_plan, &by, now);
    assert_eq!(code(use_once(&link.intent, &with_it, APPROVE, now)), "INTENT_PLAN_CHANGED");
    let mut withdrawn = asked.clone();
    withdrawn.evolve(&RequestEvent { event: Some(request_event::Event::Withdrawn(RequestWithdrawn::default())) });
    let afterwards = attempt(&link, &withdrawn, &by, now);
    assert_eq!(code(use_once(&link.intent, &afterwards, APPROVE, now)), "INTENT_REQUEST_NOT_OPEN");
    assert!(issue(&Intent::default(), &withdrawn, &to_ingo(), now).is_none(), "nobody is asked about it any more");
}

#[test]
fn tier_1_takes_a_fresh_login_with_a_second_factor() {
    let (by, now) = (ingo(), later(30));
    let stale = Login { at: Some(later(24)), second_factor: true };
    let no_factor = Login { at: Some(now), second_factor: false };
    let ahead = Login { at: Some(later(33)), second_factor: true };
    for tier in [Tier::Tier1, Tier::Unspecified] {
        let request = request(tier);
        let link = link(&request);
        for login in [stale, no_factor, ahead, Login::default(), Login { at: None, second_factor: true }] {
            let attempt = Attempt { login, ..attempt(&link, &request, &by, now) };
            assert!(look(&link.intent, &attempt, now).is_ok(), "looking is free");
            assert_eq!(code(use_once(&link.intent, &attempt, APPROVE, now)), "INTENT_STEP_UP_NEEDED", "{login:?}");
        }
    }
    let request = request(Tier::Tier2);
    let link = link(&request);
    let plain = Attempt { login: Login::default(), ..attempt(&link, &request, &by, now) };
    assert!(use_once(&link.intent, &plain, APPROVE, now).unwrap().is_some());
    // Unless the policy asks for it: a link is no way round.
    let mut careful = request.clone();
    careful.view.opened.as_mut().unwrap().policy.as_mut().unwrap().step_up = true;
    let plain = Attempt { request: &careful, ..plain };
    assert_eq!(code(use_once(&link.intent, &plain, APPROVE, now)), "INTENT_STEP_UP_NEEDED");
}

#[test]
fn asking_twice_is_asking_once_and_an_escalation_asks_anew() {
    let request = request(Tier::Tier1);
    let link = link(&request);
    assert!(issue(&link.intent, &request, &to_ingo(), later(1)).is_none());
    let id = |to: &Addressee<'_>| intent_id("r-1", "ab12", to);
    let base = id(&to_ingo());
    assert_eq!(base, id(&to_ingo()));
    for other in [
        Addressee { level: 1, ..to_ingo() },
        Addressee { channel: "slack", ..to_ingo() },
        Addressee { person: "https://idp.example|bea", ..to_ingo() },
        Addressee { tenant: "globex", ..to_ingo() },
    ] {
        assert_ne!(base, id(&other));
    }
}

#[test]
fn who_is_asked_is_who_is_missing_and_never_the_requester() {
    let request = request(Tier::Tier1);
    let contact = |name: &str, role: Role| ContactSpec {
        person: format!("https://idp.example|{name}"),
        asked_as: vec![role.into()],
        ..ContactSpec::default()
    };
    assert!(asked_now(&request.view, &contact("ingo", Role::ApproverIt)));
    assert!(asked_now(&request.view, &contact("bea", Role::ApproverBusiness)));
    assert!(!asked_now(&request.view, &contact("olga", Role::ApproverIt)), "the requester");
    assert!(!asked_now(&request.view, &contact("vera", Role::Viewer)));
    let mut half = request.clone();
    let yes = crate::request::Yes::default();
    let approved = crate::request::approve(&half, &ingo(), &yes, later(1)).unwrap().unwrap();
    half.evolve(&approved);
    assert!(!asked_now(&half.view, &contact("ingo", Role::ApproverBusiness)), "counts once");
    assert!(!asked_now(&half.view, &contact("ivan", Role::ApproverIt)), "nobody of IT is missing");
    assert!(asked_now(&half.view, &contact("bea", Role::ApproverBusiness)));
    assert_eq!(consequences(&half.view).len(), 3);
}

#[test]
fn policies_only_narrow_each_other() {
    let rule = |channels: &[&str], tiers: &[Tier], alarm| MessageApprovalRule {
        channels: channels.iter().map(|c| (*c).to_owned()).collect(),
        tiers: tiers.iter().map(|t| (*t).into()).collect(),
        refusals_before_alarm: alarm,
    };
    let none = MessageApprovals::of([].iter());
    assert!(!none.has_channel("slack") && none.refusals_before_alarm == 5);
    let rules = [rule(&["slack"], &[Tier::Tier1, Tier::Tier2, Tier::Tier3], 0), rule(&["slack"], &[Tier::Tier3], 3)];
    let both = MessageApprovals::of(rules.iter());
    assert!(both.button_decides("slack", Tier::Tier3) && !both.button_decides("slack", Tier::Tier2));
    assert_eq!(both.refusals_before_alarm, 3);
    let one = MessageApprovals::of(rules[..1].iter());
    assert!(!one.button_decides("slack", Tier::Tier1), "never tier 1");
    assert!(!one.button_decides("slack", Tier::Unspecified) && !one.button_decides("teams", Tier::Tier3));
}

#[test]
fn security_hears_of_the_fifth_within_ten_minutes_and_then_of_the_next_five() {
    let at = |minutes: &[i64]| minutes.iter().map(|m| later(*m)).collect::<Vec<_>>();
    assert_eq!(alarms(at(&[0, 1, 2, 3]), 5), Vec::<usize>::new());
    assert_eq!(alarms(at(&[0, 3, 6, 9, 12]), 5), Vec::<usize>::new(), "not within the window");
    assert_eq!(alarms(at(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), 5), vec![4, 9]);
    assert_eq!(alarms(at(&[0]), 0), vec![0]);
}

#[test]
fn what_became_of_a_link_names_its_request() {
    let asked = request(Tier::Tier2);
    let mut link = link(&asked);
    let named = |event: &IntentEvent| match event.event.as_ref().unwrap() {
        Event::Refused(refused) => refused.request_id.clone(),
        Event::Used(used) => used.request_id.clone(),
        Event::Issued(issued) => issued.request_id.clone(),
    };
    let of_its_own = link.intent.issued.as_ref().unwrap().request_id.clone();
    assert!(!of_its_own.is_empty());
    let by = ingo();
    let event = refused(&link.intent, &by, APPROVE, &bad_token(), "console", start()).unwrap();
    assert_eq!(named(&event), of_its_own);
    link.intent.evolve(&event);
    let attempt = Attempt {
        tenant: TENANT,
        claims: &link.claims,
        by: &by,
        request: &asked,
        changed: None,
        login: Login { at: None, second_factor: false },
    };
    let event = use_once(&link.intent, &attempt, APPROVE, later(1)).unwrap().unwrap();
    assert_eq!(named(&event), of_its_own);
    // What was made up belongs to no request.
    assert_eq!(named(&refused(&Intent::default(), &by, APPROVE, &bad_token(), "console", start()).unwrap()), "");
}

#[test]
fn refused_attempts_are_kept_up_to_a_limit() {
    let (mut intent, by) = (Intent::default(), ingo());
    let mut kept = 0;
    for _ in 0..MAX_REFUSALS_KEPT + 10 {
        if let Some(event) = refused(&intent, &by, APPROVE, &bad_token(), "console", start()) {
            intent.evolve(&event);
            kept += 1;
        }
    }
    assert_eq!(kept, MAX_REFUSALS_KEPT);
    assert_eq!(stray_id(TENANT, "x", later(0)), stray_id(TENANT, "x", later(0)));
    assert_ne!(stray_id(TENANT, "x", later(0)), stray_id(TENANT, "x", later(11)));
}

proptest! {
    /// Whatever is changed in a link, and whoever comes with it when: nothing but the right person's first use passes.
    #[test]
    fn no_series_of_attempts_decides_twice(
        tries in prop::collection::vec((0_u8..4, 0_i64..300, any::<bool>(), 0_u8..6, 0_u8..3), 1..30)
    ) {
        let asked = request(Tier::Tier1);
        let mut link = link(&asked);
        let people = [ingo(), person("bea", Role::ApproverBusiness), person("olga", Role::Operator), person("", Role::ApproverIt)];
        let honest = link.claims.clone();
        let mut uses = 0;
        for (who, minute, second_factor, change, decision) in tries {
            let mut claims = honest.clone();
            match change {
                1 => claims.tenant = "globex".into(),
                2 => claims.request_id = "r-2".into(),
                3 => claims.plan_hash = "cd34".into(),
                4 => claims.expires += 1,
                5 => claims.person = person_digest(TENANT, "https://idp.example|bea"),
                _ => {}
            }
            let (by, now) = (&people[usize::from(who)], later(minute));
            let login = Login { at: Some(now), second_factor };
            let attempt = Attempt { tenant: TENANT, claims: &claims, by, request: &asked, changed: None, login };
            let decision = IntentDecision::try_from(i32::from(decision)).unwrap();
            match use_once(&link.intent, &attempt, decision, now) {
                Ok(event) => {
                    uses += 1;
                    prop_assert!(who == 0 && change == 0 && second_factor && minute < 240);
                    prop_assert!(decision != IntentDecision::Unspecified);
                    link.intent.evolve(&event.unwrap());
                }
                Err(why) => {
                    if let Some(event) = refused(&link.intent, by, decision, &why, "console", now) {
                        link.intent.evolve(&event);
                    }
                }
            }
        }
        prop_assert!(uses <= 1);
    }

    #[test]
    fn claims_are_read_in_one_form_only(tenant in "[a-z]{1,9}", nonce in "[ -~]{0,20}", flip in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut claims = link(&request(Tier::Tier2)).claims;
        claims.tenant = tenant;
        claims.nonce = nonce;
        let bytes = claims.encode();
        prop_assert_eq!(Claims::decode(&bytes), Some(claims.clone()));
        let mut broken = bytes.clone();
        broken[flip.index(bytes.len())] ^= 1 << bit;
        prop_assert_ne!(Claims::decode(&broken), Some(claims));
        prop_assert_eq!(Claims::decode(&[bytes.as_slice(), b" "].concat()), None);
    }
}
