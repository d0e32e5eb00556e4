//! Questions about the data: asked on one node, with one account, and changing nothing.
//!
//! | question | PostgreSQL, Patroni | MariaDB | Redis |
//! |---|---|---|---|
//! | rows of a table | `count(*)` | `COUNT(*)` | all keys of the server (`INFO`); the name is not used |
//! | checksum of a table | SHA-256 over the text of each row, by primary key | the same | not possible, and said so |
//! | SQL, one row with one column | yes | yes | not possible |
//!
//! What limits them:
//! - Each runs in a read-only transaction that sees one state (repeatable read), and ends at its time limit.
//! - A checksum reads the whole table. It is the same for the same rows on the same platform, whatever the node's own settings;
//!   it is not comparable between platforms, nor between major versions that print a type differently. A table without a
//!   primary key has no order and so no checksum.
//! - A statement is one statement that reads (`SELECT`, `WITH`, `VALUES`, `TABLE`). A function that it calls can do whatever
//!   the account may do: the account is what bounds it, and the text is part of what people approve.
//!
//! [`judge_all`] compares before and after, [`judge_copy`] judges a drill's copy.

mod compare;
mod mariadb;
mod postgresql;
mod redis;
mod table;

use std::time::Duration;

use muster_domain::{
    inventory::platform::nodes,
    pb::{
        execution::v1::{CheckPhase, IntegrityResult},
        inventory::v1::{IntegrityCheck, integrity_check::Question, resource_spec::Platform as PlatformSpec},
    },
    time::{duration_from_pb, to_pb},
};

pub use compare::{judge, judge_all, judge_copy};

use crate::{Login, Now};

/// For a question whose document names no limit.
const DEFAULT_LIMIT: Duration = Duration::from_secs(60);
/// A question that reads longer than this belongs into a job of its own.
const MAX_LIMIT: Duration = Duration::from_secs(3_600);
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// An answer is one value, to be read by people and kept for ever.
const MAX_ANSWER: usize = 1_000;

/// Where a question is asked.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub spec: &'a PlatformSpec,
    /// The node's name in the document.
    pub node: &'a str,
    /// The execution account; for Patroni that of its database.
    pub login: &'a Login,
}

/// Every question, one after the other: they must not add up to a load. What could not be asked has its reason as `error`.
pub async fn ask(
    source: Source<'_>,
    resource: &str,
    asked: &[IntegrityCheck],
    phase: CheckPhase,
    now: &Now,
) -> Vec<IntegrityResult> {
    let mut results = Vec::new();
    for check in asked {
        let asked_at = now();
        let answer = Box::pin(one(source, check)).await;
        results.push(result(resource, source.node, check, phase, asked_at, answer));
    }
    results
}

/// The one value of a statement that reads, as text.
pub async fn one_value(source: Source<'_>, query: &str, limit: Duration) -> Result<String, String> {
    let asked = bounded(limit.min(MAX_LIMIT), async |limit| match source.spec {
        PlatformSpec::Postgresql(_) | PlatformSpec::Patroni(_) => {
            postgresql::Asked::open(&source, limit).await?.one_value(query).await
        }
        PlatformSpec::Mariadb(_) => mariadb::Asked::open(&source, limit).await?.one_value(query).await,
        PlatformSpec::Redis(_) => Err(redis::NO_SQL.to_owned()),
    });
    Box::pin(asked).await
}

/// The one node that accepts writes, as the nodes say it themselves.
pub async fn primary_node(spec: &PlatformSpec, login: &Login) -> Result<String, String> {
    let mut primaries = Vec::new();
    let mut silent = Vec::new();
    for node in nodes(spec) {
        let source = Source { spec, node: node.name, login };
        let is_primary = bounded(CONNECT_LIMIT * 2, async |limit| match spec {
            PlatformSpec::Postgresql(_) | PlatformSpec::Patroni(_) => {
                postgresql::Asked::open(&source, limit).await?.is_primary().await
            }
            PlatformSpec::Mariadb(_) => mariadb::Asked::open(&source, limit).await?.is_primary().await,
            PlatformSpec::Redis(_) => redis::is_primary(&source).await,
        });
        match Box::pin(is_primary).await {
            Ok(true) => primaries.push(node.name.to_owned()),
            Ok(false) => {}
            Err(why) => silent.push(format!("{}: {why}", node.name)),
        }
    }
    match primaries.as_slice() {
        [one] => Ok(one.clone()),
        [] if silent.is_empty() => Err("no node accepts writes".to_owned()),
        [] => Err(format!("no node is seen to accept writes; {}", silent.join("; "))),
        several => Err(format!("several nodes accept writes: {}", several.join(", "))),
    }
}

/// The answer to one question about a table or of a statement.
async fn one(source: Source<'_>, check: &IntegrityCheck) -> Result<String, String> {
    let question = check.question.as_ref().ok_or("the question was written for a newer version of Muster")?;
    let limit = duration_from_pb(check.timeout.as_ref()).and_then(|limit| Duration::try_from(limit).ok());
    let limit = limit.filter(|limit| !limit.is_zero()).unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    bounded(limit, async |limit| match source.spec {
        PlatformSpec::Postgresql(_) | PlatformSpec::Patroni(_) => {
            postgresql::Asked::open(&source, limit).await?.answer(question).await
        }
        PlatformSpec::Mariadb(_) => mariadb::Asked::open(&source, limit).await?.answer(question).await,
        PlatformSpec::Redis(_) => redis::answer(&source, question).await,
    })
    .await
}

/// Questions on a PostgreSQL server that listens on a socket: a drill's copy.
pub(crate) async fn ask_copy(
    copy: &Copy<'_>,
    resource: &str,
    asked: &[IntegrityCheck],
    now: &Now,
) -> Vec<IntegrityResult> {
    let mut results = Vec::new();
    for check in asked {
        let asked_at = now();
        let limit = duration_from_pb(check.timeout.as_ref()).and_then(|limit| Duration::try_from(limit).ok());
        let limit = limit.filter(|limit| !limit.is_zero()).unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
        let answer = bounded(limit, async |limit| match &check.question {
            Some(question) => postgresql::Asked::open_copy(copy, limit).await?.answer(question).await,
            None => Err("the question was written for a newer version of Muster".to_owned()),
        });
        results.push(result(resource, "copy", check, CheckPhase::After, asked_at, answer.await));
    }
    results
}

pub(crate) use postgresql::Copy;

/// The server bounds each statement; this is for a server that no longer answers.
async fn bounded<T>(limit: Duration, ask: impl AsyncFnOnce(Duration) -> Result<T, String>) -> Result<T, String> {
    let whole = limit + CONNECT_LIMIT;
    tokio::time::timeout(whole, ask(limit))
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", whole.as_secs())))
}

fn result(
    resource: &str,
    node: &str,
    check: &IntegrityCheck,
    phase: CheckPhase,
    asked_at: jiff::Timestamp,
    answer: Result<String, String>,
) -> IntegrityResult {
    let (answer, error) = match answer {
        Ok(answer) => (Some(answer), String::new()),
        Err(why) => (None, why),
    };
    IntegrityResult {
        resource: resource.to_owned(),
        name: check.name.clone(),
        phase: phase.into(),
        answer,
        error,
        asked_at: Some(to_pb(asked_at)),
        node: node.to_owned(),
    }
}

/// One statement that reads. The server refuses several by itself, and changes in a read-only transaction; this keeps out
/// what would end that transaction.
fn must_read(query: &str) -> Result<(), String> {
    let first = query.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    if ["select", "with", "values", "table"].iter().any(|word| first.eq_ignore_ascii_case(word)) {
        return Ok(());
    }
    Err("the statement must begin with SELECT, WITH, VALUES or TABLE".to_owned())
}

fn one_column(columns: usize) -> Result<(), String> {
    if columns == 1 { Ok(()) } else { Err(format!("the statement gives {columns} columns; it must be one")) }
}

/// The text of the one value.
fn one_answer(rows: Vec<Option<String>>) -> Result<String, String> {
    match rows.as_slice() {
        [Some(value)] if value.chars().count() > MAX_ANSWER => {
            Err(format!("the answer has more than {MAX_ANSWER} characters: ask for its checksum or its count"))
        }
        [Some(value)] => Ok(value.clone()),
        [None] => Ok("NULL".to_owned()),
        [] => Err("the statement gives no row; it must be one".to_owned()),
        _ => Err("the statement gives more than one row; it must be one".to_owned()),
    }
}

fn table_of(question: &Question) -> Result<Option<table::Table<'_>>, String> {
    match question {
        Question::RowCountOf(table) | Question::ChecksumOf(table) => table::Table::parse(table).map(Some),
        Question::Sql(_) => Ok(None),
    }
}

/// "1042 rows, sha256:…"
fn checksum_text(rows: u64, digest: &[u8]) -> String {
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{rows} rows, sha256:{hex}")
}
