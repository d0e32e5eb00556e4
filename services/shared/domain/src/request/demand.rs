//! What a policy demands of the people who decide: every way to satisfy it, what is missing, who may still say yes.

use super::expression::{MAX_ALTERNATIVES, MAX_PLACES, Place, Unusable, Way, expression_words, place_words, ways};
use super::seats::{Voice, seat, voices};
use super::{TYPES, effective_policy};
use crate::access::role_name;
use crate::pb::common::v1::{Environment, Role, Tier};
use crate::pb::inventory::v1::{ApprovalExpression, Document, approval_expression::Kind};
use crate::pb::request::v1::{ApprovalPolicy, RequestState, RequestType, RequestView};

/// One thing that a policy asks for: a number of people with a role, or an expression.
enum Part<'a> {
    Role { role: i32, count: usize },
    Expression(&'a ApprovalExpression),
}

/// A place, and which part of the policy it belongs to.
type Seat<'a> = (usize, Place<'a>);

/// A policy, unfolded.
pub(crate) struct Demand<'a> {
    parts: Vec<Part<'a>>,
    /// Never empty: a policy that nothing satisfies is [`Unusable`].
    alternatives: Vec<Vec<Seat<'a>>>,
}

/// A place that somebody can fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filled {
    pub role: Role,
    /// "Approver-IT", "group DBAs"
    pub words: String,
}

impl<'a> Demand<'a> {
    pub(crate) fn of(policy: &'a ApprovalPolicy) -> Result<Self, Unusable> {
        let mut demand = Self { parts: Vec::new(), alternatives: vec![Vec::new()] };
        for requirement in &policy.require {
            let count = requirement.count as usize;
            if count > MAX_PLACES {
                return Err(Unusable::TooManyPeople);
            }
            demand.add(Part::Role { role: requirement.role, count }, &[vec![Place::Role(requirement.role); count]])?;
        }
        for expression in &policy.expressions {
            demand.add(Part::Expression(expression), &ways(expression)?)?;
        }
        Ok(demand)
    }

    fn add(&mut self, part: Part<'a>, ways: &[Way<'a>]) -> Result<(), Unusable> {
        let index = self.parts.len();
        self.parts.push(part);
        if self.alternatives.len().saturating_mul(ways.len()) > MAX_ALTERNATIVES {
            return Err(Unusable::TooManyWays);
        }
        let with = |so_far: &Vec<Seat<'a>>, way: &Way<'a>| {
            so_far.iter().copied().chain(way.iter().map(|place| (index, *place))).collect::<Vec<_>>()
        };
        self.alternatives =
            self.alternatives.iter().flat_map(|so_far| ways.iter().map(move |way| with(so_far, way))).collect();
        match self.alternatives.iter().any(|seats| seats.len() > MAX_PLACES) {
            true => Err(Unusable::TooManyPeople),
            false => Ok(()),
        }
    }

    /// Nobody has to say yes.
    pub(crate) fn is_empty(&self) -> bool {
        self.alternatives.iter().any(Vec::is_empty)
    }

    /// The place that the last of these people fills, when that brings any way to satisfy the policy further.
    pub(crate) fn place_of_last(&self, people: &[Voice<'_>]) -> Option<Filled> {
        let last = people.len().checked_sub(1)?;
        let fills = |seats: &Vec<Seat<'a>>| {
            let places: Vec<Place<'_>> = seats.iter().map(|(_, place)| *place).collect();
            let taken = seat(&places, people);
            let place = taken.iter().position(|sitting| *sitting == Some(last))?;
            Some((taken.iter().filter(|sitting| sitting.is_none()).count(), places[place]))
        };
        let (_, place) = self.alternatives.iter().filter_map(fills).min_by_key(|(open, _)| *open)?;
        Some(filled(place, &people[last]))
    }

    /// Any place of any way that this person could ever fill.
    pub(crate) fn any_place(&self, person: &Voice<'_>) -> Option<Filled> {
        let place = self.alternatives.iter().flatten().find(|(_, place)| person.can_fill(*place))?;
        Some(filled(place.1, person))
    }

    /// What is missing on the way that is nearest to its end, in words.
    pub(crate) fn missing(&self, people: &[Voice<'_>]) -> Vec<String> {
        let ways: Vec<(&Vec<Seat<'a>>, Vec<Seat<'a>>)> =
            self.alternatives.iter().map(|seats| (seats, unfilled(seats, people))).collect();
        let Some((whole, open)) = ways.iter().min_by_key(|(_, open)| open.len()) else { return Vec::new() };
        // Ways that lack equally much of each part are told as one, by what each of them would take.
        let alike: Vec<&Vec<Seat<'a>>> =
            ways.iter().map(|(_, other)| other).filter(|other| lacks(other) == lacks(open)).collect();
        let words = |(index, part): (usize, &Part<'a>)| {
            let lacking = of_part(open, index);
            match part {
                _ if lacking.is_empty() => Vec::new(),
                Part::Expression(expression) if lacking.len() == of_part(whole, index).len() && is_list(expression) => {
                    vec![expression_words(expression)]
                }
                Part::Role { .. } | Part::Expression(_) => {
                    let mut options: Vec<_> = alike.iter().map(|other| of_part(other, index)).collect();
                    options.sort();
                    options.dedup();
                    option_words(&options)
                }
            }
        };
        self.parts.iter().enumerate().flat_map(words).collect()
    }

    /// "one Approver-IT and one Approver-Business, two different people, none of them the requester"
    pub(crate) fn words(&self) -> String {
        let part = |part: &Part<'_>| match part {
            Part::Role { role, count } => {
                format!("{} {}", number(*count), role_name(Role::try_from(*role).unwrap_or_default()))
            }
            Part::Expression(expression) if is_list(expression) => expression_words(expression),
            Part::Expression(expression) => format!("one {}", expression_words(expression)),
        };
        let parts: Vec<String> = self.parts.iter().map(part).collect();
        let people = self.alternatives.iter().map(Vec::len);
        let different = match (people.clone().min().unwrap_or_default(), people.max().unwrap_or_default()) {
            (0, _) => return "nobody".to_owned(),
            (1, 1) => return format!("{}, not the requester", parts.join(" and ")),
            (least, most) if least == most => format!("{} different people", number(least)),
            (least, most) => format!("{least} to {most} different people"),
        };
        format!("{}, {different}, none of them the requester", parts.join(" and "))
    }
}

fn filled(place: Place<'_>, person: &Voice<'_>) -> Filled {
    // A named person, or one of a named list, decides in an approver role of their own: no other may call it.
    let role = match place {
        Place::Role(role) => Role::try_from(role).unwrap_or_default(),
        Place::Person(_) | Place::Group { .. } => {
            let held = |role: &Role| person.roles.contains(&i32::from(*role));
            [Role::ApproverIt, Role::ApproverBusiness].into_iter().find(held).unwrap_or_default()
        }
    };
    Filled { role, words: place_words(place) }
}

fn unfilled<'a>(seats: &[Seat<'a>], people: &[Voice<'_>]) -> Vec<Seat<'a>> {
    let places: Vec<Place<'_>> = seats.iter().map(|(_, place)| *place).collect();
    let taken = seat(&places, people);
    seats.iter().zip(taken).filter(|(_, sitting)| sitting.is_none()).map(|(seat, _)| *seat).collect()
}

fn of_part<'a>(seats: &[Seat<'a>], index: usize) -> Way<'a> {
    seats.iter().filter(|(part, _)| *part == index).map(|(_, place)| *place).collect()
}

/// How many people each part lacks.
fn lacks(open: &[Seat<'_>]) -> Vec<usize> {
    let mut parts: Vec<usize> = open.iter().map(|(part, _)| *part).collect();
    parts.sort_unstable();
    parts
}

fn option_words(options: &[Way<'_>]) -> Vec<String> {
    let joined = |way: &Way<'_>| way.iter().map(|place| place_words(*place)).collect::<Vec<_>>().join(" and ");
    match options {
        [only] => only.iter().map(|place| format!("one approval by {}", place_words(*place))).collect(),
        several => vec![format!("one of: {}", several.iter().map(joined).collect::<Vec<_>>().join(", "))],
    }
}

fn is_list(expression: &ApprovalExpression) -> bool {
    matches!(expression.kind, Some(Kind::All(_) | Kind::Any(_) | Kind::AtLeast(_)))
}

/// "two"
fn number(count: usize) -> String {
    match count {
        1 => "one".to_owned(),
        2 => "two".to_owned(),
        3 => "three".to_owned(),
        more => more.to_string(),
    }
}

/// What is still missing before the request can be started, in words.
pub fn missing_approvals(view: &RequestView) -> Vec<String> {
    let open = matches!(view.state(), RequestState::PendingApproval | RequestState::Approved);
    let Some(policy) = view.opened.as_ref().and_then(|opened| opened.policy.as_ref()).filter(|_| open) else {
        return Vec::new();
    };
    missing_for(policy, &voices(view))
}

/// A policy that cannot be used is never satisfied: something is always missing.
pub(crate) fn missing_for(policy: &ApprovalPolicy, people: &[Voice<'_>]) -> Vec<String> {
    match Demand::of(policy) {
        Ok(demand) => demand.missing(people),
        Err(unusable) => vec![format!("a policy that can be satisfied (it is {unusable})")],
    }
}

/// Who must say yes, for people who ask before they open a request.
pub fn policy_words(policy: &ApprovalPolicy) -> String {
    let words = |demand: Demand<'_>| match policy.step_up && !demand.is_empty() {
        true => format!("{}, each after a login made for it, with a second factor", demand.words()),
        false => demand.words(),
    };
    Demand::of(policy).map_or_else(|unusable| format!("nobody can: the policy is {unusable}"), words)
}

/// The first kind of request for which these policies together cannot be used, if there is one.
pub fn first_unusable(policies: &[&Document]) -> Option<(Tier, Environment, RequestType, Unusable)> {
    let tiers = [Tier::Tier1, Tier::Tier2, Tier::Tier3];
    let environments = [Environment::Production, Environment::Staging, Environment::Test, Environment::Development];
    let kinds = tiers.into_iter().flat_map(|tier| {
        environments
            .into_iter()
            .flat_map(move |environment| TYPES.into_iter().map(move |kind| (tier, environment, kind)))
    });
    kinds.into_iter().find_map(|(tier, environment, kind)| {
        let policy = effective_policy(policies, tier, environment, kind).policy;
        Demand::of(&policy).err().map(|unusable| (tier, environment, kind, unusable))
    })
}
