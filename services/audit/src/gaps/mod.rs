//! Gaps: opened by people and by themselves, planned, closed, accepted until a date. The rules are in
//! `muster_domain::gap`; in words: docs/gaps.md.

mod commands;
mod findings;
mod lapse;
mod list;
mod projection;

pub(crate) use commands::{accept_gap, close_gap, open_gap, plan_gap, reopen_gap};
pub(crate) use findings::OpenByItself;
pub(crate) use lapse::{ACCEPTANCE, Lapse};
pub(crate) use list::{list_gaps, of_request};
pub(crate) use projection::project;

/// Whom the record names when a gap opens by itself.
const SERVICE: &str = "audit";
