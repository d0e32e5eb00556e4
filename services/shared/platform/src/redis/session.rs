//! One connection to one node, never through a proxy or a virtual address: what answers is the node.

use std::{net::IpAddr, time::Duration};

use muster_domain::{
    inventory::platform::NodeRef,
    pb::{inventory::v1::TlsMode, observation::v1::ErrorClass},
};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, FromRedisValue, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, aio::MultiplexedConnection,
};
use secrecy::ExposeSecret;

use super::errors::CommandError;
use crate::{Login, redact::redact, tls};

/// How one node is reached.
#[derive(Debug, Clone)]
pub(super) struct Address {
    host: String,
    port: u16,
    tls: bool,
}

impl Address {
    pub(super) fn of(node: &NodeRef<'_>, tls: TlsMode) -> Result<Self, CommandError> {
        let configuration = |text: String| CommandError::new(ErrorClass::Configuration, text);
        if node.host.is_empty() || node.host.starts_with('/') {
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
}

pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// An open connection. Every command is bounded by us.
pub(super) struct Session {
    connection: MultiplexedConnection,
    login: Login,
    limit: Duration,
}

impl Session {
    /// `limit` is the time each command may take.
    pub(super) async fn open(
        address: &Address,
        login: &Login,
        connect: Duration,
        limit: Duration,
    ) -> Result<Self, CommandError> {
        let opened = tokio::time::timeout(connect, connection(address, login, connect, limit)).await;
        let silent = || {
            let hint = if address.tls { tls::MAY_NOT_SPEAK_TLS } else { "" };
            CommandError::new(ErrorClass::Unreachable, format!("no connection within {connect:?}{hint}"))
        };
        let connection = opened
            .map_err(|_| silent())?
            .map_err(|error| if error.is_timeout() { silent() } else { hidden(error, login) })?;
        Ok(Self { connection, login: login.clone(), limit })
    }

    pub(super) async fn ask<T: FromRedisValue>(&mut self, words: &[&str]) -> Result<T, CommandError> {
        self.ask_within(words, self.limit).await
    }

    /// For a command that itself waits.
    pub(super) async fn ask_within<T: FromRedisValue>(
        &mut self,
        words: &[&str],
        limit: Duration,
    ) -> Result<T, CommandError> {
        let mut command = Cmd::new();
        for word in words {
            command.arg(*word);
        }
        self.connection.set_response_timeout(limit);
        match tokio::time::timeout(limit, command.query_async(&mut self.connection)).await {
            Ok(answer) => answer.map_err(|error| hidden(error, &self.login)),
            Err(_) => Err(CommandError::new(ErrorClass::Unreachable, format!("no answer within {limit:?}"))),
        }
    }
}

async fn connection(
    address: &Address,
    login: &Login,
    connect: Duration,
    limit: Duration,
) -> Result<MultiplexedConnection, RedisError> {
    let (host, port) = (address.host.clone(), address.port);
    let address = if address.tls {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    };
    // Without CLIENT SETINFO: the accounts may do what the contract names, and nothing else.
    let settings = RedisConnectionInfo::default()
        .set_username(&login.user)
        .set_password(login.password.expose_secret())
        .set_skip_set_lib_name();
    let info = address.into_connection_info()?.set_redis_settings(settings);
    let limits = AsyncConnectionConfig::new().set_connection_timeout(Some(connect)).set_response_timeout(Some(limit));
    Client::open(info)?.get_multiplexed_async_connection_with_config(&limits).await
}

fn hidden(error: RedisError, login: &Login) -> CommandError {
    let error = CommandError::from(error);
    CommandError { message: redact(&error.message, &[&login.password]), ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_tls_only_loopback_is_reached() {
        let node = |host, port| NodeRef { name: "a", site: "", host, port, agent: "" };
        for host in ["127.0.0.1", "localhost", "::1", "127.8.9.1"] {
            assert!(Address::of(&node(host, 6379), TlsMode::Disable).is_ok(), "{host}");
        }
        for host in ["db.example", "10.0.0.1", "localhost.example", "/run/redis.sock", ""] {
            let error = Address::of(&node(host, 6379), TlsMode::Disable).err();
            assert_eq!(error.map(|e| e.class), Some(ErrorClass::Configuration), "{host}");
        }
        assert!(Address::of(&node("db.example", 6379), TlsMode::VerifyFull).is_ok());
        assert!(Address::of(&node("127.0.0.1", 70_000), TlsMode::Disable).is_err());
    }
}
