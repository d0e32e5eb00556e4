//! What the linter finds. Each code has one row in docs/plans.md; a test keeps the two together.

use crate::pb::plan::v1::LintSeverity;

/// A kind of finding. Its name is stable: people search for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    EmptyPlan,
    EmptyPhase,
    TooManyPhases,
    TooManySteps,
    TooManyParts,
    DuplicateId,
    UnknownType,
    UnknownAfter,
    StepCycle,
    UnreachableStep,
    NoAction,

    ScopeUnknown,
    GroupCycle,
    SitesWrong,
    SitesSwapped,
    MemberNotMoved,
    MovedTwice,
    OutOfScope,
    OrderContradictsGroup,
    CannotAct,

    MissingUndo,
    UndoImpossible,
    UndoUnsuitable,
    ContinueOnMove,
    NoPostcheck,
    TimeoutMissing,
    TimeoutAbsurd,

    ManualIncomplete,
    NotifyEmpty,
    CommandUnknown,
    HttpIncomplete,
    HttpSecretInUrl,
    HttpUnencrypted,
    DnsIncomplete,
    DnsSameValues,
    DnsTtlTooLong,
    DnsUnsigned,
    ConditionIncomplete,
    ConditionOutOfScope,
    SecretUnresolved,

    RtoExceeded,
    NoObjective,
    NoBusinessApprover,
    OwnerMissing,
    ContactMissing,
    NotChecked,
}

impl Code {
    pub const ALL: [Code; 46] = [
        Code::EmptyPlan,
        Code::EmptyPhase,
        Code::TooManyPhases,
        Code::TooManySteps,
        Code::TooManyParts,
        Code::DuplicateId,
        Code::UnknownType,
        Code::UnknownAfter,
        Code::StepCycle,
        Code::UnreachableStep,
        Code::NoAction,
        Code::ScopeUnknown,
        Code::GroupCycle,
        Code::SitesWrong,
        Code::SitesSwapped,
        Code::MemberNotMoved,
        Code::MovedTwice,
        Code::OutOfScope,
        Code::OrderContradictsGroup,
        Code::CannotAct,
        Code::MissingUndo,
        Code::UndoImpossible,
        Code::UndoUnsuitable,
        Code::ContinueOnMove,
        Code::NoPostcheck,
        Code::TimeoutMissing,
        Code::TimeoutAbsurd,
        Code::ManualIncomplete,
        Code::NotifyEmpty,
        Code::CommandUnknown,
        Code::HttpIncomplete,
        Code::HttpSecretInUrl,
        Code::HttpUnencrypted,
        Code::DnsIncomplete,
        Code::DnsSameValues,
        Code::DnsTtlTooLong,
        Code::DnsUnsigned,
        Code::ConditionIncomplete,
        Code::ConditionOutOfScope,
        Code::SecretUnresolved,
        Code::RtoExceeded,
        Code::NoObjective,
        Code::NoBusinessApprover,
        Code::OwnerMissing,
        Code::ContactMissing,
        Code::NotChecked,
    ];

    /// "MISSING_UNDO"
    pub fn name(self) -> &'static str {
        match self {
            Code::EmptyPlan => "EMPTY_PLAN",
            Code::EmptyPhase => "EMPTY_PHASE",
            Code::TooManyPhases => "TOO_MANY_PHASES",
            Code::TooManySteps => "TOO_MANY_STEPS",
            Code::TooManyParts => "TOO_MANY_PARTS",
            Code::DuplicateId => "DUPLICATE_ID",
            Code::UnknownType => "UNKNOWN_TYPE",
            Code::UnknownAfter => "UNKNOWN_AFTER",
            Code::StepCycle => "STEP_CYCLE",
            Code::UnreachableStep => "UNREACHABLE_STEP",
            Code::NoAction => "NO_ACTION",
            Code::ScopeUnknown => "SCOPE_UNKNOWN",
            Code::GroupCycle => "GROUP_CYCLE",
            Code::SitesWrong => "SITES_WRONG",
            Code::SitesSwapped => "SITES_SWAPPED",
            Code::MemberNotMoved => "MEMBER_NOT_MOVED",
            Code::MovedTwice => "MOVED_TWICE",
            Code::OutOfScope => "OUT_OF_SCOPE",
            Code::OrderContradictsGroup => "ORDER_CONTRADICTS_GROUP",
            Code::CannotAct => "CANNOT_ACT",
            Code::MissingUndo => "MISSING_UNDO",
            Code::UndoImpossible => "UNDO_IMPOSSIBLE",
            Code::UndoUnsuitable => "UNDO_UNSUITABLE",
            Code::ContinueOnMove => "CONTINUE_ON_MOVE",
            Code::NoPostcheck => "NO_POSTCHECK",
            Code::TimeoutMissing => "TIMEOUT_MISSING",
            Code::TimeoutAbsurd => "TIMEOUT_ABSURD",
            Code::ManualIncomplete => "MANUAL_INCOMPLETE",
            Code::NotifyEmpty => "NOTIFY_EMPTY",
            Code::CommandUnknown => "COMMAND_UNKNOWN",
            Code::HttpIncomplete => "HTTP_INCOMPLETE",
            Code::HttpSecretInUrl => "HTTP_SECRET_IN_URL",
            Code::HttpUnencrypted => "HTTP_UNENCRYPTED",
            Code::DnsIncomplete => "DNS_INCOMPLETE",
            Code::DnsSameValues => "DNS_SAME_VALUES",
            Code::DnsTtlTooLong => "DNS_TTL_TOO_LONG",
            Code::DnsUnsigned => "DNS_UNSIGNED",
            Code::ConditionIncomplete => "CONDITION_INCOMPLETE",
            Code::ConditionOutOfScope => "CONDITION_OUT_OF_SCOPE",
            Code::SecretUnresolved => "SECRET_UNRESOLVED",
            Code::RtoExceeded => "RTO_EXCEEDED",
            Code::NoObjective => "NO_OBJECTIVE",
            Code::NoBusinessApprover => "NO_BUSINESS_APPROVER",
            Code::OwnerMissing => "OWNER_MISSING",
            Code::ContactMissing => "CONTACT_MISSING",
            Code::NotChecked => "NOT_CHECKED",
        }
    }

    pub fn by_name(name: &str) -> Option<Code> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }

    /// How bad it is. A missing undo of a tier-1 plan is the one that is worse than this says.
    pub fn severity(self) -> LintSeverity {
        match self {
            Code::EmptyPhase
            | Code::MissingUndo
            | Code::NoPostcheck
            | Code::TimeoutMissing
            | Code::DnsTtlTooLong
            | Code::DnsUnsigned
            | Code::RtoExceeded
            | Code::NoObjective
            | Code::OwnerMissing => LintSeverity::Warning,
            Code::ContactMissing | Code::NotChecked => LintSeverity::Info,
            _ => LintSeverity::Error,
        }
    }
}
