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
    /// The service takes a deputy's yes as that of somebody who holds the role.
    DeputyUnnamed,
    /// The service goes by the delegation as it was begun, and not as the log has it.
    DelegationFromMemory,
    /// The service takes the role of who confirms a manual step from the call, and not from the login.
    RoleFromTheCall,
    /// A successor takes a manual step that was claimed for one that somebody has done.
    PersonNotAsked,
    /// Service and executor go by the gate as it was when the request was opened.
    GateOfTheOpening,
    /// Who decides on a gate is told apart by account.
    GateBySecondAccount,
    /// The service starts at every gate.
    GateNotAskedAtTheStart,
    /// Nobody begins the quiet after a failover.
    CoolDownForgotten,
    /// A rollback goes by the gate of the move that it takes back.
    GateOfTheMove,
    /// A rollback brings the approvals of the move along.
    ApprovalsInherited,
    /// Nobody asks whether the run that is taken back has ended.
    EarlierNotAwaited,
    /// The service takes every login for one that was made just now, with a second factor.
    LoginTakenForNew,
    /// The service takes the role of who overrides a check from the call.
    OverrideRoleFromTheCall,
    /// The executor passes over every check that an override names.
    AnyCheckOverridden,
}
