//! Questions to a PostgreSQL server.

use std::{path::Path, time::Duration};

use futures::TryStreamExt;
use muster_domain::{
    inventory::platform::nodes,
    pb::inventory::v1::{PostgresqlNode, TlsMode, integrity_check::Question, resource_spec::Platform as PlatformSpec},
};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Executor, Row, SqlSafeStr, Statement, ValueRef};

use super::{
    CONNECT_LIMIT, Source, checksum_text, must_read, one_answer, one_column,
    table::{Table, quoted},
    table_of,
};
use crate::{
    Login,
    postgresql::{
        errors::SqlError,
        session::{Address, Session},
    },
};

/// Settings that change how a value is printed, and so a checksum.
const SAME_TEXT: &str = "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; \
    SET LOCAL IntervalStyle = 'postgres'; SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; \
    SET LOCAL lc_monetary = 'C'; SET LOCAL lc_numeric = 'C'; SET LOCAL xmlbinary = 'base64'; \
    SET LOCAL client_encoding = 'UTF8'";

/// A drill's copy: no node of the document.
pub(crate) struct Copy<'a> {
    pub socket_directory: &'a Path,
    pub port: u16,
    pub database: &'a str,
    pub login: &'a Login,
}

/// A session in a read-only transaction.
pub(super) struct Asked(Session);

impl Asked {
    pub(super) async fn open(source: &Source<'_>, limit: Duration) -> Result<Self, String> {
        let (database, tls) = match source.spec {
            PlatformSpec::Postgresql(target) => (&target.database, target.tls()),
            PlatformSpec::Patroni(target) => (&target.database, target.tls()),
            _ => return Err("the resource is not a PostgreSQL server".to_owned()),
        };
        let address = address(source, database, tls)?;
        Self::begin(&address, source.login, limit).await
    }

    pub(super) async fn open_copy(copy: &Copy<'_>, limit: Duration) -> Result<Self, String> {
        Self::begin(&Address::socket(copy.socket_directory, copy.port, copy.database), copy.login, limit).await
    }

    async fn begin(address: &Address, login: &Login, limit: Duration) -> Result<Self, String> {
        let mut session = Session::open(address, login, CONNECT_LIMIT, limit).await.map_err(text)?;
        session.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(text)?;
        session.execute(SAME_TEXT).await.map_err(text)?;
        Ok(Self(session))
    }

    pub(super) async fn is_primary(&mut self) -> Result<bool, String> {
        let row = self.0.one(sqlx::query("SELECT NOT pg_is_in_recovery()")).await.map_err(text)?;
        row.try_get(0).map_err(|error| error.to_string())
    }

    pub(super) async fn answer(&mut self, question: &Question) -> Result<String, String> {
        let table = table_of(question)?;
        match (question, table) {
            (Question::Sql(query), _) => self.one_value(query).await,
            (Question::RowCountOf(_), Some(table)) => {
                self.one_value(&format!("SELECT count(*) FROM {}", table.quoted('"'))).await
            }
            (Question::ChecksumOf(_), Some(table)) => self.checksum(&table).await,
            (_, None) => Err("the question names no table".to_owned()),
        }
    }

    /// Prepared first: the server takes one statement then, and tells its columns. Then run for answers as text.
    pub(super) async fn one_value(&mut self, query: &str) -> Result<String, String> {
        must_read(query)?;
        let connection = self.0.raw();
        let prepared = connection.prepare(AssertSqlSafe(query).into_sql_str()).await.map_err(said)?;
        one_column(prepared.columns().len())?;
        let mut rows = connection.fetch(sqlx::raw_sql(AssertSqlSafe(query)));
        let mut found = Vec::new();
        while let Some(row) = rows.try_next().await.map_err(said)? {
            let value = row.try_get_raw(0).map_err(|error| error.to_string())?;
            let value = if value.is_null() {
                None
            } else {
                Some(value.as_str().map_err(|error| error.to_string())?.to_owned())
            };
            found.push(value);
            // A second one is one too many, and there may be millions.
            if found.len() > 1 {
                break;
            }
        }
        one_answer(found)
    }

    /// The server hashes each row, we hash the hashes in the order of the primary key: any number of rows in little memory.
    async fn checksum(&mut self, table: &Table<'_>) -> Result<String, String> {
        let order = self.primary_key(table).await?;
        let name = table.quoted('"');
        let query = format!(
            "SELECT encode(sha256(convert_to(r::text, 'UTF8')), 'hex') FROM (SELECT * FROM {name} ORDER BY {order}) AS r"
        );
        let mut rows = self.0.raw().fetch(sqlx::query(AssertSqlSafe(query)));
        let (mut digest, mut count) = (Sha256::new(), 0u64);
        while let Some(row) = rows.try_next().await.map_err(said)? {
            let hash: &str = row.try_get(0).map_err(|error| error.to_string())?;
            digest.update(hash.as_bytes());
            count += 1;
        }
        Ok(checksum_text(count, &digest.finalize()))
    }

    /// The columns in order. Text is ordered by its bytes: two machines can sort a language differently.
    async fn primary_key(&mut self, table: &Table<'_>) -> Result<String, String> {
        let query = sqlx::query(
            "SELECT a.attname::text, a.attcollation <> 0 FROM pg_index i \
             CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, at) \
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
             WHERE i.indrelid = to_regclass($1) AND i.indisprimary ORDER BY k.at",
        );
        let rows = self.0.all(query.bind(table.quoted('"'))).await.map_err(text)?;
        let mut columns = Vec::new();
        for row in &rows {
            let (name, collated): (String, bool) =
                (row.try_get(0).map_err(|e| e.to_string())?, row.try_get(1).map_err(|e| e.to_string())?);
            columns.push(quoted(&name, '"') + if collated { " COLLATE \"C\"" } else { "" });
        }
        if columns.is_empty() {
            return Err(format!("there is no table {} with a primary key: its rows have no order", table.quoted('"')));
        }
        Ok(columns.join(", "))
    }
}

fn address(source: &Source<'_>, database: &str, tls: TlsMode) -> Result<Address, String> {
    let node = nodes(source.spec).into_iter().find(|node| node.name == source.node);
    let node = node.ok_or_else(|| format!("the resource has no node {}", source.node))?;
    let node = PostgresqlNode {
        name: node.name.to_owned(),
        host: node.host.to_owned(),
        port: node.port,
        ..PostgresqlNode::default()
    };
    Address::of(&node, database, tls).map_err(text)
}

fn text(error: SqlError) -> String {
    error.message
}

/// The primary message alone: details can quote data.
fn said(error: sqlx::Error) -> String {
    SqlError::from(error).message
}
