//! Strict stand-ins for services that no test can have for real. They speak HTTP as the real ones do, and refuse what
//! those refuse: a limit, an enum, a signature, a duplicate.
//!
//! Each says in its head which facts it takes for granted and could not be checked on a real account.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod check;
pub mod gds_notification;
pub mod pagerduty;
mod server;
pub mod slack;
pub mod teams;
pub mod webhook;

pub use server::{Fake, Reply, Request, Service, Trouble, Windows};
