//! How a command ends, for scripts. The table is part of docs/cli.md.

use std::process::ExitCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    Failed,
    /// clap's own code for wrong arguments.
    Usage,
    Refused,
    Denied,
    Unavailable,
}

impl Exit {
    pub(crate) const ALL: [(Self, &'static str); 6] = [
        (Self::Done, "done"),
        (Self::Failed, "an error, or what was watched did not succeed"),
        (Self::Usage, "wrong arguments; nothing was sent"),
        (Self::Refused, "refused by a rule; nothing was changed"),
        (Self::Denied, "not logged in, or not allowed with your roles"),
        (Self::Unavailable, "Muster or something it needs does not answer; try again"),
    ];

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Denied => 4,
            Self::Unavailable => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
