//! Redis knows no tables: the number of keys is what can be asked.

use std::net::IpAddr;

use muster_domain::{
    inventory::platform::nodes,
    pb::inventory::v1::{TlsMode, integrity_check::Question, resource_spec::Platform as PlatformSpec},
};
use redis::{
    AsyncConnectionConfig, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, aio::MultiplexedConnection,
};
use secrecy::ExposeSecret;

use super::{CONNECT_LIMIT, Source};

pub(super) const NO_SQL: &str = "Redis answers no SQL: ask for the number of keys with rowCountOf";
const NO_CHECKSUM: &str =
    "Redis has no checksum over all keys that would not hold up the server: ask for the number of keys with rowCountOf";

pub(super) async fn answer(source: &Source<'_>, question: &Question) -> Result<String, String> {
    match question {
        Question::RowCountOf(_) => {
            let mut connection = connect(source).await?;
            // Not DBSIZE, which counts one database and is not among the rights of the execution account.
            let info: String = redis::cmd("INFO").query_async(&mut connection).await.map_err(said)?;
            let keys = crate::redis::keys(&info).ok_or("the server did not tell its keys")?;
            Ok(keys.to_string())
        }
        Question::ChecksumOf(_) => Err(NO_CHECKSUM.to_owned()),
        Question::Sql(_) => Err(NO_SQL.to_owned()),
    }
}

pub(super) async fn is_primary(source: &Source<'_>) -> Result<bool, String> {
    let mut connection = connect(source).await?;
    let role: Vec<redis::Value> = redis::cmd("ROLE").query_async(&mut connection).await.map_err(said)?;
    let role: String = role
        .into_iter()
        .next()
        .map(redis::from_redis_value)
        .transpose()
        .map_err(|e| e.to_string())?
        .unwrap_or_default();
    Ok(role == "master")
}

async fn connect(source: &Source<'_>) -> Result<MultiplexedConnection, String> {
    let PlatformSpec::Redis(target) = source.spec else { return Err("the resource is not a Redis server".to_owned()) };
    let node = nodes(source.spec).into_iter().find(|node| node.name == source.node);
    let node = node.ok_or_else(|| format!("the resource has no node {}", source.node))?;
    let port =
        u16::try_from(node.port).map_err(|_| format!("node {}: port {} is not 1 to 65535", node.name, node.port))?;
    let host = node.host.to_owned();
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let address = match target.tls() {
        TlsMode::VerifyFull => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
        _ if loopback => ConnectionAddr::Tcp(host, port),
        _ => {
            let text =
                format!("node {}: without TLS only loopback addresses are used; set tls to VERIFY_FULL", node.name);
            return Err(text);
        }
    };
    let mut account = RedisConnectionInfo::default()
        .set_password(source.login.password.expose_secret())
        // The account has no right to it.
        .set_skip_set_lib_name();
    if !source.login.user.is_empty() {
        account = account.set_username(&source.login.user);
    }
    let info = address.into_connection_info().map_err(said)?.set_redis_settings(account);
    let limits = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_LIMIT))
        .set_response_timeout(Some(CONNECT_LIMIT));
    let client = redis::Client::open(info).map_err(said)?;
    client.get_multiplexed_async_connection_with_config(&limits).await.map_err(said)
}

/// Redis repeats the command in its errors, and commands can hold secrets: the kind alone is said.
fn said(error: redis::RedisError) -> String {
    match error.code() {
        Some(code) => format!("Redis answers {code}"),
        None if error.is_io_error() || error.is_timeout() => format!("no answer from Redis: {}", error.category()),
        None => error.category().to_owned(),
    }
}
