//! The shape of everything that decides: a state folded from its own events.

/// What an event is called, in the log's `ce-type` header and in the audit list: "request.approved".
pub trait EventKind {
    /// `"unset"` for a message without content, which no decider writes.
    fn kind(&self) -> &'static str;
}

/// A consistency boundary. Its state is the fold of its events and nothing else.
///
/// Deciding is a plain function beside it: `decide(&state, command, now) -> Result<Option<Event>, Refusal>`.
/// A decision is exactly one event; `None` means that what was asked for already holds.
pub trait Aggregate: Default + Clone + Send + Sync + 'static {
    /// The token in the subject: `rec.<tenant>.<KIND>.<id>.<version>`.
    const KIND: &'static str;
    type Event: prost::Message + Default + Clone + EventKind + Send + Sync + 'static;

    /// Total: an event that does not fit leaves the state as it is.
    fn evolve(&mut self, event: &Self::Event);
}
