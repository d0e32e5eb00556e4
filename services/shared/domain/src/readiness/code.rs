//! Reason codes: stable names, the status each one forces at least, and the alert it belongs to.

use crate::pb::common::v1::{Measurement, Reason};
use crate::pb::readiness::v1::{AlertKind, Status};

/// Why a judgement was made. Names are stable for ever: people filter and route by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    RpoOk,
    RunningOnDrSite,
    RpoWarning,
    ApplyLag,
    ReplayPaused,
    ReplayDelayed,
    HeartbeatMissed,
    ReceiverSilent,
    SlotMissing,
    SlotAtRisk,
    PatroniPaused,
    PatroniUnreachable,
    PatroniPendingRestart,
    PatroniRoleDiffers,
    PatroniStoreSilent,
    HandOverUnderWay,
    LogUpdatesOff,
    GtidNotStrict,
    PrimaryUnreachable,
    StandbyUnreachable,
    CredentialRefused,
    PermissionRefused,
    NodeNotReady,
    AnswerInvalid,
    ConfigurationError,
    ObservationStale,
    ClockBackwards,
    ClockAhead,
    StatusHeld,
    RpoUnknown,
    PermissionLimited,
    RoleUnknown,
    NodesNotTwo,
    ReceiverConnecting,
    GaleraActive,
    ClusterMode,
    NeverObserved,
    SightLost,
    RpoBreach,
    ReceiverMissing,
    ReceiverNotStreaming,
    SenderMissing,
    SlotLost,
    NoPrimary,
    PatroniNoLeader,
    ApplierStopped,
    GtidNotUsed,
    ReplicationFiltered,
    SyncInProgress,
    TwoPrimaries,
    SameServer,
    SystemMismatch,
    TimelineDiverged,
    FollowsOther,
    StandbyAhead,
    StandbyWritable,
    ErrantTransactions,
    DataCollapsed,
}

impl Code {
    /// Every code, for the documentation and for tests.
    pub const ALL: &'static [Self] = &[
        Self::RpoOk,
        Self::RunningOnDrSite,
        Self::RpoWarning,
        Self::ApplyLag,
        Self::ReplayPaused,
        Self::ReplayDelayed,
        Self::HeartbeatMissed,
        Self::ReceiverSilent,
        Self::SlotMissing,
        Self::SlotAtRisk,
        Self::PatroniPaused,
        Self::PatroniUnreachable,
        Self::PatroniPendingRestart,
        Self::PatroniRoleDiffers,
        Self::PatroniStoreSilent,
        Self::HandOverUnderWay,
        Self::LogUpdatesOff,
        Self::GtidNotStrict,
        Self::PrimaryUnreachable,
        Self::StandbyUnreachable,
        Self::CredentialRefused,
        Self::PermissionRefused,
        Self::NodeNotReady,
        Self::AnswerInvalid,
        Self::ConfigurationError,
        Self::ObservationStale,
        Self::ClockBackwards,
        Self::ClockAhead,
        Self::StatusHeld,
        Self::RpoUnknown,
        Self::PermissionLimited,
        Self::RoleUnknown,
        Self::NodesNotTwo,
        Self::ReceiverConnecting,
        Self::GaleraActive,
        Self::ClusterMode,
        Self::NeverObserved,
        Self::SightLost,
        Self::RpoBreach,
        Self::ReceiverMissing,
        Self::ReceiverNotStreaming,
        Self::SenderMissing,
        Self::SlotLost,
        Self::NoPrimary,
        Self::PatroniNoLeader,
        Self::ApplierStopped,
        Self::GtidNotUsed,
        Self::ReplicationFiltered,
        Self::SyncInProgress,
        Self::TwoPrimaries,
        Self::SameServer,
        Self::SystemMismatch,
        Self::TimelineDiverged,
        Self::FollowsOther,
        Self::StandbyAhead,
        Self::StandbyWritable,
        Self::ErrantTransactions,
        Self::DataCollapsed,
    ];

    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The status this code forces at least. `STATUS_HELD` carries the held status itself.
    pub fn status(self) -> Status {
        self.row().1
    }

    /// The alert this code is a condition of.
    pub fn alert(self) -> Option<AlertKind> {
        self.row().2
    }

    fn row(self) -> (&'static str, Status, Option<AlertKind>) {
        use AlertKind::{Integrity, LostSight, ReplicationBroken};
        use Status::{Green, Red, Unknown, Yellow};
        match self {
            Self::RpoOk => ("RPO_OK", Green, None),
            Self::RunningOnDrSite => ("RUNNING_ON_DR_SITE", Green, None),
            Self::RpoWarning => ("RPO_WARNING", Yellow, None),
            Self::ApplyLag => ("APPLY_LAG", Yellow, None),
            Self::ReplayPaused => ("REPLAY_PAUSED", Yellow, None),
            Self::ReplayDelayed => ("REPLAY_DELAYED", Yellow, None),
            Self::HeartbeatMissed => ("HEARTBEAT_MISSED", Yellow, None),
            Self::ReceiverSilent => ("RECEIVER_SILENT", Yellow, None),
            Self::SlotMissing => ("SLOT_MISSING", Yellow, None),
            Self::SlotAtRisk => ("SLOT_AT_RISK", Yellow, None),
            Self::PatroniPaused => ("PATRONI_PAUSED", Yellow, None),
            Self::PatroniUnreachable => ("PATRONI_UNREACHABLE", Yellow, None),
            Self::PatroniPendingRestart => ("PATRONI_PENDING_RESTART", Yellow, None),
            Self::PatroniRoleDiffers => ("PATRONI_ROLE_DIFFERS", Yellow, None),
            Self::PatroniStoreSilent => ("PATRONI_STORE_SILENT", Yellow, None),
            Self::HandOverUnderWay => ("HAND_OVER_UNDER_WAY", Yellow, None),
            Self::LogUpdatesOff => ("LOG_UPDATES_OFF", Yellow, None),
            Self::GtidNotStrict => ("GTID_NOT_STRICT", Yellow, None),
            Self::PrimaryUnreachable => ("PRIMARY_UNREACHABLE", Yellow, Some(LostSight)),
            Self::StandbyUnreachable => ("STANDBY_UNREACHABLE", Yellow, Some(LostSight)),
            Self::CredentialRefused => ("CREDENTIAL_REFUSED", Yellow, Some(LostSight)),
            Self::PermissionRefused => ("PERMISSION_REFUSED", Yellow, Some(LostSight)),
            Self::NodeNotReady => ("NODE_NOT_READY", Yellow, Some(LostSight)),
            Self::AnswerInvalid => ("ANSWER_INVALID", Yellow, Some(LostSight)),
            Self::ConfigurationError => ("CONFIGURATION_ERROR", Yellow, Some(LostSight)),
            Self::ObservationStale => ("OBSERVATION_STALE", Yellow, Some(LostSight)),
            Self::ClockBackwards => ("CLOCK_BACKWARDS", Yellow, None),
            Self::ClockAhead => ("CLOCK_AHEAD", Yellow, None),
            Self::StatusHeld => ("STATUS_HELD", Green, None),
            Self::RpoUnknown => ("RPO_UNKNOWN", Unknown, Some(LostSight)),
            Self::PermissionLimited => ("PERMISSION_LIMITED", Unknown, Some(LostSight)),
            Self::RoleUnknown => ("ROLE_UNKNOWN", Unknown, Some(LostSight)),
            Self::NodesNotTwo => ("NODES_NOT_TWO", Unknown, Some(LostSight)),
            Self::ReceiverConnecting => ("RECEIVER_CONNECTING", Unknown, Some(LostSight)),
            Self::GaleraActive => ("GALERA_ACTIVE", Unknown, Some(LostSight)),
            Self::ClusterMode => ("CLUSTER_MODE", Unknown, Some(LostSight)),
            Self::NeverObserved => ("NEVER_OBSERVED", Unknown, Some(LostSight)),
            Self::SightLost => ("SIGHT_LOST", Unknown, Some(LostSight)),
            Self::RpoBreach => ("RPO_BREACH", Red, Some(AlertKind::RpoBreach)),
            Self::ReceiverMissing => ("RECEIVER_MISSING", Red, Some(ReplicationBroken)),
            Self::ReceiverNotStreaming => ("RECEIVER_NOT_STREAMING", Red, Some(ReplicationBroken)),
            Self::SenderMissing => ("SENDER_MISSING", Red, Some(ReplicationBroken)),
            Self::SlotLost => ("SLOT_LOST", Red, Some(ReplicationBroken)),
            Self::NoPrimary => ("NO_PRIMARY", Red, Some(ReplicationBroken)),
            Self::PatroniNoLeader => ("PATRONI_NO_LEADER", Red, Some(ReplicationBroken)),
            Self::ApplierStopped => ("APPLIER_STOPPED", Red, Some(ReplicationBroken)),
            Self::GtidNotUsed => ("GTID_NOT_USED", Red, Some(ReplicationBroken)),
            Self::ReplicationFiltered => ("REPLICATION_FILTERED", Red, Some(ReplicationBroken)),
            Self::SyncInProgress => ("SYNC_IN_PROGRESS", Red, Some(ReplicationBroken)),
            Self::TwoPrimaries => ("TWO_PRIMARIES", Red, Some(Integrity)),
            Self::SameServer => ("SAME_SERVER", Red, Some(Integrity)),
            Self::SystemMismatch => ("SYSTEM_MISMATCH", Red, Some(Integrity)),
            Self::TimelineDiverged => ("TIMELINE_DIVERGED", Red, Some(Integrity)),
            Self::FollowsOther => ("FOLLOWS_OTHER", Red, Some(Integrity)),
            Self::StandbyAhead => ("STANDBY_AHEAD", Red, Some(Integrity)),
            Self::StandbyWritable => ("STANDBY_WRITABLE", Red, Some(Integrity)),
            Self::ErrantTransactions => ("ERRANT_TRANSACTIONS", Red, Some(Integrity)),
            Self::DataCollapsed => ("DATA_COLLAPSED", Red, Some(Integrity)),
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }
}

/// A code with its words and numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub code: Code,
    pub text: String,
    pub measurements: Vec<Measurement>,
}

impl Finding {
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), measurements: Vec::new() }
    }

    /// Adds a number. `None`: it could not be measured, which is not zero.
    pub fn measured(mut self, name: &str, value: Option<f64>, limit: Option<f64>, unit: &str) -> Self {
        self.measurements.push(Measurement { name: name.into(), value, limit, unit: unit.into() });
        self
    }

    pub fn into_reason(self) -> Reason {
        Reason { code: self.code.name().into(), text: self.text, measurements: self.measurements }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lists_every_code_once_in_order() {
        for (index, code) in Code::ALL.iter().enumerate() {
            assert_eq!(*code as usize, index, "{} is out of place", code.name());
            assert_eq!(Code::by_name(code.name()), Some(*code));
        }
        assert_eq!(Code::ALL.len(), Code::DataCollapsed as usize + 1);
    }

    /// An unknown that nobody is told about would stay for ever.
    #[test]
    fn every_red_and_every_unknown_belongs_to_an_alert() {
        for code in Code::ALL {
            if matches!(code.status(), Status::Red | Status::Unknown) {
                assert!(code.alert().is_some(), "{}", code.name());
            }
        }
    }
}
