//! The answer that one person may give from one message, once.
//!
//! An intent adds checks and replaces none: whoever passes here still goes through the very same approval or denial as
//! everybody. The link in the message carries signed [`Claims`]; the signature is the services' business, what a link
//! with a good signature may do is decided here.

mod ask;
mod claims;
mod watch;

pub use ask::{asked_now, consequences};
pub use claims::{Claims, person_digest};
pub use watch::{ALARM_WINDOW, MessageApprovals, alarms};

use jiff::Timestamp;
use uuid::Uuid;

use super::login::{Login, fresh_words};
use super::{Request, must_be_open, state_name};
use crate::aggregate::{Aggregate, EventKind};
use crate::ids::derived_id;
use crate::pb::common::v1::{Actor, Tier};
use crate::pb::request::v1::{
    IntentDecision, IntentEvent, IntentIssued, IntentRefused, IntentUsed, intent_event::Event,
};
use crate::refusal::{Refusal, field_refusal, refusal};
use crate::time::{from_pb, to_pb};

/// Refused attempts kept with one intent: whoever holds a link must not be able to fill the log with it.
pub const MAX_REFUSALS_KEPT: usize = 50;

/// The fold of its events.
#[derive(Debug, Clone, Default)]
pub struct Intent {
    pub issued: Option<IntentIssued>,
    pub used: Option<IntentUsed>,
    pub refusals: usize,
}

impl EventKind for IntentEvent {
    fn kind(&self) -> &'static str {
        match &self.event {
            Some(Event::Issued(_)) => "intent.issued",
            Some(Event::Used(_)) => "intent.used",
            Some(Event::Refused(_)) => "intent.refused",
            None => "unset",
        }
    }
}

impl Aggregate for Intent {
    const KIND: &'static str = "intent";
    type Event = IntentEvent;

    /// The first issue and the first use count; nothing after them can change what they say.
    fn evolve(&mut self, event: &IntentEvent) {
        match &event.event {
            Some(Event::Issued(issued)) if self.issued.is_none() => self.issued = Some(issued.clone()),
            Some(Event::Used(used)) if self.used.is_none() => self.used = Some(used.clone()),
            Some(Event::Refused(_)) => self.refusals = self.refusals.saturating_add(1),
            Some(Event::Issued(_) | Event::Used(_)) | None => {}
        }
    }
}

/// Whom an intent is for, and by which message.
#[derive(Debug, Clone, Copy)]
pub struct Addressee<'a> {
    pub tenant: &'a str,
    /// The stable id.
    pub person: &'a str,
    /// "email", "slack"
    pub channel: &'a str,
    /// 0 when the request was opened, then the stage of the escalation.
    pub level: u32,
}

/// One for each request, plan, person, channel and level: asking twice is asking once.
pub fn intent_id(request_id: &str, plan_hash: &str, to: &Addressee<'_>) -> Uuid {
    derived_id(&["intent", to.tenant, request_id, plan_hash, to.person, to.channel, &to.level.to_string()])
}

/// The record of a message's intent. `None`: it is there already, or the request is not open any more.
pub fn issue(intent: &Intent, request: &Request, to: &Addressee<'_>, now: Timestamp) -> Option<IntentEvent> {
    let opened = request.view.opened.as_ref()?;
    if intent.issued.is_some() || must_be_open(request, now).is_err() {
        return None;
    }
    let plan_hash = plan_hash(request).to_owned();
    event(Event::Issued(IntentIssued {
        intent_id: intent_id(&opened.request_id, &plan_hash, to).to_string(),
        request_id: opened.request_id.clone(),
        plan_hash,
        person: to.person.to_owned(),
        channel: to.channel.to_owned(),
        issued_at: Some(to_pb(now)),
        expires_at: opened.expires_at,
    }))
}

/// Somebody comes with a link whose signature is good.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Where they are logged in.
    pub tenant: &'a str,
    pub claims: &'a Claims,
    pub by: &'a Actor,
    pub request: &'a Request,
    /// Why plan, group or resources are not what was asked about any more.
    pub changed: Option<&'a Refusal>,
    pub login: Login,
}

impl Attempt<'_> {
    /// Tier 1 is decided after a fresh login only, and what a policy asks it for; an unknown tier counts as tier 1.
    pub fn needs_step_up(&self, now: Timestamp) -> bool {
        let opened = self.request.view.opened.as_ref();
        let tier = opened.map_or(Tier::Unspecified, |opened| opened.tier());
        let by_policy = opened.and_then(|opened| opened.policy.as_ref()).is_some_and(|policy| policy.step_up);
        (by_policy || !matches!(tier, Tier::Tier2 | Tier::Tier3)) && !self.login.is_step_up(now)
    }
}

/// Whether the link leads to a decision at all. Says nothing about whether the approval itself will be accepted.
pub fn look(intent: &Intent, attempt: &Attempt<'_>, now: Timestamp) -> Result<(), Refusal> {
    if attempt.claims.tenant != attempt.tenant {
        return Err(other_tenant(attempt.tenant));
    }
    let issued = intent.issued.as_ref().filter(|issued| attempt.claims.fit(issued)).ok_or_else(bad_token)?;
    if issued.person != attempt.by.id {
        return Err(not_the_person(&attempt.by.name));
    }
    if let Some(used) = &intent.used {
        return Err(refusal(
            "INTENT_USED",
            "a link decides once",
            from_pb(used.used_at.as_ref()).map(|at| format!("used at {at:.0}")).unwrap_or_default(),
            "one decision",
            "look at the request: your decision is there",
        ));
    }
    if let Some(end) = from_pb(issued.expires_at.as_ref()).filter(|end| now >= *end) {
        return Err(refusal(
            "INTENT_EXPIRED",
            "a link lasts as long as the request that it is about",
            format!("now {now:.0}"),
            format!("before {end:.0}"),
            "if the move is still needed, it takes a new request",
        ));
    }
    must_be_open(attempt.request, now).map_err(|closed| not_open(attempt.request, &closed))?;
    if plan_hash(attempt.request) != issued.plan_hash {
        return Err(plan_changed(plan_hash(attempt.request)));
    }
    attempt.changed.map_or(Ok(()), |changed| Err(plan_changed(&changed.value)))
}

/// Claims the intent for one decision. The decision itself is made afterwards, by the request's own rules.
pub fn use_once(
    intent: &Intent,
    attempt: &Attempt<'_>,
    decision: IntentDecision,
    now: Timestamp,
) -> Result<Option<IntentEvent>, Refusal> {
    look(intent, attempt, now)?;
    if decision == IntentDecision::Unspecified {
        return Err(field_refusal(
            "decision",
            "FIELD_INVALID",
            "a link leads to a page, and the decision is made there",
            "none",
            "approve or deny",
            "choose one of the two",
        ));
    }
    if attempt.needs_step_up(now) {
        return Err(refusal(
            "INTENT_STEP_UP_NEEDED",
            "what concerns tier 1, or what the policy says, is decided from a message after a login made for it, with a second factor",
            attempt.login.words(now),
            fresh_words(),
            "log in again as the page asks, then decide",
        ));
    }
    Ok(event(Event::Used(IntentUsed {
        by: Some(attempt.by.clone()),
        decision: decision.into(),
        used_at: Some(to_pb(now)),
        request_id: about(intent),
    })))
}

/// The record of a refused attempt. `None`: enough of them are kept here.
pub fn refused(
    intent: &Intent,
    by: &Actor,
    decision: IntentDecision,
    why: &Refusal,
    via: &str,
    now: Timestamp,
) -> Option<IntentEvent> {
    if intent.refusals >= MAX_REFUSALS_KEPT {
        return None;
    }
    event(Event::Refused(IntentRefused {
        by: Some(by.clone()),
        decision: decision.into(),
        refusal: Some(why.clone()),
        refused_at: Some(to_pb(now)),
        via: via.to_owned(),
        request_id: about(intent),
    }))
}

/// The request that a message asked about; empty for what was never issued.
fn about(intent: &Intent) -> String {
    intent.issued.as_ref().map(|issued| issued.request_id.clone()).unwrap_or_default()
}

/// Where attempts are kept that belong to no intent of the tenant: one place for each person and ten minutes, so that
/// guessing is seen and does not fill the log.
pub fn stray_id(tenant: &str, person: &str, now: Timestamp) -> Uuid {
    let window = now.as_second().div_euclid(ALARM_WINDOW.as_secs());
    derived_id(&["intent.stray", tenant, person, &window.to_string()])
}

/// Whether the attempt says that a link got into other hands, or was made up. Such a look is recorded too.
pub fn is_suspicious(refusal: &Refusal) -> bool {
    matches!(refusal.code.as_str(), "INTENT_BAD_TOKEN" | "INTENT_OTHER_PERSON" | "INTENT_OTHER_TENANT")
}

/// Whether it has an intent of this tenant to be recorded with.
pub fn is_stray(refusal: &Refusal) -> bool {
    matches!(refusal.code.as_str(), "INTENT_BAD_TOKEN" | "INTENT_OTHER_TENANT")
}

/// Not a link that Muster made: cut, changed, made up, or signed with a key that is gone.
pub fn bad_token() -> Refusal {
    refusal(
        "INTENT_BAD_TOKEN",
        "a link in a message is used as it was sent",
        "it was cut or changed, or Muster did not make it",
        "a link from a message of Muster",
        "open the whole link, or decide on the request's own page",
    )
}

/// Somebody else than who was asked.
pub fn not_the_person(name: &str) -> Refusal {
    refusal(
        "INTENT_OTHER_PERSON",
        "a link in a message is for the person it was sent to, and for nobody else",
        name,
        "the person who was asked",
        "if you are an approver, decide on the request's own page; do not forward such messages",
    )
}

fn other_tenant(tenant: &str) -> Refusal {
    refusal(
        "INTENT_OTHER_TENANT",
        "a link belongs to the tenant that it was made in",
        tenant,
        "the tenant of the message",
        "open the link itself, and change nothing in it",
    )
}

fn not_open(request: &Request, closed: &Refusal) -> Refusal {
    let value = if closed.code == "REQUEST_CLOSED" { state_name(request.view.state()) } else { closed.value.as_str() };
    refusal(
        "INTENT_REQUEST_NOT_OPEN",
        "a link decides on a request that is still open",
        value,
        "pending approval or approved",
        "nothing has to be done; a new request asks anew",
    )
}

fn plan_changed(now: &str) -> Refusal {
    refusal(
        "INTENT_PLAN_CHANGED",
        "a link is for the plan and the systems as the message showed them",
        now,
        "what the message showed",
        "look at the request; what changed needs a new one",
    )
}

fn plan_hash(request: &Request) -> &str {
    let plan = request.view.opened.as_ref().and_then(|opened| opened.plan.as_ref());
    plan.map(|plan| plan.hash.as_str()).unwrap_or_default()
}

fn event(event: Event) -> Option<IntentEvent> {
    Some(IntentEvent { event: Some(event) })
}

#[cfg(test)]
mod tests;
