//! What `pg_controldata` says: the server's own last word when it is stopped.

use super::AgentError;
use crate::postgresql::Lsn;

/// "Database cluster state".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterState {
    /// Running as a primary, or crashed while it was one.
    InProduction,
    /// Stopped cleanly as a primary.
    ShutDown,
    ShuttingDown,
    /// Running as a standby, or crashed while it was one.
    InArchiveRecovery,
    /// Stopped cleanly as a standby.
    ShutDownInRecovery,
    /// A primary that is repairing itself after a crash.
    InCrashRecovery,
    StartingUp,
}

impl ClusterState {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "in production" => Self::InProduction,
            "shut down" => Self::ShutDown,
            "shutting down" => Self::ShuttingDown,
            "in archive recovery" => Self::InArchiveRecovery,
            "shut down in recovery" => Self::ShutDownInRecovery,
            "in crash recovery" => Self::InCrashRecovery,
            "starting up" => Self::StartingUp,
            _ => return None,
        })
    }

    pub fn is_standby(self) -> bool {
        matches!(self, Self::InArchiveRecovery | Self::ShutDownInRecovery)
    }
}

impl std::fmt::Display for ClusterState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::InProduction => "in production",
            Self::ShutDown => "shut down",
            Self::ShuttingDown => "shutting down",
            Self::InArchiveRecovery => "in archive recovery",
            Self::ShutDownInRecovery => "shut down in recovery",
            Self::InCrashRecovery => "in crash recovery",
            Self::StartingUp => "starting up",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlData {
    pub state: ClusterState,
    pub system_identifier: String,
    /// Where the latest checkpoint's record begins. After a clean stop: the shutdown checkpoint.
    pub checkpoint: Lsn,
    /// The timeline of that checkpoint. After a promotion it stays old until the next checkpoint.
    pub timeline: u32,
    pub wal_log_hints: bool,
    pub data_checksums: bool,
}

impl ControlData {
    /// From the program's output, untranslated (`LC_ALL=C`).
    pub fn parse(output: &str) -> Result<Self, AgentError> {
        let field = |name: &str| {
            output
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
                .ok_or_else(|| unreadable(format!("no line '{name}'")))
        };
        let state = field("Database cluster state")?;
        let checkpoint = field("Latest checkpoint location")?;
        let timeline = field("Latest checkpoint's TimeLineID")?;
        Ok(Self {
            state: ClusterState::parse(state).ok_or_else(|| unreadable(format!("unknown cluster state '{state}'")))?,
            system_identifier: field("Database system identifier")?.to_owned(),
            checkpoint: checkpoint.parse().map_err(|_| unreadable(format!("checkpoint location '{checkpoint}'")))?,
            timeline: timeline.parse().map_err(|_| unreadable(format!("timeline '{timeline}'")))?,
            wal_log_hints: field("wal_log_hints setting")? == "on",
            data_checksums: field("Data page checksum version")? != "0",
        })
    }
}

fn unreadable(why: String) -> AgentError {
    AgentError::Unreadable { what: "pg_controldata".into(), why }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    const OUTPUT: &str = "\
pg_control version number:            1300
Database system identifier:           7482910383728192911
Database cluster state:               shut down
Latest checkpoint location:           0/3010430
Latest checkpoint's REDO location:    0/3010430
Latest checkpoint's TimeLineID:       2
Latest checkpoint's PrevTimeLineID:   2
wal_log_hints setting:                on
Data page checksum version:           0
";

    #[test]
    fn reads_the_control_file() {
        let data = ControlData::parse(OUTPUT).unwrap();
        assert_eq!(data.state, ClusterState::ShutDown);
        assert_eq!(data.system_identifier, "7482910383728192911");
        assert_eq!((data.checkpoint.to_string().as_str(), data.timeline), ("0/3010430", 2));
        assert!(data.wal_log_hints && !data.data_checksums);
    }

    #[test]
    fn a_missing_line_or_an_unknown_state_is_an_error_and_not_a_default() {
        assert!(ControlData::parse(&OUTPUT.replace("Latest checkpoint location", "Other")).is_err());
        assert!(ControlData::parse(&OUTPUT.replace("shut down", "on holiday")).is_err());
    }
}
