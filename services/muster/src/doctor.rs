//! `muster doctor`: what is wrong with an installation, and how to mend it.

use std::{io::Write as _, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Result;
use muster_eventlog::{Database, EventLog, LogConfig, db};
use muster_runtime::{
    Config, SecretResolver,
    config::{AgentKind, Profile},
};
use secrecy::ExposeSecret as _;
use serde::Serialize;

/// Nothing that works takes longer to answer.
const LIMIT: Duration = Duration::from_secs(10);
/// Below this a day of events may not fit.
const LEAST_FREE_BYTES: u64 = 1_000_000_000;

#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    good: bool,
    found: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    mend: String,
}

fn good(check: &'static str, found: impl Into<String>) -> Finding {
    Finding { check, good: true, found: found.into(), mend: String::new() }
}

fn bad(check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding { check, good: false, found: found.into(), mend: mend.into() }
}

pub(crate) async fn run(config_file: Option<PathBuf>, json: bool) -> Result<ExitCode> {
    let mut findings = Vec::new();
    let config = match Config::load(config_file.as_deref(), Profile::Production) {
        Ok(config) => {
            let source = config_file
                .as_ref()
                .map_or_else(|| "defaults and environment".to_owned(), |file| file.display().to_string());
            findings.push(good("configuration", source));
            Some(config)
        }
        Err(errors) => {
            findings.push(bad(
                "configuration",
                errors.to_string(),
                "correct these keys; docs/config.md lists them all",
            ));
            None
        }
    };
    if let Some(config) = &config {
        let secrets = SecretResolver::new(&config.secrets);
        findings.push(log(config, &secrets).await);
        findings.push(database(config, &secrets).await);
        let http = reqwest::Client::builder().timeout(LIMIT).build()?;
        findings.extend(issuers(config, &http).await);
        findings.push(api(config, &http).await);
        findings.push(transparency_log(config, &http).await);
        findings.extend(agents(config));
        findings.extend(disk(config));
    }
    print(&findings, json)?;
    Ok(if findings.iter().all(|finding| finding.good) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn log(config: &Config, secrets: &SecretResolver) -> Finding {
    const CHECK: &str = "event log (NATS)";
    let password = match secrets.resolve_system(config.nats.password_ref.as_deref()) {
        Ok(password) => password,
        Err(e) => return bad(CHECK, e.to_string(), "put the password where nats.password_ref says"),
    };
    let settings = LogConfig {
        url: config.nats.url.clone(),
        user: config.nats.user.clone(),
        password,
        replicas: config.nats.replicas,
        prefix: config.nats.prefix.clone(),
        ..LogConfig::default()
    };
    let look = async { EventLog::connect(&settings).await?.verify().await };
    match tokio::time::timeout(LIMIT, look).await {
        Err(_) => bad(
            CHECK,
            format!("{} does not answer within {} s", settings.url, LIMIT.as_secs()),
            "start nats-server with JetStream, or correct nats.url",
        ),
        Ok(Err(e)) => bad(
            CHECK,
            e.to_string(),
            "start nats-server 2.12 or newer with JetStream, or correct nats.url, nats.user, nats.password_ref",
        ),
        Ok(Ok(verified)) if verified.differences.is_empty() => good(
            CHECK,
            format!("nats-server {}, {} streams as they should be", verified.server_version, verified.streams),
        ),
        Ok(Ok(verified)) => {
            let differences: Vec<String> = verified.differences.iter().map(ToString::to_string).collect();
            bad(
                CHECK,
                differences.join("; "),
                "somebody changed a stream: find out who (the server's advisories name each call) before setting it back",
            )
        }
    }
}

async fn database(config: &Config, secrets: &SecretResolver) -> Finding {
    const CHECK: &str = "read models (PostgreSQL)";
    let mut url = match url::Url::parse(&config.postgres.url) {
        Ok(url) => url,
        Err(e) => return bad(CHECK, format!("postgres.url: {e}"), "write it as postgres://user@host:port/database"),
    };
    match secrets.resolve_system(config.postgres.password_ref.as_deref()) {
        Ok(Some(password)) if url.set_password(Some(password.expose_secret())).is_err() => {
            return bad(CHECK, "postgres.url has no host", "write it as postgres://user@host:port/database");
        }
        Ok(_) => {}
        Err(e) => return bad(CHECK, e.to_string(), "put the password where postgres.password_ref says"),
    }
    let look = async {
        let database = Database::connect(url.as_str()).await?;
        db::assert_row_level_security(database.pool()).await
    };
    match tokio::time::timeout(LIMIT, look).await {
        Err(_) => {
            bad(CHECK, format!("no answer within {} s", LIMIT.as_secs()), "start PostgreSQL, or correct postgres.url")
        }
        Ok(Err(e)) => bad(CHECK, e.to_string(), "start PostgreSQL, or correct postgres.url and its password"),
        Ok(Ok(())) => good(CHECK, "connected as an unprivileged role; every table separates tenants"),
    }
}

async fn issuers(config: &Config, http: &reqwest::Client) -> Vec<Finding> {
    const CHECK: &str = "identity provider";
    if config.auth.issuers.is_empty() {
        return vec![bad(
            CHECK,
            "none configured: nobody can log in",
            "add [[auth.issuers]]; docs/config.md shows the keys",
        )];
    }
    let mut findings = Vec::new();
    for issuer in &config.auth.issuers {
        let address = format!("{}/.well-known/openid-configuration", issuer.issuer.trim_end_matches('/'));
        let answer = http.get(&address).send().await.and_then(reqwest::Response::error_for_status);
        findings.push(match answer {
            Ok(_) if issuer.mappings.is_empty() => bad(
                CHECK,
                format!("{} answers, but no group is mapped to a role", issuer.issuer),
                "add mappings: without one nobody may do anything",
            ),
            Ok(_) => good(CHECK, format!("{} answers; {} groups mapped", issuer.issuer, issuer.mappings.len())),
            Err(e) => bad(CHECK, e.to_string(), "check the address of the issuer and the network to it"),
        });
    }
    findings
}

async fn api(config: &Config, http: &reqwest::Client) -> Finding {
    const CHECK: &str = "Muster itself";
    let address = format!("{}/readyz", config.server.public_url.trim_end_matches('/'));
    match http.get(&address).send().await {
        Ok(answer) if answer.status().is_success() => good(CHECK, format!("{address} says ready")),
        Ok(answer) => {
            let status = answer.status();
            bad(
                CHECK,
                format!("{address} answers {status}: {}", answer.text().await.unwrap_or_default()),
                "the checks that failed are named; mend those",
            )
        }
        Err(e) => {
            bad(CHECK, e.to_string(), "start it with `muster up` or `muster run SERVICE`, or correct server.public_url")
        }
    }
}

/// What does not keep Muster from working and people have to look at all the same.
async fn transparency_log(config: &Config, http: &reqwest::Client) -> Finding {
    const CHECK: &str = "transparency log";
    if config.audit.store.is_none() {
        return bad(
            CHECK,
            "none is kept: nobody can show that the record was not changed",
            "set audit.store and audit.keys, and have somebody else run a witness: docs/transparency-log.md",
        );
    }
    if config.audit.witnesses.is_empty() {
        return bad(
            CHECK,
            "no witness cosigns it: whoever has its key and the record can write another history",
            "set audit.witnesses and audit.quorum; `muster run witness` is one that a customer or auditor can run",
        );
    }
    let address = format!("{}/readyz", config.server.public_url.trim_end_matches('/'));
    let report = match http.get(&address).send().await {
        Ok(answer) => answer.json::<serde_json::Value>().await.unwrap_or_default(),
        // "Muster itself" says so.
        Err(_) => return good(CHECK, "configured; how it is cannot be asked while Muster does not answer"),
    };
    let checks = report["checks"].as_array().cloned().unwrap_or_default();
    let notice = checks.iter().filter(|check| check["name"] == CHECK).find_map(|check| check["notice"].as_str());
    match notice {
        Some(notice) => bad(CHECK, notice, "`muster audit log` says more; docs/runbook.md what to do"),
        None => good(
            CHECK,
            format!(
                "kept in {}, {} of {} witnesses needed",
                config.audit.store.as_deref().unwrap_or_default(),
                config.audit.quorum,
                config.audit.witnesses.len()
            ),
        ),
    }
}

fn agents(config: &Config) -> Vec<Finding> {
    const CHECK: &str = "host agent";
    let look = |(name, agent): (&String, &muster_runtime::config::Agent)| {
        let programs: &[&str] = match agent.kind {
            AgentKind::Postgresql => &["pg_ctl"],
            AgentKind::Mariadb => &["mariadbd", "mysqld"],
            AgentKind::Redis => &["redis-server", "valkey-server"],
        };
        if !programs.iter().any(|program| agent.bin_directory.join(program).is_file()) {
            return bad(
                CHECK,
                format!("{name}: there is no {} in {}", programs.join(" or "), agent.bin_directory.display()),
                format!("correct executor.agents.{name}.bin_directory"),
            );
        }
        if !agent.data_directory.is_dir() {
            return bad(
                CHECK,
                format!("{name}: there is no {}", agent.data_directory.display()),
                format!("correct executor.agents.{name}.data_directory"),
            );
        }
        good(CHECK, format!("{name} of tenant {}", agent.tenant))
    };
    config.executor.agents.iter().map(look).collect()
}

/// Only what is on this machine can be looked at.
fn disk(config: &Config) -> Option<Finding> {
    const CHECK: &str = "disk";
    let directory = config.local.enabled.then_some(&config.local.directory)?;
    let free = nix::sys::statvfs::statvfs(directory).map(|fs| fs.blocks_available() * fs.fragment_size());
    Some(match free {
        Ok(free) if free < LEAST_FREE_BYTES => bad(
            CHECK,
            format!("{} MB free in {}", free / 1_000_000, directory.display()),
            "free some space: a full disk stops the event log",
        ),
        Ok(free) => good(CHECK, format!("{} GB free", free / 1_000_000_000)),
        Err(e) => bad(CHECK, e.to_string(), "check local.directory"),
    })
}

fn print(findings: &[Finding], json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(findings)?)?;
        return Ok(());
    }
    for finding in findings {
        writeln!(out, "{:<4} {:<26} {}", if finding.good { "ok" } else { "BAD" }, finding.check, finding.found)?;
        if !finding.mend.is_empty() {
            writeln!(out, "     {:<26} mend: {}", "", finding.mend)?;
        }
    }
    let wrong = findings.iter().filter(|finding| !finding.good).count();
    writeln!(
        out,
        "{}",
        if wrong == 0 {
            "nothing is wrong".to_owned()
        } else {
            format!("{wrong} of {} checks need attention", findings.len())
        }
    )?;
    Ok(())
}
