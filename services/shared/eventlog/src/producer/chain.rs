//! What of this process was stored and not yet named by a later event of it.

use std::collections::VecDeque;

use muster_tlog::hash::Hash;

use super::{MAX_PREVIOUS, Signed};

/// Acknowledged events that no acknowledged later one names, oldest first. One, unless several are written at once: then
/// the next event names them all, so that none of them can go without a trace.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    unnamed: VecDeque<Hash>,
}

impl Chain {
    /// What the next event names. They stay until it is acknowledged: it may never be stored.
    pub(crate) fn previous(&self) -> Vec<Hash> {
        self.unnamed.iter().take(MAX_PREVIOUS).copied().collect()
    }

    pub(crate) fn acknowledged(&mut self, event: &Signed) {
        self.unnamed.retain(|digest| !event.previous.contains(digest));
        self.unnamed.push_back(event.digest);
    }
}
