//! Questions on real MariaDB and Redis servers.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    pb::{
        execution::v1::{CheckPhase, IntegrityResult},
        inventory::v1::{
            IntegrityCheck, MariadbTarget, Node, RedisTarget, TlsMode, integrity_check::Question,
            resource_spec::Platform,
        },
    },
    time::duration_to_pb,
};
use muster_local::{
    mariadb::MariadbServer,
    redis::{RedisAccount, RedisAccounts, RedisServer},
    tools,
};
use muster_platform::{
    Login, Now,
    integrity::{self, Source},
};

use crate::pair::login;

fn node(name: &str, port: u16) -> Node {
    Node { name: name.into(), site: "west".into(), host: "127.0.0.1".into(), port: port.into(), ..Node::default() }
}

async fn ask(spec: &Platform, node: &str, account: &Login, question: Question) -> IntegrityResult {
    let now: Now = Arc::new(Timestamp::now);
    let asked = IntegrityCheck {
        name: "asked".into(),
        question: Some(question),
        timeout: Some(duration_to_pb(SignedDuration::from_secs(2))),
        ..IntegrityCheck::default()
    };
    let source = Source { spec, node, login: account };
    integrity::ask(source, "shop", &[asked], CheckPhase::Before, &now).await.remove(0)
}

fn sql(query: &str) -> Question {
    Question::Sql(query.into())
}

const TABLES: &str = "
CREATE DATABASE shop CHARACTER SET utf8mb4; USE shop;
CREATE TABLE orders (id INT PRIMARY KEY, who VARCHAR(40), at TIMESTAMP NULL, price DECIMAL(9,2), raw VARBINARY(9));
INSERT INTO orders VALUES (1, '\u{e4}', '2026-11-21 12:00:00', 1.50, x'00ff'), (2, NULL, NULL, 0.00, NULL);
CREATE TABLE bare (n INT);
CREATE USER exec@'%' IDENTIFIED BY 'exec-password'; GRANT SELECT, INSERT, DELETE ON shop.* TO exec@'%';
";

async fn mariadb() -> MariadbServer {
    let server = MariadbServer::temporary().await.unwrap();
    server.sql(&format!("SET NAMES utf8mb4; SET time_zone = '+00:00'; {TABLES}")).await.unwrap();
    server
}

#[tokio::test]
async fn mariadb_answers_the_same_questions_on_both_sides() {
    if tools::or_skip(tools::mariadb()).unwrap().is_none() {
        return;
    }
    let (a, b) = (mariadb().await, mariadb().await);
    // This side shows times in another way.
    b.sql("SET GLOBAL time_zone = '+09:00'; SET GLOBAL read_only = ON").await.unwrap();
    let spec = Platform::Mariadb(MariadbTarget {
        nodes: vec![node("a", a.port()), node("b", b.port())],
        tls: TlsMode::Disable.into(),
        database: "shop".into(),
        ..MariadbTarget::default()
    });
    let account = login("exec", "exec-password");
    for (question, wanted) in [
        (Question::RowCountOf("orders".into()), Some("2")),
        (Question::ChecksumOf("shop.orders".into()), None),
        (sql("SELECT SUM(price) FROM orders"), Some("1.50")),
        (sql("SELECT NULL"), Some("NULL")),
    ] {
        let (on_a, on_b) =
            (ask(&spec, "a", &account, question.clone()).await, ask(&spec, "b", &account, question.clone()).await);
        assert!(on_a.answer.is_some(), "{question:?}: {}", on_a.error);
        assert_eq!(on_a.answer, on_b.answer, "{question:?}");
        assert!(wanted.is_none() || on_a.answer.as_deref() == wanted, "{question:?}: {on_a:?}");
    }
    let before = ask(&spec, "a", &account, Question::ChecksumOf("orders".into())).await.answer.unwrap();
    assert!(before.starts_with("2 rows, sha256:"), "{before}");
    a.sql("UPDATE shop.orders SET who = '' WHERE id = 2").await.unwrap();
    assert_ne!(ask(&spec, "a", &account, Question::ChecksumOf("orders".into())).await.answer.unwrap(), before);

    for (question, words) in [
        (sql("DELETE FROM orders"), "must begin with SELECT"),
        (sql("SELECT 1; DELETE FROM orders"), "syntax"),
        (sql("SELECT id, who FROM orders"), "2 columns"),
        (sql("SELECT id FROM orders"), "more than one row"),
        (sql("SELECT SLEEP(60) FROM orders"), "max_statement_time"),
        (Question::ChecksumOf("bare".into()), "primary key"),
        (Question::RowCountOf("nowhere".into()), "doesn't exist"),
    ] {
        let result = ask(&spec, "a", &account, question.clone()).await;
        assert!(result.answer.is_none() && result.error.contains(words), "{question:?}: {result:?}");
    }
    assert_eq!(a.sql("SELECT COUNT(*) FROM shop.orders").await.unwrap().trim(), "2");
    assert_eq!(integrity::primary_node(&spec, &account).await.as_deref(), Ok("a"));
    let wrong = ask(&spec, "a", &login("exec", "wrong-password"), Question::RowCountOf("orders".into())).await;
    assert!(wrong.answer.is_none() && !wrong.error.contains("wrong-password"), "{wrong:?}");
}

#[tokio::test]
async fn redis_counts_its_keys_and_says_what_it_cannot() {
    if tools::or_skip(tools::redis_server()).unwrap().is_none() {
        return;
    }
    let account = |user: &str| RedisAccount::new(user, &format!("{user}-password"));
    let accounts = RedisAccounts {
        admin: account("admin"),
        application: account("app"),
        monitor: account("mon"),
        execute: account("exec"),
        replication: account("repl"),
    };
    let server = RedisServer::temporary(&accounts, None).await.unwrap();
    for key in ["a", "b", "c"] {
        server.command(&["SET", key, "1"]).await.unwrap();
    }
    let spec = Platform::Redis(RedisTarget {
        nodes: vec![node("a", server.port())],
        tls: TlsMode::Disable.into(),
        ..RedisTarget::default()
    });
    let execute = login("exec", "exec-password");
    let counted = ask(&spec, "a", &execute, Question::RowCountOf("keys".into())).await;
    assert_eq!(counted.answer.as_deref(), Some("3"), "{}", counted.error);
    for question in [Question::ChecksumOf("keys".into()), sql("SELECT 1")] {
        let result = ask(&spec, "a", &execute, question.clone()).await;
        assert!(result.answer.is_none() && result.error.starts_with("Redis "), "{question:?}: {result:?}");
    }
    assert_eq!(integrity::primary_node(&spec, &execute).await.as_deref(), Ok("a"));
    let wrong = ask(&spec, "a", &login("exec", "wrong-password"), Question::RowCountOf("keys".into())).await;
    assert!(wrong.answer.is_none() && !wrong.error.contains("wrong-password"), "{wrong:?}");
}
