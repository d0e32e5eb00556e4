//! What people say to a run, the preflight before it, and the quiet after a failover.

pub(crate) mod cooldown;
pub(crate) mod preflight;
pub(crate) mod say;
