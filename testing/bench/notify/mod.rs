//! Alerts told: how long until the channel's HTTP request, and what a storm over a channel that is down does.

mod alerts;
mod latency;
mod receiver;
mod storm;

pub(crate) use latency::run as latency;
pub(crate) use storm::run as storm;
