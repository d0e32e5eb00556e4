//! The accounts Muster works with, and nothing more than each one needs. Accounts are not replicated: each server has
//! them in its own configuration.

use super::{RedisServer, SERVER};
use crate::{LocalError, Result};

#[derive(Debug, Clone)]
pub struct RedisAccount {
    pub user: String,
    pub password: String,
}

impl RedisAccount {
    pub fn new(user: &str, password: &str) -> Self {
        Self { user: user.into(), password: password.into() }
    }
}

/// See each field.
#[derive(Debug, Clone)]
pub struct RedisAccounts {
    /// May do everything: for whoever runs the server.
    pub admin: RedisAccount,
    /// Reads and writes data.
    pub application: RedisAccount,
    /// Reads positions and the state of replication.
    pub monitor: RedisAccount,
    /// Moves the roles, and counts the keys. It holds no right on data.
    pub execute: RedisAccount,
    /// What a replica logs in with.
    pub replication: RedisAccount,
}

const ADMIN: &str = "~* &* +@all";
const APPLICATION: &str = "~* resetchannels -@all +@read +@write +@connection +@transaction";
const MONITOR: &str = "resetchannels -@all +info +ping +role +hello +client|setname +dbsize";
const EXECUTE: &str = "resetchannels -@all +info +ping +role +replicaof +failover +wait +client|pause +client|unpause \
                       +config|rewrite";
const REPLICATION: &str = "resetchannels -@all +psync +replconf +ping";

impl RedisAccounts {
    /// Lines of the configuration.
    pub(super) fn lines(&self) -> String {
        let user =
            |account: &RedisAccount, rights: &str| format!("user {} on >{} {rights}\n", account.user, account.password);
        [
            // Nobody comes in without a name.
            "user default off\n".to_owned(),
            user(&self.admin, ADMIN),
            user(&self.application, APPLICATION),
            user(&self.monitor, MONITOR),
            user(&self.execute, EXECUTE),
            user(&self.replication, REPLICATION),
            // On each server, whatever its role: for the way back.
            format!("masteruser {}\nmasterauth {}\n", self.replication.user, self.replication.password),
        ]
        .concat()
    }
}

impl RedisServer {
    /// Runs one command as the administrator. An answer of several parts comes back as lines.
    pub async fn command(&self, words: &[&str]) -> Result<String> {
        self.command_as(&self.options.accounts.admin, words).await
    }

    /// As [`Self::command`], as somebody else.
    pub async fn command_as(&self, account: &RedisAccount, words: &[&str]) -> Result<String> {
        // Shown without its arguments: they can hold a password.
        let shown = words.first().copied().unwrap_or_default();
        let failed = |error: redis::RedisError| LocalError::Command {
            command: format!("{SERVER} on port {}: {shown}", self.port),
            status: error.code().unwrap_or("no answer").to_owned(),
            output: error.to_string(),
        };
        let settings = redis::RedisConnectionInfo::default()
            .set_username(&account.user)
            .set_password(&account.password)
            .set_skip_set_lib_name();
        let address = redis::ConnectionAddr::Tcp("127.0.0.1".into(), self.port);
        let info = redis::IntoConnectionInfo::into_connection_info(address).map_err(failed)?;
        let client = redis::Client::open(info.set_redis_settings(settings)).map_err(failed)?;
        let mut connection = client.get_multiplexed_async_connection().await.map_err(failed)?;
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(*word);
        }
        let answer: redis::Value = command.query_async(&mut connection).await.map_err(failed)?;
        Ok(text(&answer))
    }
}

fn text(value: &redis::Value) -> String {
    match value {
        redis::Value::Nil => String::new(),
        redis::Value::Int(number) => number.to_string(),
        redis::Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        redis::Value::SimpleString(text) => text.clone(),
        redis::Value::Okay => "OK".into(),
        redis::Value::Array(parts) => parts.iter().map(text).collect::<Vec<_>>().join("\n"),
        other => format!("{other:?}"),
    }
}
