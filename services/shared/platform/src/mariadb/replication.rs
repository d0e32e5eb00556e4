//! The statements that point a server at its source. Each can be repeated.

use muster_domain::readiness::mariadb::Position;
use secrecy::ExposeSecret;

use super::{
    errors::SqlError,
    session::{Address, Session, quoted},
};
use crate::Login;

/// How often a replica tries to reach a source that is away. The default of a minute would keep a pair unprotected for
/// a minute after each restart.
const CONNECT_RETRY_SECONDS: u32 = 5;

/// Where a replica reads from.
pub(super) struct Source {
    pub address: Address,
    pub login: Login,
}

/// Stops replication and forgets the source. What was received and not applied is thrown away with it.
pub(super) async fn forget_source(session: &mut Session) -> Result<(), SqlError> {
    session.execute("STOP SLAVE").await?;
    session.execute("RESET SLAVE ALL").await
}

/// Follows the source from `position` on, and nothing else.
pub(super) async fn follow(session: &mut Session, source: &Source, position: &Position) -> Result<(), SqlError> {
    // It cannot be changed while it runs, and after that nothing else is left of the former source.
    forget_source(session).await?;
    session.execute(&format!("SET GLOBAL gtid_slave_pos = {}", quoted(&position.to_string()))).await?;
    let Source { address, login } = source;
    let tls = if address.uses_tls() { verified_tls(session).await? } else { "MASTER_SSL = 0".to_owned() };
    let change = format!(
        "CHANGE MASTER TO MASTER_HOST = {}, MASTER_PORT = {}, MASTER_USER = {}, MASTER_PASSWORD = {}, \
         MASTER_CONNECT_RETRY = {CONNECT_RETRY_SECONDS}, MASTER_USE_GTID = slave_pos, {tls}",
        quoted(&address.host),
        address.port,
        quoted(&login.user),
        quoted(login.password.expose_secret()),
    );
    session.execute_hiding(&change, &[&login.password]).await?;
    session.execute("START SLAVE").await
}

/// With the authority that the replica's own certificate comes from: both sides of a pair have one.
async fn verified_tls(session: &mut Session) -> Result<String, SqlError> {
    let row = session.row("SELECT @@global.ssl_ca AS authority").await?;
    let authority = match row.text("authority").filter(|path| !path.is_empty()) {
        Some(path) => format!(", MASTER_SSL_CA = {}", quoted(path)),
        None => String::new(),
    };
    Ok(format!("MASTER_SSL = 1, MASTER_SSL_VERIFY_SERVER_CERT = 1{authority}"))
}
