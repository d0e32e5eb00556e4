//! The accounts Muster works with, and nothing more than each one needs.

use super::MariadbServer;
use crate::Result;

#[derive(Debug, Clone)]
pub struct MariadbAccount {
    pub user: String,
    pub password: String,
}

impl MariadbAccount {
    pub fn new(user: &str, password: &str) -> Self {
        Self { user: user.into(), password: password.into() }
    }
}

/// See each field. Made on the primary, they come to its replicas by replication.
#[derive(Debug, Clone)]
pub struct MariadbAccounts {
    /// Reads positions and the state of replication.
    pub monitor: MariadbAccount,
    /// Moves the roles. It holds no right on data.
    pub execute: MariadbAccount,
    /// What a replica logs in with, and copies everything with when it has to be built anew.
    pub replication: MariadbAccount,
}

const MONITOR: &str = "SLAVE MONITOR, BINLOG MONITOR";
/// PROCESS beside what the statements of a move need: without it the list of sessions is silently short, and those that
/// are left on the old primary cannot be ended.
const EXECUTE: &str =
    "REPLICATION SLAVE ADMIN, READ_ONLY ADMIN, CONNECTION ADMIN, BINLOG MONITOR, SLAVE MONITOR, RELOAD, PROCESS";
/// Who replicates reads all data as it is written; the rights behind the first are for what was written before.
const REPLICATION: &str = "REPLICATION SLAVE, SELECT, SHOW VIEW, TRIGGER, EVENT, RELOAD, BINLOG MONITOR";

impl MariadbServer {
    /// Creates the accounts on this server, or gives those that are there the passwords and rights anew.
    pub async fn create_accounts(&self, accounts: &MariadbAccounts) -> Result<()> {
        let mut sql = "SET SESSION sql_mode='NO_BACKSLASH_ESCAPES';\n".to_owned();
        for (account, rights) in
            [(&accounts.monitor, MONITOR), (&accounts.execute, EXECUTE), (&accounts.replication, REPLICATION)]
        {
            let (user, password) = (quoted(&account.user), quoted(&account.password));
            sql.push_str(&format!("CREATE OR REPLACE USER {user}@'%' IDENTIFIED BY {password};\n"));
            sql.push_str(&format!("GRANT {rights} ON *.* TO {user}@'%';\n"));
        }
        self.sql(&sql).await.map(drop)
    }
}

/// As a literal where backslashes mean nothing.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
