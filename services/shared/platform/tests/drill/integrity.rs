//! Questions on real PostgreSQL servers. Those of the other platforms are with their pairs.

use std::sync::Arc;

use jiff::Timestamp;
use muster_domain::pb::{
    execution::v1::{CheckPhase, IntegrityResult},
    inventory::v1::{IntegrityCheck, integrity_check::Question, resource_spec::Platform},
};
use muster_platform::integrity::{self, Source};

use crate::{
    pair::{Pair, login},
    stage::pair_with_rows,
};

async fn ask(pair: &Pair, node: &str, question: Question) -> IntegrityResult {
    let spec = Platform::Postgresql(pair.spec());
    let (account, now): (_, muster_platform::Now) = (login("exec", "exec-password"), Arc::new(Timestamp::now));
    let asked = IntegrityCheck {
        name: "asked".into(),
        question: Some(question),
        timeout: Some(muster_domain::time::duration_to_pb(jiff::SignedDuration::from_secs(2))),
        ..IntegrityCheck::default()
    };
    let source = Source { spec: &spec, node, login: &account };
    integrity::ask(source, "ledger", &[asked], CheckPhase::Before, &now).await.remove(0)
}

fn sql(query: &str) -> Question {
    Question::Sql(query.into())
}

#[tokio::test]
async fn both_sides_of_a_pair_give_the_same_answers() {
    let pair = pair_with_rows(500).await;
    pair.a
        .sql(
            "CREATE TABLE kinds (k text, n int, t timestamptz, f float8, b bytea, m money, PRIMARY KEY (k, n)); \
             INSERT INTO kinds VALUES ('ä', 1, '2026-11-21 12:00+01', 0.1, '\\x00ff', 1.5), ('Z', 2, NULL, 1e300, NULL, NULL); \
             GRANT SELECT ON kinds TO exec; \
             ALTER ROLE exec SET timezone = 'Asia/Tokyo'; ALTER ROLE exec SET datestyle = 'German'",
        )
        .await
        .unwrap();
    crate::drive::eventually("b has the rows", async || {
        pair.b.sql("SELECT count(*) FROM kinds").await.is_ok_and(|found| found.trim() == "2")
    })
    .await;
    // This side prints everything in another way.
    pair.b.sql("ALTER SYSTEM SET extra_float_digits = -15").await.unwrap();
    pair.b.sql("ALTER SYSTEM SET bytea_output = 'escape'").await.unwrap();
    pair.b.sql("SELECT pg_reload_conf()").await.unwrap();
    for question in [
        Question::RowCountOf("ledger".into()),
        Question::ChecksumOf("public.kinds".into()),
        Question::ChecksumOf("ledger".into()),
        sql("SELECT sum(n) FROM ledger"),
    ] {
        let (a, b) = (ask(&pair, "a", question.clone()).await, ask(&pair, "b", question.clone()).await);
        assert!(a.answer.is_some(), "{question:?}: {}", a.error);
        assert_eq!(a.answer, b.answer, "{question:?}");
    }
    let before = ask(&pair, "a", Question::ChecksumOf("kinds".into())).await.answer.unwrap();
    assert!(before.starts_with("2 rows, sha256:"), "{before}");
    pair.a.sql("UPDATE kinds SET f = 0.1000000000000001 WHERE n = 1").await.unwrap();
    assert_ne!(ask(&pair, "a", Question::ChecksumOf("kinds".into())).await.answer.unwrap(), before);
}

#[tokio::test]
async fn what_is_no_question_is_not_asked_and_changes_nothing() {
    let pair = pair_with_rows(5).await;
    pair.a.sql("GRANT ALL ON ledger TO exec; CREATE TABLE bare (n int); GRANT SELECT ON bare TO exec").await.unwrap();
    for (question, words) in [
        (sql("DELETE FROM ledger"), "must begin with SELECT"),
        (sql("COMMIT"), "must begin with SELECT"),
        (sql("SELECT 1; DELETE FROM ledger"), "cannot insert multiple commands"),
        (sql("SELECT 1; COMMIT; DELETE FROM ledger"), "cannot insert multiple commands"),
        (sql("WITH gone AS (DELETE FROM ledger RETURNING n) SELECT count(*) FROM gone"), "read-only transaction"),
        (sql("SELECT n, n FROM ledger"), "2 columns"),
        (sql("SELECT n FROM ledger"), "more than one row"),
        (sql("SELECT n FROM ledger WHERE false"), "no row"),
        (sql("SELECT repeat('x', 2000)"), "more than 1000 characters"),
        (sql("SELECT pg_sleep(60)"), "statement timeout"),
        (Question::RowCountOf("ledger; DROP TABLE ledger".into()), "not the name of a table"),
        (Question::ChecksumOf("bare".into()), "primary key"),
        (Question::RowCountOf("nowhere".into()), "does not exist"),
    ] {
        let result = ask(&pair, "a", question.clone()).await;
        assert!(result.answer.is_none() && result.error.contains(words), "{question:?}: {result:?}");
    }
    assert_eq!(ask(&pair, "a", sql("SELECT NULL::int")).await.answer.as_deref(), Some("NULL"));
    assert_eq!(ask(&pair, "a", Question::RowCountOf("ledger".into())).await.answer.as_deref(), Some("5"));
}

#[tokio::test]
async fn the_primary_is_found_by_what_it_says() {
    let pair = pair_with_rows(5).await;
    let spec = Platform::Postgresql(pair.spec());
    let account = login("exec", "exec-password");
    assert_eq!(integrity::primary_node(&spec, &account).await.as_deref(), Ok("a"));
    pair.b.sql("SELECT pg_promote()").await.unwrap();
    let error = integrity::primary_node(&spec, &account).await.unwrap_err();
    assert!(error.contains("several nodes"), "{error}");
}
