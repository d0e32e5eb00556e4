//! What single values cannot say: keys that must fit each other.

use std::{net::IpAddr, time::Duration};

use muster_domain::TenantId;
use url::{Host, Url};

use super::{Agent, AgentKind, BackupTool, Config, ConfigError, ConfigErrors, Issuer, SmtpTls};
use crate::outgoing::Policy;

/// Longer than this a token of yesterday is a token of today.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(60);
/// Below, every login asks the provider; above, a withdrawn key lives too long.
const JWKS_AGE: std::ops::RangeInclusive<Duration> = Duration::from_secs(300)..=Duration::from_secs(24 * 3600);
/// The path of a Unix socket has at most 107 bytes, and a drill's own part of it takes 66.
const MAX_DRILL_DIRECTORY: usize = 40;

impl Config {
    /// Checks what belongs together. `load` calls it; call it again on a configuration made in code.
    pub fn validate(&self) -> Result<(), ConfigErrors> {
        let mut errors = Errors(Vec::new());
        self.check_server(&mut errors);
        self.check_stores(&mut errors);
        self.check_auth(&mut errors);
        self.check_local(&mut errors);
        self.check_outgoing(&mut errors);
        self.check_work(&mut errors);
        super::audit::check(&self.audit, &mut errors);
        if errors.0.is_empty() { Ok(()) } else { Err(ConfigErrors(errors.0)) }
    }

    fn check_server(&self, errors: &mut Errors) {
        if parse_http(&self.server.public_url).is_none() {
            errors.add("server.public_url", &self.server.public_url, "an http or https URL with a host");
        }
        for (key, value) in [
            ("server.request_timeout", self.server.request_timeout),
            ("server.drain_timeout", self.server.drain_timeout),
        ] {
            if value.is_zero() {
                errors.add(key, &value.to_string(), "more than zero");
            }
        }
    }

    fn check_stores(&self, errors: &mut Errors) {
        if !matches!(self.nats.replicas, 1 | 3 | 5) {
            errors.add("nats.replicas", &self.nats.replicas.to_string(), "1, 3 or 5");
        }
        let prefix_fits = self.nats.prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !prefix_fits || self.nats.prefix.len() > 32 {
            errors.add("nats.prefix", &self.nats.prefix, "at most 32 letters, digits, '-' and '_'");
        }
        for url in self.nats.url.split(',') {
            match Url::parse(url.trim()) {
                Ok(url) if url.password().is_some() || (!url.username().is_empty()) => {
                    errors.add(
                        "nats.url",
                        "a URL with credentials",
                        "a URL without; use nats.user and nats.password_ref",
                    );
                }
                Ok(url) if matches!(url.scheme(), "nats" | "tls" | "ws" | "wss") && url.has_host() => {}
                _ => errors.add("nats.url", url, "nats://host:port or tls://host:port"),
            }
        }
        check_postgres(errors, "postgres.url", Some(&self.postgres.url));
        check_postgres(errors, "postgres.owner_url", self.postgres.owner_url.as_deref());
    }

    fn check_auth(&self, errors: &mut Errors) {
        if *self.auth.clock_skew > MAX_CLOCK_SKEW {
            errors.add("auth.clock_skew", &self.auth.clock_skew.to_string(), "at most 60s");
        }
        for (i, issuer) in self.auth.issuers.iter().enumerate() {
            let at = |key: &str| format!("auth.issuers.{i}.{key}");
            if !is_issuer_url(&issuer.issuer) {
                errors.add(
                    &at("issuer"),
                    &issuer.issuer,
                    "an https URL (http only on a loopback address), without query or fragment",
                );
            }
            if self.auth.issuers.iter().take(i).any(|other| other.issuer == issuer.issuer) {
                errors.add(&at("issuer"), &issuer.issuer, "each issuer once");
            }
            if issuer.audience.is_empty() {
                errors.add(&at("audience"), "nothing", "the audience of tokens for Muster's API");
            }
            if issuer.client_id.as_deref() == Some(issuer.audience.as_str()) {
                errors.add(
                    &at("audience"),
                    &issuer.audience,
                    "something else than client_id: an ID token must not open the API",
                );
            }
            if issuer.accepted_algorithms.is_empty() {
                errors.add(&at("accepted_algorithms"), "nothing", "at least one of RS256, PS256, ES256, EdDSA");
            }
            if !JWKS_AGE.contains(&*issuer.jwks_max_age) {
                errors.add(&at("jwks_max_age"), &issuer.jwks_max_age.to_string(), "between 5m and 24h");
            }
            check_mappings(errors, i, issuer);
        }
    }

    fn check_local(&self, errors: &mut Errors) {
        if !self.local.enabled {
            return;
        }
        if !self.server.listen.ip().is_loopback() {
            errors.add(
                "local.enabled",
                &format!("true, while server.listen is {}", self.server.listen),
                "local mode only on a loopback address: anybody who reaches the local issuer can be anybody",
            );
        }
        if parse_http(&self.server.public_url).is_some_and(|url| !is_loopback(&url)) {
            errors.add(
                "local.enabled",
                &format!("true, while server.public_url is {}", self.server.public_url),
                "a loopback public_url in local mode",
            );
        }
        for (i, person) in self.local.people.iter().enumerate() {
            if let Err(e) = muster_domain::ids::check_name("name", &person.name) {
                errors.add(&format!("local.people.{i}.name"), &format!("'{}'", person.name), e.rule);
            }
        }
    }

    fn check_outgoing(&self, errors: &mut Errors) {
        if let Some(smtp) = &self.smtp {
            if smtp.host.is_empty() {
                errors.add("smtp.host", "nothing", "a host name");
            }
            if smtp.from.is_empty() {
                errors.add("smtp.from", "nothing", "a sender such as \"Muster <muster@example.com>\"");
            }
            let loopback = smtp.host == "localhost" || smtp.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
            if smtp.tls == SmtpTls::None && !loopback {
                errors.add(
                    "smtp.tls",
                    &format!("none, towards {}", smtp.host),
                    "implicit or starttls; none only towards a loopback address",
                );
            }
        }
        if let Some(endpoint) = &self.telemetry.otlp_endpoint
            && parse_http(endpoint).is_none()
        {
            errors.add("telemetry.otlp_endpoint", endpoint, "an http or https URL of an OTLP gRPC receiver");
        }
    }

    /// What plans may do on or from this machine.
    fn check_steps(&self, errors: &mut Errors) {
        for (name, command) in &self.executor.commands {
            let at = |key: &str| format!("executor.commands.{name}.{key}");
            if let Err(e) = command.tenant.parse::<TenantId>() {
                errors.add(&at("tenant"), &format!("'{}'", command.tenant), e.rule);
            }
            if !command.program.is_absolute() {
                errors.add(&at("program"), &format!("'{}'", command.program.display()), "an absolute path");
            }
            if command.timeout.is_zero() {
                errors.add(&at("timeout"), &command.timeout.to_string(), "more than zero");
            }
            for variable in command.environment.iter().filter(|name| name.starts_with("MUSTER_")) {
                errors.add(&at("environment"), variable, "variables of others: Muster's own hold its secrets");
            }
        }
        if let Err(wrong) = Policy::steps(&self.executor.http_allow) {
            errors.add("executor.http_allow", &wrong.0, "networks, addresses or host names");
        }
    }

    fn check_work(&self, errors: &mut Errors) {
        for (name, agent) in &self.executor.agents {
            let at = |key: &str| format!("executor.agents.{name}.{key}");
            if let Err(e) = agent.tenant.parse::<TenantId>() {
                errors.add(&at("tenant"), &format!("'{}'", agent.tenant), e.rule);
            }
            for (key, path) in [("data_directory", &agent.data_directory), ("bin_directory", &agent.bin_directory)] {
                if !path.is_absolute() {
                    errors.add(&at(key), &format!("'{}'", path.display()), "an absolute path");
                }
            }
            check_service_files(errors, &at, agent);
            check_drills(errors, name, agent);
        }
        self.check_steps(errors);
        let observe = &self.observe;
        if *observe.interval < Duration::from_millis(100) {
            errors.add("observe.interval", &observe.interval.to_string(), "at least 100ms: targets must not feel it");
        }
        if !(1..=5_000).contains(&observe.batch_size) {
            errors.add(
                "observe.batch_size",
                &observe.batch_size.to_string(),
                "1 to 5000, so that a message stays below 1 MiB",
            );
        }
    }
}

fn check_drills(errors: &mut Errors, name: &str, agent: &Agent) {
    if let Some(directory) = &agent.drill_directory {
        let key = format!("executor.agents.{name}.drill_directory");
        let shown = format!("'{}'", directory.display());
        if !directory.is_absolute() || directory.as_os_str().len() > MAX_DRILL_DIRECTORY {
            errors.add(&key, &shown, "an absolute path of at most 40 bytes");
        }
        if directory.starts_with(&agent.data_directory) || agent.data_directory.starts_with(directory) {
            errors.add(&key, &shown, "a directory outside the data directory: a drill is never where production is");
        }
    }
    for (repository, backup) in &agent.backups {
        let at = |key: &str| format!("executor.agents.{name}.backups.{repository}.{key}");
        if !backup.program.is_absolute() {
            errors.add(&at("program"), &format!("'{}'", backup.program.display()), "an absolute path");
        }
        let (key, needed) = match backup.tool {
            BackupTool::Pgbackrest => ("stanza", &backup.stanza),
            BackupTool::Restic => ("repository", &backup.repository),
        };
        if needed.is_empty() {
            errors.add(&at(key), "nothing", "where the backups are");
        }
    }
}

/// What fences a MariaDB or Redis server. PostgreSQL is fenced in its data directory.
fn check_service_files(errors: &mut Errors, at: &impl Fn(&str) -> String, agent: &Agent) {
    for (key, path) in [("config_file", &agent.config_file), ("fence_file", &agent.fence_file)] {
        match path {
            Some(path) if agent.kind == AgentKind::Postgresql => {
                let met = format!("'{}', with kind = postgresql", path.display());
                errors.add(&at(key), &met, "nothing: it is for mariadb and redis");
            }
            Some(path) if !path.is_absolute() => {
                errors.add(&at(key), &format!("'{}'", path.display()), "an absolute path");
            }
            None if key == "config_file" && agent.kind != AgentKind::Postgresql => {
                errors.add(&at(key), "nothing", "the file the server is started with, as an absolute path");
            }
            _ => {}
        }
    }
    if agent.fence_file.is_some() && agent.fence_file == agent.config_file {
        errors.add(&at("fence_file"), "the same file as config_file", "a file of its own, which config_file includes");
    }
}

fn check_mappings(errors: &mut Errors, i: usize, issuer: &Issuer) {
    for (j, mapping) in issuer.mappings.iter().enumerate() {
        let at = |key: &str| format!("auth.issuers.{i}.mappings.{j}.{key}");
        if mapping.group.is_empty() {
            errors.add(&at("group"), "nothing", "the group as the claim says it");
        }
        if let Err(e) = mapping.tenant.parse::<TenantId>() {
            errors.add(&at("tenant"), &format!("'{}'", mapping.tenant), e.rule);
        }
    }
}

fn check_postgres(errors: &mut Errors, key: &str, url: Option<&str>) {
    let Some(text) = url else { return };
    match Url::parse(text) {
        Ok(url) if url.password().is_some() => {
            errors.add(key, "a URL with a password", "a URL without; put the password behind the matching _ref key");
        }
        Ok(url) if matches!(url.scheme(), "postgres" | "postgresql") => {}
        // The text may hold a password in a form we cannot parse: it is not shown.
        _ => errors.add(key, "something that is not such a URL", "postgres://user@host:port/database"),
    }
}

/// An absolute http(s) URL with a host.
pub(super) fn parse_http(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// https anywhere, http on this machine only.
pub(crate) fn is_issuer_url(text: &str) -> bool {
    parse_http(text).is_some_and(|url| {
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        plain && (url.scheme() == "https" || is_loopback(&url))
    })
}

/// Whether the URL's host is this machine. Only "localhost" is trusted by name.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

pub(super) struct Errors(Vec<ConfigError>);

impl Errors {
    pub(super) fn add(&mut self, key: &str, value: &str, allowed: &str) {
        let variable = format!("MUSTER_{}", key.to_ascii_uppercase().replace('.', "__"));
        self.0.push(ConfigError {
            key: key.to_owned(),
            value: value.to_owned(),
            source: format!("muster.toml, {variable} or the defaults"),
            allowed: allowed.to_owned(),
            next_action: format!("set {key} in muster.toml; docs/config.md explains it"),
        });
    }
}
