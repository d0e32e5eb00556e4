//! People on places: each place takes one person, each person sits once.

use std::collections::BTreeSet;

use super::expression::Place;
use crate::pb::common::v1::{Actor, Role};
use crate::pb::request::v1::{RequestApproved, RequestView};

/// One yes, as far as it counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Voice<'a> {
    /// Stable ids of everybody who is used up by it: who decided, and who was away.
    pub people: Vec<&'a str>,
    /// Roles that it can count for.
    pub roles: Vec<i32>,
    /// Who decided in the own name. Places for named people take nobody's deputy.
    pub in_person: Option<&'a str>,
}

impl<'a> Voice<'a> {
    /// Somebody in the own name.
    pub(crate) fn own(actor: &'a Actor) -> Self {
        Self { people: vec![&actor.id], roles: actor.roles.clone(), in_person: Some(&actor.id) }
    }

    /// Somebody for a person who is away, in the one role that was handed over.
    pub(crate) fn for_another(actor: &'a Actor, away: &'a Actor, role: Role) -> Self {
        Self { people: vec![&actor.id, &away.id], roles: vec![role.into()], in_person: None }
    }

    fn of(approval: &'a RequestApproved) -> Self {
        match (&approval.approver, &approval.on_behalf_of) {
            (Some(actor), Some(away)) => Self::for_another(actor, away, approval.as_role()),
            (Some(actor), None) => Self::own(actor),
            (None, _) => Self::default(),
        }
    }

    pub(crate) fn can_fill(&self, place: Place<'_>) -> bool {
        match place {
            Place::Role(role) => self.roles.contains(&role),
            Place::Person(person) => self.in_person == Some(person),
            Place::Group { people, .. } => self.in_person.is_some_and(|id| people.iter().any(|member| member == id)),
        }
    }
}

/// Everybody's yes so far.
pub(crate) fn voices(view: &RequestView) -> Vec<Voice<'_>> {
    view.approvals.iter().map(Voice::of).collect()
}

/// No person is in two of them, whether decided, or stood in for.
pub(crate) fn all_different(voices: &[Voice<'_>]) -> bool {
    let mut seen = BTreeSet::new();
    voices.iter().all(|voice| !voice.people.is_empty() && voice.people.iter().all(|id| seen.insert(*id)))
}

/// Seats people so that as many places as possible are filled. Returns for each place the index of its person.
///
/// A person who is both Approver-IT and Approver-Business must not block the only other one, so this
/// is a bipartite matching and not first come, first served. Places that few can fill are tried first, so that what
/// stays open is what is easiest to find somebody for.
pub(crate) fn seat(places: &[Place<'_>], voices: &[Voice<'_>]) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|index| match places[*index] {
        Place::Person(_) => 0,
        Place::Group { people, .. } => people.len(),
        Place::Role(_) => usize::MAX,
    });
    let sorted: Vec<Place<'_>> = order.iter().map(|index| places[*index]).collect();
    let mut taken: Vec<Option<usize>> = vec![None; places.len()];
    for voice in 0..voices.len() {
        let mut visited = vec![false; places.len()];
        give_seat(voice, &sorted, voices, &mut taken, &mut visited);
    }
    let mut seats = vec![None; places.len()];
    for (index, sitting) in order.into_iter().zip(taken) {
        seats[index] = sitting;
    }
    seats
}

fn give_seat(
    voice: usize,
    places: &[Place<'_>],
    voices: &[Voice<'_>],
    seats: &mut [Option<usize>],
    visited: &mut [bool],
) -> bool {
    for place in 0..places.len() {
        if visited[place] || !voices[voice].can_fill(places[place]) {
            continue;
        }
        visited[place] = true;
        let free = match seats[place] {
            None => true,
            Some(other) => give_seat(other, places, voices, seats, visited),
        };
        if free {
            seats[place] = Some(voice);
            return true;
        }
    }
    false
}
