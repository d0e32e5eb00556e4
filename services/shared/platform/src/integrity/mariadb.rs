//! Questions to a MariaDB server.

use std::{net::IpAddr, time::Duration};

use futures::TryStreamExt;
use muster_domain::{
    inventory::platform::nodes,
    pb::inventory::v1::{TlsMode, integrity_check::Question, resource_spec::Platform as PlatformSpec},
};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Executor, MySqlConnection, Row, SqlSafeStr, Statement, ValueRef,
    mysql::{MySqlConnectOptions, MySqlSslMode},
};

use super::{
    CONNECT_LIMIT, Source, checksum_text, must_read, one_answer, one_column,
    table::{Table, quoted},
    table_of,
};
use crate::redact::redact;

/// A session in a read-only transaction.
pub(super) struct Asked(MySqlConnection);

impl Asked {
    pub(super) async fn open(source: &Source<'_>, limit: Duration) -> Result<Self, String> {
        let options = options(source)?;
        let hidden = |error: sqlx::Error| redact(&said(error), &[&source.login.password]);
        let opened = tokio::time::timeout(CONNECT_LIMIT, options.connect()).await;
        let mut connection =
            opened.map_err(|_| format!("no connection within {} s", CONNECT_LIMIT.as_secs()))?.map_err(hidden)?;
        let settings = format!("SET SESSION max_statement_time = {}, time_zone = '+00:00'", limit.as_secs_f64());
        for statement in [
            settings.as_str(),
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        ] {
            connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await.map_err(hidden)?;
        }
        Ok(Self(connection))
    }

    pub(super) async fn is_primary(&mut self) -> Result<bool, String> {
        let row = self.0.fetch_one("SELECT @@global.read_only = 0").await.map_err(said)?;
        let writable: i64 = row.try_get(0).map_err(|error| error.to_string())?;
        Ok(writable == 1)
    }

    pub(super) async fn answer(&mut self, question: &Question) -> Result<String, String> {
        let table = table_of(question)?;
        match (question, table) {
            (Question::Sql(query), _) => self.one_value(query).await,
            (Question::RowCountOf(_), Some(table)) => {
                self.one_value(&format!("SELECT COUNT(*) FROM {}", table.quoted('`'))).await
            }
            (Question::ChecksumOf(_), Some(table)) => self.checksum(&table).await,
            (_, None) => Err("the question names no table".to_owned()),
        }
    }

    /// Prepared first: the server takes one statement then, and tells its columns. Then run for answers as text.
    pub(super) async fn one_value(&mut self, query: &str) -> Result<String, String> {
        must_read(query)?;
        let prepared = self.0.prepare(AssertSqlSafe(query).into_sql_str()).await.map_err(said)?;
        one_column(prepared.columns().len())?;
        let mut rows = self.0.fetch(sqlx::raw_sql(AssertSqlSafe(query)));
        let mut found = Vec::new();
        while let Some(row) = rows.try_next().await.map_err(said)? {
            let value = row.try_get_raw(0).map_err(|error| error.to_string())?;
            let value = if value.is_null() {
                None
            } else {
                Some(row.try_get_unchecked::<String, _>(0).map_err(|e| e.to_string())?)
            };
            found.push(value);
            if found.len() > 1 {
                break;
            }
        }
        one_answer(found)
    }

    /// The server hashes each row, we hash the hashes in the order of the primary key.
    async fn checksum(&mut self, table: &Table<'_>) -> Result<String, String> {
        let (columns, key) = self.columns(table).await?;
        // The bytes of each value, and a mark that no byte has where there is none.
        let row: Vec<String> =
            columns.iter().map(|column| format!("IFNULL(HEX(CAST({} AS BINARY)), '~')", quoted(column, '`'))).collect();
        let key: Vec<String> = key.iter().map(|column| quoted(column, '`')).collect();
        let query = format!(
            "SELECT SHA2(CONCAT_WS(',', {}), 256) FROM {} ORDER BY {}",
            row.join(", "),
            table.quoted('`'),
            key.join(", ")
        );
        let mut rows = self.0.fetch(sqlx::query(AssertSqlSafe(query)));
        let (mut digest, mut count) = (Sha256::new(), 0u64);
        while let Some(row) = rows.try_next().await.map_err(said)? {
            let hash: String = row.try_get_unchecked(0).map_err(|error| error.to_string())?;
            digest.update(hash.as_bytes());
            count += 1;
        }
        Ok(checksum_text(count, &digest.finalize()))
    }

    async fn columns(&mut self, table: &Table<'_>) -> Result<(Vec<String>, Vec<String>), String> {
        let of = async |connection: &mut MySqlConnection, query: &'static str| {
            let query = sqlx::query(query).bind(table.schema()).bind(table.name());
            let rows = query.fetch_all(connection).await.map_err(said)?;
            rows.iter()
                .map(|row| row.try_get_unchecked::<String, _>(0).map_err(|error| error.to_string()))
                .collect::<Result<Vec<_>, _>>()
        };
        let columns = of(
            &mut self.0,
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS \
             WHERE TABLE_SCHEMA = IFNULL(?, DATABASE()) AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION",
        )
        .await?;
        let key = of(
            &mut self.0,
            "SELECT COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE \
             WHERE TABLE_SCHEMA = IFNULL(?, DATABASE()) AND TABLE_NAME = ? AND CONSTRAINT_NAME = 'PRIMARY' \
             ORDER BY ORDINAL_POSITION",
        )
        .await?;
        if key.is_empty() {
            return Err(format!("there is no table {} with a primary key: its rows have no order", table.quoted('`')));
        }
        Ok((columns, key))
    }
}

fn options(source: &Source<'_>) -> Result<MySqlConnectOptions, String> {
    let PlatformSpec::Mariadb(target) = source.spec else {
        return Err("the resource is not a MariaDB server".to_owned());
    };
    let node = nodes(source.spec).into_iter().find(|node| node.name == source.node);
    let node = node.ok_or_else(|| format!("the resource has no node {}", source.node))?;
    let loopback = node.host == "localhost" || node.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let encrypted = target.tls() == TlsMode::VerifyFull;
    if !encrypted && !loopback {
        return Err(format!(
            "node {}: without TLS only loopback addresses are used; set tls to VERIFY_FULL",
            node.name
        ));
    }
    let port =
        u16::try_from(node.port).map_err(|_| format!("node {}: port {} is not 1 to 65535", node.name, node.port))?;
    let options = MySqlConnectOptions::new()
        .host(node.host)
        .port(port)
        .username(&source.login.user)
        .password(source.login.password.expose_secret())
        .ssl_mode(if encrypted { MySqlSslMode::VerifyIdentity } else { MySqlSslMode::Disabled })
        .disable_statement_logging();
    Ok(if target.database.is_empty() { options } else { options.database(&target.database) })
}

/// The server's message without more: it names objects, and quotes no data.
fn said(error: sqlx::Error) -> String {
    match &error {
        sqlx::Error::Database(database) => redact(database.message(), &[]),
        _ => redact(&error.to_string(), &[]),
    }
}
