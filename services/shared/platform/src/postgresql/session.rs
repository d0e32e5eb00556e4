//! One connection to one node, never through a pooler or a virtual address: what answers is the node.

use std::{net::IpAddr, path::Path, time::Duration};

use muster_domain::pb::{
    inventory::v1::{PostgresqlNode, TlsMode},
    observation::v1::ErrorClass,
};
use secrecy::ExposeSecret;
use sqlx::{
    ConnectOptions, Connection, PgConnection, Postgres,
    postgres::{PgArguments, PgConnectOptions, PgRow, PgSslMode},
    query::Query,
};

use super::errors::SqlError;
use crate::{Login, redact::redact, tls};

/// How the sessions are named on the server, so that its administrator knows them.
const APPLICATION_NAME: &str = "muster";

/// What our own clock adds to the server's statement timeout: for a server that no longer answers.
const GRACE: Duration = Duration::from_secs(1);

/// How one node is reached.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub host: String,
    pub port: u16,
    pub database: String,
    pub tls: TlsMode,
}

impl Address {
    pub(crate) fn of(node: &PostgresqlNode, database: &str, tls: TlsMode) -> Result<Self, SqlError> {
        let configuration = |text: String| SqlError::new(ErrorClass::Configuration, text);
        if node.host.is_empty() || node.host.starts_with('/') || node.host.starts_with('@') {
            return Err(configuration(format!("node {}: host '{}' is not a name or an address", node.name, node.host)));
        }
        if tls != TlsMode::VerifyFull && !is_loopback(&node.host) {
            return Err(configuration(format!(
                "node {}: without TLS only loopback addresses are used, and '{}' is none; set tls to VERIFY_FULL",
                node.name, node.host
            )));
        }
        let port = u16::try_from(node.port).ok().filter(|port| *port != 0);
        let port =
            port.ok_or_else(|| configuration(format!("node {}: port {} is not 1 to 65535", node.name, node.port)))?;
        let database = if database.is_empty() { "postgres" } else { database };
        Ok(Self { host: node.host.clone(), port, database: database.to_owned(), tls })
    }

    /// A server that listens on a Unix socket alone, such as a drill's copy.
    pub(crate) fn socket(directory: &Path, port: u16, database: &str) -> Self {
        let database = if database.is_empty() { "postgres" } else { database }.to_owned();
        Self { host: directory.to_string_lossy().into_owned(), port, database, tls: TlsMode::Disable }
    }

    pub(crate) fn uses_tls(&self) -> bool {
        self.tls == TlsMode::VerifyFull
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// An open connection. Every statement is bounded by the server and, should that be gone, by us.
pub(crate) struct Session {
    connection: PgConnection,
    limit: Duration,
    login: Login,
}

impl Session {
    /// `limit` is the time each statement may take.
    pub(crate) async fn open(
        address: &Address,
        login: &Login,
        connect: Duration,
        limit: Duration,
    ) -> Result<Self, SqlError> {
        // The public authorities are built in; the installation's own are those of the system.
        let mode = if address.uses_tls() { PgSslMode::VerifyFull } else { PgSslMode::Disable };
        let milliseconds = limit.as_millis().to_string();
        let options = PgConnectOptions::new_without_pgpass()
            .host(&address.host)
            .port(address.port)
            .username(&login.user)
            .password(login.password.expose_secret())
            .database(&address.database)
            .ssl_mode(mode)
            .application_name(APPLICATION_NAME)
            .options([("statement_timeout", milliseconds.as_str()), ("lock_timeout", milliseconds.as_str())])
            .disable_statement_logging();
        let options = if address.uses_tls() { options.ssl_root_cert_from_pem(tls::trusted()) } else { options };
        let silent = || {
            let hint = if address.uses_tls() { tls::MAY_NOT_SPEAK_TLS } else { "" };
            SqlError::new(ErrorClass::Unreachable, format!("no connection within {connect:?}{hint}"))
        };
        let opened = tokio::time::timeout(connect, options.connect()).await;
        let connection = opened.map_err(|_| silent())?.map_err(|error| hidden(SqlError::from(error), login))?;
        Ok(Self { connection, limit, login: login.clone() })
    }

    /// Changes the time that each following statement may take.
    pub(crate) async fn set_limit(&mut self, limit: Duration) -> Result<(), SqlError> {
        let query =
            sqlx::query("SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $1, false)");
        self.one(query.bind(limit.as_millis().to_string())).await?;
        self.limit = limit;
        Ok(())
    }

    pub(super) fn is_of(&self, login: &Login) -> bool {
        self.login.user == login.user && self.login.password.expose_secret() == login.password.expose_secret()
    }

    /// Whether it is still there. One that was left in the middle of a statement is not.
    pub(crate) async fn answers(&mut self, limit: Duration) -> bool {
        matches!(tokio::time::timeout(limit, self.connection.ping()).await, Ok(Ok(())))
    }

    pub(crate) async fn one(&mut self, query: Query<'_, Postgres, PgArguments>) -> Result<PgRow, SqlError> {
        self.bounded(async |connection: &mut PgConnection| query.fetch_one(connection).await).await
    }

    pub(crate) async fn optional(
        &mut self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Option<PgRow>, SqlError> {
        self.bounded(async |connection: &mut PgConnection| query.fetch_optional(connection).await).await
    }

    pub(crate) async fn all(&mut self, query: Query<'_, Postgres, PgArguments>) -> Result<Vec<PgRow>, SqlError> {
        self.bounded(async |connection: &mut PgConnection| query.fetch_all(connection).await).await
    }

    /// For answers that are too long to be held: the caller bounds the time itself.
    pub(crate) fn raw(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// A statement without parameters and without an answer that matters, such as CHECKPOINT.
    pub(crate) async fn execute(&mut self, statement: &'static str) -> Result<(), SqlError> {
        self.bounded(async |connection: &mut PgConnection| {
            sqlx::Executor::execute(connection, sqlx::raw_sql(statement)).await.map(drop)
        })
        .await
    }

    async fn bounded<T>(
        &mut self,
        run: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, SqlError> {
        let limit = self.limit + GRACE;
        match tokio::time::timeout(limit, run(&mut self.connection)).await {
            Ok(answer) => answer.map_err(|error| hidden(SqlError::from(error), &self.login)),
            Err(_) => Err(SqlError::new(ErrorClass::Unreachable, format!("no answer within {limit:?}"))),
        }
    }
}

fn hidden(error: SqlError, login: &Login) -> SqlError {
    SqlError { message: redact(&error.message, &[&login.password]), ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: &str, port: u32) -> PostgresqlNode {
        PostgresqlNode { name: "a".into(), host: host.into(), port, ..Default::default() }
    }

    #[test]
    fn without_tls_only_loopback_is_reached() {
        for host in ["127.0.0.1", "localhost", "::1", "127.8.9.1"] {
            assert!(Address::of(&node(host, 5432), "app", TlsMode::Disable).is_ok(), "{host}");
        }
        for host in ["db.example", "10.0.0.1", "localhost.example", "/var/run/postgresql", "@abstract", ""] {
            let error = Address::of(&node(host, 5432), "app", TlsMode::Disable).err();
            assert_eq!(error.map(|e| e.class), Some(ErrorClass::Configuration), "{host}");
        }
        assert!(Address::of(&node("db.example", 5432), "app", TlsMode::VerifyFull).is_ok());
        assert!(Address::of(&node("127.0.0.1", 70_000), "app", TlsMode::Disable).is_err());
    }
}
