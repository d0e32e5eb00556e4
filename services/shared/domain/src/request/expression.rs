//! Approval expressions: who must say yes, put together with AND, OR and N-of-M.
//!
//! An expression is unfolded into its alternatives: lists of places, each of which one person fills. Everything else
//! (who may still decide, what is missing, what is proven) follows from these lists.

use crate::access::role_name;
use crate::pb::common::v1::Role;
use crate::pb::inventory::v1::{ApprovalExpression, ApproverGroup, approval_expression::Kind};

/// Ways to satisfy a whole policy. Each is one matching of a few people; more than this nobody can read either.
pub(super) const MAX_ALTERNATIVES: usize = 256;
/// People that one way may need. Two roles with the most people each, and room beside them.
pub(super) const MAX_PLACES: usize = 32;
/// Expressions within expressions.
pub(super) const MAX_DEPTH: usize = 8;

/// One place of a policy: exactly one person fills it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place<'a> {
    Role(i32),
    /// A stable id.
    Person(&'a str),
    Group {
        name: &'a str,
        people: &'a [String],
    },
}

/// Why an expression cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("an expression without content")]
    Unset,
    #[error("a list without members, or a number that its list cannot reach")]
    Unreachable,
    #[error("more than {MAX_DEPTH} expressions within each other")]
    TooDeep,
    #[error("more than {MAX_ALTERNATIVES} ways to satisfy it")]
    TooManyWays,
    #[error("a way that needs more than {MAX_PLACES} people")]
    TooManyPeople,
}

/// One way to satisfy an expression.
pub(crate) type Way<'a> = Vec<Place<'a>>;

/// Every way to satisfy the expression, each once.
pub(crate) fn ways(expression: &ApprovalExpression) -> Result<Vec<Way<'_>>, Unusable> {
    unfold(expression, 0)
}

fn unfold(expression: &ApprovalExpression, depth: usize) -> Result<Vec<Way<'_>>, Unusable> {
    if depth >= MAX_DEPTH {
        return Err(Unusable::TooDeep);
    }
    match expression.kind.as_ref().ok_or(Unusable::Unset)? {
        Kind::Role(role) => Ok(vec![vec![Place::Role(*role)]]),
        Kind::Person(person) => Ok(vec![vec![Place::Person(person)]]),
        Kind::Group(group) if group.people.is_empty() => Err(Unusable::Unreachable),
        Kind::Group(group) => Ok(vec![vec![Place::Group { name: &group.name, people: &group.people }]]),
        Kind::All(all) => choose(all.of.len(), &all.of, depth),
        Kind::Any(any) => choose(1, &any.of, depth),
        Kind::AtLeast(least) => choose(least.count as usize, &least.of, depth),
    }
}

/// The ways to satisfy `count` of these.
fn choose(count: usize, of: &[ApprovalExpression], depth: usize) -> Result<Vec<Way<'_>>, Unusable> {
    if count == 0 || count > of.len() {
        return Err(Unusable::Unreachable);
    }
    // chosen[n]: the ways to satisfy n of those looked at so far.
    let mut chosen: Vec<Vec<Way<'_>>> = vec![Vec::new(); count + 1];
    chosen[0].push(Vec::new());
    for expression in of {
        let own = unfold(expression, depth + 1)?;
        for n in (0..count).rev() {
            let with = product(&chosen[n], &own)?;
            chosen[n + 1].extend(with);
            each_once(&mut chosen[n + 1])?;
        }
    }
    Ok(chosen.pop().unwrap_or_default())
}

/// Each way of the one together with each way of the other.
fn product<'a>(one: &[Way<'a>], other: &[Way<'a>]) -> Result<Vec<Way<'a>>, Unusable> {
    if one.len().saturating_mul(other.len()) > MAX_ALTERNATIVES * 16 {
        return Err(Unusable::TooManyWays);
    }
    let mut both: Vec<Way<'a>> =
        one.iter().flat_map(|a| other.iter().map(|b| a.iter().chain(b).copied().collect())).collect();
    each_once(&mut both)?;
    Ok(both)
}

fn each_once(ways: &mut Vec<Way<'_>>) -> Result<(), Unusable> {
    ways.iter_mut().for_each(|way| way.sort_unstable());
    ways.sort();
    ways.dedup();
    if ways.iter().any(|way| way.len() > MAX_PLACES) {
        return Err(Unusable::TooManyPeople);
    }
    if ways.len() > MAX_ALTERNATIVES { Err(Unusable::TooManyWays) } else { Ok(()) }
}

/// "group DBAs"
pub(crate) fn place_words(place: Place<'_>) -> String {
    match place {
        Place::Role(role) => role_name(Role::try_from(role).unwrap_or(Role::Unspecified)).to_owned(),
        Place::Person(person) => person.to_owned(),
        Place::Group { name, .. } => format!("group {name}"),
    }
}

/// "one of: group DBAs, Approver-IT"
pub fn expression_words(expression: &ApprovalExpression) -> String {
    let list = |of: &[ApprovalExpression]| of.iter().map(nested).collect::<Vec<_>>().join(", ");
    match &expression.kind {
        None => "nobody".to_owned(),
        Some(Kind::Role(role)) => place_words(Place::Role(*role)),
        Some(Kind::Person(person)) => person.clone(),
        Some(Kind::Group(ApproverGroup { name, .. })) => format!("group {name}"),
        Some(Kind::All(all)) => format!("all of: {}", list(&all.of)),
        Some(Kind::Any(any)) => format!("one of: {}", list(&any.of)),
        Some(Kind::AtLeast(least)) => format!("{} of: {}", least.count, list(&least.of)),
    }
}

fn nested(expression: &ApprovalExpression) -> String {
    let words = expression_words(expression);
    match &expression.kind {
        Some(Kind::All(_) | Kind::Any(_) | Kind::AtLeast(_)) => format!("({words})"),
        _ => words,
    }
}
