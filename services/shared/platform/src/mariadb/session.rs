//! One connection to one node, never through a proxy or a virtual address: what answers is the node.
//!
//! Only the text protocol is used: `SHOW` statements are not prepared everywhere, and column names are read from the answer
//! and never guessed by version. Accounts log in with `mysql_native_password` (or, over TLS, `caching_sha2_password`); the
//! client speaks no `ed25519`.

use std::{net::IpAddr, time::Duration};

use muster_domain::{
    inventory::platform::NodeRef,
    pb::{inventory::v1::TlsMode, observation::v1::ErrorClass},
};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Executor, MySqlConnection, Row as _,
    mysql::{MySqlConnectOptions, MySqlRow, MySqlSslMode},
};

use super::errors::SqlError;
use crate::{Login, redact::redact, tls};

/// What our own clock adds to the server's statement limit: for a server that no longer answers.
const GRACE: Duration = Duration::from_secs(1);

/// How one node is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub host: String,
    pub port: u16,
    tls: bool,
}

impl Address {
    pub(super) fn of(node: &NodeRef<'_>, tls: TlsMode) -> Result<Self, SqlError> {
        let configuration = |text: String| SqlError::new(ErrorClass::Configuration, text);
        if node.host.is_empty() || node.host.starts_with('/') || node.host.starts_with('@') {
            return Err(configuration(format!("node {}: host '{}' is not a name or an address", node.name, node.host)));
        }
        if tls != TlsMode::VerifyFull && !is_loopback(node.host) {
            return Err(configuration(format!(
                "node {}: without TLS only loopback addresses are used, and '{}' is none; set tls to VERIFY_FULL",
                node.name, node.host
            )));
        }
        let port = u16::try_from(node.port).ok().filter(|port| *port != 0);
        let port =
            port.ok_or_else(|| configuration(format!("node {}: port {} is not 1 to 65535", node.name, node.port)))?;
        Ok(Self { host: node.host.to_owned(), port, tls: tls == TlsMode::VerifyFull })
    }

    pub(super) fn uses_tls(&self) -> bool {
        self.tls
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// One row of an answer, every value as the server wrote it.
#[derive(Debug, Clone, Default)]
pub(super) struct Row(Vec<(String, Option<String>)>);

impl Row {
    /// `None`: no such column, or NULL.
    pub(super) fn text(&self, column: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(column)).and_then(|(_, value)| value.as_deref())
    }

    pub(super) fn number<N: std::str::FromStr>(&self, column: &str) -> Option<N> {
        self.text(column)?.trim().parse().ok()
    }

    /// The value of a row that has one.
    pub(super) fn first(&self) -> Option<&str> {
        self.0.first().and_then(|(_, value)| value.as_deref())
    }
}

/// An open connection. Every statement is bounded by the server and, should that be gone, by us.
pub(super) struct Session {
    connection: MySqlConnection,
    limit: Duration,
    login: Login,
}

impl Session {
    /// `limit` is the time each statement may take.
    pub(super) async fn open(
        address: &Address,
        login: &Login,
        connect: Duration,
        limit: Duration,
    ) -> Result<Self, SqlError> {
        let mode = if address.uses_tls() { MySqlSslMode::VerifyIdentity } else { MySqlSslMode::Disabled };
        let options = MySqlConnectOptions::new()
            .host(&address.host)
            .port(address.port)
            .username(&login.user)
            .password(login.password.expose_secret())
            .ssl_mode(mode)
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None)
            .disable_statement_logging();
        let options = if address.uses_tls() { options.ssl_ca_from_pem(tls::trusted()) } else { options };
        let silent = || {
            let hint = if address.uses_tls() { tls::MAY_NOT_SPEAK_TLS } else { "" };
            SqlError::new(ErrorClass::Unreachable, format!("no connection within {connect:?}{hint}"))
        };
        let opened = tokio::time::timeout(connect, options.connect()).await;
        let connection =
            opened.map_err(|_| silent())?.map_err(|error| hidden(SqlError::from(error), &login.password))?;
        let mut session = Self { connection, limit, login: login.clone() };
        session.set_limit(limit).await?;
        Ok(session)
    }

    /// Changes the time that each following statement may take.
    pub(super) async fn set_limit(&mut self, limit: Duration) -> Result<(), SqlError> {
        // Backslashes mean themselves: a literal is then told by its quotes alone.
        let statement = format!(
            "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES', max_statement_time = {:.3}, lock_wait_timeout = {}",
            limit.as_secs_f64(),
            limit.as_secs().max(1)
        );
        self.limit = limit;
        self.execute(&statement).await
    }

    /// One statement: a batch would be given up at its first error, with the rest undone.
    pub(super) async fn execute(&mut self, statement: &str) -> Result<(), SqlError> {
        self.execute_hiding(statement, &[]).await
    }

    /// As [`Self::execute`], for a statement that carries secrets.
    pub(super) async fn execute_hiding(&mut self, statement: &str, secrets: &[&SecretString]) -> Result<(), SqlError> {
        let run = async |connection: &mut MySqlConnection| {
            connection.execute(sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))).await.map(drop)
        };
        self.bounded(run).await.map_err(|error| secrets.iter().fold(error, |error, secret| hidden(error, secret)))
    }

    pub(super) async fn rows(&mut self, statement: &str) -> Result<Vec<Row>, SqlError> {
        let run = async |connection: &mut MySqlConnection| {
            connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))).await
        };
        self.bounded(run).await?.iter().map(|row| read(row).map_err(SqlError::from)).collect()
    }

    /// The answer of a statement that always has one row.
    pub(super) async fn row(&mut self, statement: &str) -> Result<Row, SqlError> {
        let nothing = || SqlError::new(ErrorClass::Protocol, "an answer without a row");
        self.rows(statement).await?.into_iter().next().ok_or_else(nothing)
    }

    async fn bounded<T>(
        &mut self,
        run: impl AsyncFnOnce(&mut MySqlConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, SqlError> {
        let limit = self.limit + GRACE;
        match tokio::time::timeout(limit, run(&mut self.connection)).await {
            Ok(answer) => answer.map_err(|error| hidden(SqlError::from(error), &self.login.password)),
            Err(_) => Err(SqlError::new(ErrorClass::Unreachable, format!("no answer within {limit:?}"))),
        }
    }
}

fn read(row: &MySqlRow) -> Result<Row, sqlx::Error> {
    let value = |index: usize| row.try_get_unchecked::<Option<String>, _>(index);
    let columns = row.columns().iter().enumerate();
    columns.map(|(index, column)| Ok((column.name().to_owned(), value(index)?))).collect::<Result<_, _>>().map(Row)
}

/// As a literal in a session of ours.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn hidden(error: SqlError, secret: &SecretString) -> SqlError {
    SqlError { message: redact(&error.message, &[secret]), ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: &str, port: u32) -> NodeRef<'_> {
        NodeRef { name: "a", site: "west", host, port, agent: "" }
    }

    #[test]
    fn without_tls_only_loopback_is_reached() {
        for host in ["127.0.0.1", "localhost", "::1", "127.8.9.1"] {
            assert!(Address::of(&node(host, 3306), TlsMode::Disable).is_ok(), "{host}");
        }
        for host in ["db.example", "10.0.0.1", "localhost.example", "/run/mysqld/mysqld.sock", "@abstract", ""] {
            let error = Address::of(&node(host, 3306), TlsMode::Disable).err();
            assert_eq!(error.map(|e| e.class), Some(ErrorClass::Configuration), "{host}");
        }
        assert!(Address::of(&node("db.example", 3306), TlsMode::VerifyFull).is_ok());
        assert!(Address::of(&node("127.0.0.1", 70_000), TlsMode::Disable).is_err());
    }

    #[test]
    fn a_quote_ends_no_literal() {
        assert_eq!(quoted("it's \\ a 'secret'"), "'it''s \\ a ''secret'''");
    }
}
