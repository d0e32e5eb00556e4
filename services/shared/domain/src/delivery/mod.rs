//! Deliveries: what is told, to whom, when it is tried again, and what became of it.
//!
//! An event becomes a [`Message`] (`message`, `alert`, `lifecycle`), the tenant's routes turn it into
//! decisions (`routing`), each sent decision is one [`Delivery`] (`state`) that is tried by a schedule
//! (`schedule`) until it is accepted or given up (`failure` says why).

pub mod alert;
pub mod alert_rule;
pub mod ask;
mod audit_alarm;
mod belonging;
pub mod chat_binding;
pub mod digest;
pub mod due;
mod emergency;
pub mod ending;
pub mod escalation;
pub mod failure;
pub mod grouping;
pub mod language;
pub mod lifecycle;
pub mod message;
pub mod personal;
pub mod recipient;
pub mod route_test;
pub mod routing;
pub mod sample;
pub mod schedule;
pub mod silence;
pub mod state;
pub mod template;

pub use audit_alarm::alarm as audit_alarm;
pub use belonging::belong;
pub use chat_binding::ChatBinding;
pub use escalation::Escalation;
pub use failure::{Failure, FailureCode};
pub use message::{Message, Severity, Source};
pub use routing::{Decision, Route, Verdict, route};
pub use state::{Delivery, Phase, delivery_id};

#[cfg(test)]
mod documentation_tests;
#[cfg(test)]
mod message_tests;
#[cfg(test)]
mod on_call_tests;
