//! Ways in which the services around the domain could be wrong. Each breaks a property: so the property can fail.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Flaw {
    /// The log takes an append whatever version it names.
    LogWithoutVersions,
    /// The executor believes that a confirmed request was approved.
    ProofSkipped,
    /// The executor does not look whether everything is still what people approved.
    PlanNotCompared,
    /// A claim without an outcome is taken for a step that was not done.
    TargetNotAsked,
    /// The platform does a step that must not be done twice without its own lock.
    TargetWithoutLock,
    /// The executor claims on a copy of the run that it read before the stop.
    StopNotHeard,
    /// The executor claims in the name of whoever owns the run.
    OwnerImpersonated,
    /// The compiler forgets one of the predecessors of a step.
    ArrowLost,
    /// The executor goes on when another run holds the resource.
    ReservationIgnored,
    /// Nobody looks for runs that a dead executor left behind.
    NoSuccessor,
    /// Nobody sets the timer of the review.
    NoReviewTimer,
    /// Approvers are told apart by the account they use, and one person may have two.
    SecondAccount,
}
