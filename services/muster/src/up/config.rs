//! The configuration of the local mode: everything on this machine, secrets by reference as anywhere else.

use std::{collections::BTreeMap, net::SocketAddr, path::Path};

use anyhow::{Context as _, Result};
use muster_local::tools;
use muster_runtime::{
    Config,
    config::{Agent, AgentKind, Profile, Smtp, SmtpTls},
};

use super::{people, stack};
use crate::{
    demo::{
        estate::{Estate, Platform, TENANT},
        world,
    },
    place::{Place, random_password},
};

const RUN_CARD_KEY: &str = "run-card-key";
const INTENT_KEY: &str = "intent-key";

pub(crate) fn local(
    place: &Place,
    stack: &stack::Stack,
    estate: &Estate,
    address: SocketAddr,
    file: Option<&Path>,
) -> Result<Config> {
    // Judged at the end: what a file adds, such as an anchor, may need what is only set here.
    let mut config = Config::read(file, Profile::Local)?;
    config.server.listen = address;
    config.server.public_url = format!("http://{address}");
    config.nats.url = stack.nats_url();
    config.nats.user = Some(stack::NATS_USER.into());
    config.nats.password_ref = Some("file:nats".into());
    let postgres = |role: &str| format!("postgres://{role}@127.0.0.1:{}/{}", stack.postgres_port(), stack::DATABASE);
    config.postgres.url = postgres(muster_eventlog::db::SERVICE_ROLE);
    config.postgres.password_ref = Some("file:postgres".into());
    config.postgres.owner_url = Some(postgres(muster_eventlog::db::OWNER_ROLE));
    config.postgres.owner_password_ref = Some("file:postgres-owner".into());
    config.local.directory = place.root().to_owned();
    config.secrets.directory = Some(place.secrets());
    config.planner.signing_key_ref = Some(run_card_key(place)?);
    config.approval.intent_key_refs = vec![intent_key(place)?];
    config.local.people = people::people();
    config.use_local_issuer();
    for issuer in &mut config.auth.issuers {
        issuer.mappings = people::mappings();
    }
    config.executor.agents = agents(place, estate)?;
    // Everything of local mode is on this machine; what plans reach, too.
    config.executor.http_allow = ["127.0.0.0/8", "::1"].map(str::to_owned).to_vec();
    // The demo's webhook receiver is on this machine; tenants' webhooks may otherwise not go to loopback.
    config.webhooks.allow_private_addresses.push("127.0.0.1".into());
    if world::mail_server().is_some() {
        config.smtp = Some(Smtp {
            host: "127.0.0.1".into(),
            port: place.port("smtp", None)?,
            tls: SmtpTls::None,
            from: "Muster <muster@localhost.localdomain>".into(),
            ..Smtp::default()
        });
    }
    if config.audit.store.is_none() {
        config.audit.store = Some(place.root().join("audit/log").display().to_string());
        config.audit.keys = Some(place.root().join("audit/keys"));
    }
    config.audit.payload_keys.get_or_insert_with(|| place.root().join("payload-keys"));
    if config.audit.witnesses.is_empty() {
        config.audit.witnesses = vec![stack.witness.entry.clone()];
        config.audit.quorum = 1;
    }
    config.validate()?;
    // For `muster doctor`, `muster projection rebuild` and curious people: what this process runs with.
    crate::demo::private_file(&place.file("muster.toml"), &toml::to_string(&config)?)?;
    Ok(config)
}

/// Made at the first start, and kept: cards that are on somebody's shelf stay verifiable.
fn run_card_key(place: &Place) -> Result<String> {
    let key = muster_planner::new_signing_key().context("the random number generator failed")?;
    place.secret("_system", RUN_CARD_KEY, || key)?;
    Ok(format!("file:{RUN_CARD_KEY}"))
}

/// Made at the first start, and kept: links in mails outlive a restart.
fn intent_key(place: &Place) -> Result<String> {
    place.secret("_system", INTENT_KEY, random_password)?;
    Ok(format!("file:{INTENT_KEY}"))
}

/// One host agent for each server of the estate. Tenants can only name them.
fn agents(place: &Place, estate: &Estate) -> Result<BTreeMap<String, Agent>> {
    let mut agents = BTreeMap::new();
    for pair in &estate.pairs {
        for node in &pair.nodes {
            let directory = estate.node_directory(node);
            let common = Agent { tenant: TENANT.into(), ..Agent::default() };
            let service = |kind, program: &Path, config: &str| Agent {
                kind,
                data_directory: directory.join("data"),
                bin_directory: program.parent().unwrap_or(Path::new("/")).to_owned(),
                config_file: Some(directory.join(config)),
                ..common.clone()
            };
            let agent = match pair.platform {
                Platform::Postgresql => Agent {
                    kind: AgentKind::Postgresql,
                    data_directory: directory.clone(),
                    bin_directory: tools::postgres_bin_dir()?,
                    drill_directory: Some(place.drills(&directory)?),
                    ..common.clone()
                },
                Platform::Mariadb => service(AgentKind::Mariadb, &tools::mariadb()?.mariadbd, "my.cnf"),
                Platform::Redis => service(AgentKind::Redis, &tools::redis_server()?, "redis.conf"),
            };
            agents.insert(node.name.clone(), agent);
        }
    }
    Ok(agents)
}
