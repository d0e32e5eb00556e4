//! A message of its own on one route: somebody tries whether it works.

use super::message::{Asker, Message, Severity, Source, kind};
use super::routing::{Decision, Verdict, rule};
use crate::pb::common::v1::{Actor, Environment};

/// It is about no system, so its environment is not known: the on-call is not for it, unless somebody says so.
pub fn message(source: &Source, route: &str, by: &Actor) -> Message {
    let mut message = Message::about(source, kind::ROUTE_TEST, "", 0, Environment::Unspecified.into());
    message.severity = Severity::Info;
    message.test = true;
    message.asked_by = Some(Asker::of(by));
    message.only_routes = vec![route.to_owned()];
    message.set_subject(&format!("TEST of route {route}"));
    message.set_summary(&format!(
        "{} tries the route {route}. Nothing has happened, and nothing has to be done.",
        by.name
    ));
    message.fact("Asked for by", &by.name);
    message.next_step = "Nothing. If you expected a test: this way works.".into();
    message
}

/// Whether the test would reach the production on-call, if it were let.
pub fn wakes_on_call(decisions: &[Decision]) -> bool {
    decisions.iter().any(|decision| decision.verdict == Verdict::Suppress(rule::ON_CALL_IS_FOR_PRODUCTION))
}

/// The same test, by somebody who answers for waking the on-call of production: it is meant for them.
#[must_use]
pub fn of_production(message: Message) -> Message {
    Message { environment: Environment::Production, ..message }
}
