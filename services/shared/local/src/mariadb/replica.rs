//! A replica, made of an empty server.

use std::time::Duration;

use super::{MariadbAccount, MariadbServer, accounts::quoted};
use crate::{LocalError, Result};

/// An empty primary is copied in a second; longer means that it cannot log in.
const FOLLOW_LIMIT: Duration = Duration::from_secs(60);

/// What makes the next start one that accepts no writes: to the letter as a host agent writes it, which knows it by that.
const FENCE: &str = "# Written by Muster: this server is not the primary.\n[mysqld]\nread_only=1\n";

impl MariadbServer {
    /// Makes this running server, which holds nothing of its own yet, a replica of a primary whose binary log reaches
    /// back to its beginning. Waits until it has everything. It comes up read-only from now on.
    pub async fn follow(&self, primary: &Self, replication: &MariadbAccount) -> Result<()> {
        self.write(&self.fence_file(), FENCE)?;
        let (user, password) = (quoted(&replication.user), quoted(&replication.password));
        self.sql(&format!(
            "SET SESSION sql_mode='NO_BACKSLASH_ESCAPES'; SET GLOBAL read_only=1; STOP SLAVE; RESET SLAVE ALL;
             CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={}, MASTER_USER={user}, MASTER_PASSWORD={password},
                 MASTER_CONNECT_RETRY=1, MASTER_USE_GTID=slave_pos;
             START SLAVE;",
            primary.port
        ))
        .await?;
        let position = primary.sql("SELECT @@gtid_binlog_pos").await?;
        // 0: it has it, and maybe more by now. An empty position is reached at once.
        let waited = self.sql(&format!("SELECT MASTER_GTID_WAIT('{position}', {})", FOLLOW_LIMIT.as_secs())).await?;
        if waited.trim() != "0" {
            let log_tail = self.log_tail();
            return Err(LocalError::NotReady { server: "the MariaDB replica", waited: FOLLOW_LIMIT, log_tail });
        }
        Ok(())
    }
}
