//! Who gets a message of their own, and what it says about the decision.

use crate::pb::common::v1::{Actor, ActorKind};
use crate::pb::inventory::v1::ContactSpec;
use crate::pb::request::v1::{RequestState, RequestView};
use crate::request::demand::Demand;
use crate::request::policy_words;
use crate::request::seats::{Voice, voices};
use crate::time::from_pb;

/// Whether this person could give an approval that is still missing. A contact gives no right: who really holds the
/// role is known when they have logged in.
pub fn asked_now(view: &RequestView, contact: &ContactSpec) -> bool {
    let Some(opened) = view.opened.as_ref().filter(|_| view.state() == RequestState::PendingApproval) else {
        return false;
    };
    let person = Actor {
        id: contact.person.clone(),
        kind: ActorKind::Person.into(),
        roles: contact.asked_as.clone(),
        ..Actor::default()
    };
    let requester = opened.requester.as_ref().map(|requester| requester.id.as_str());
    let mut people = voices(view);
    let involved = requester.is_none_or(|id| id == person.id)
        || people.iter().any(|voice| voice.people.contains(&person.id.as_str()));
    let policy = opened.policy.clone().unwrap_or_default();
    let (false, Ok(demand)) = (involved || contact.person.is_empty(), Demand::of(&policy)) else { return false };
    people.push(Voice::own(&person));
    demand.place_of_last(&people).is_some()
}

/// What happens on approve, on deny, on silence.
pub fn consequences(view: &RequestView) -> Vec<String> {
    let Some(opened) = &view.opened else { return Vec::new() };
    let policy = opened.policy.clone().unwrap_or_default();
    let approve = match view.missing.len() {
        0 => "If you approve: nothing is missing any more as it is.".to_owned(),
        1 => "If you approve: everything required is there, and an operator can start it with the typed phrase. \
              Nothing starts by itself."
            .to_owned(),
        _ => format!("If you approve: it counts as one of what is needed ({}).", policy_words(&policy)),
    };
    let end = from_pb(opened.expires_at.as_ref()).map_or_else(|| "its end".to_owned(), |end| format!("{end:.0}"));
    vec![
        approve,
        "If you deny: the request ends for everybody, with your reason in the record.".to_owned(),
        format!("If nobody decides: it lapses at {end} and nothing runs."),
    ]
}
