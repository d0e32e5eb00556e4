//! What a resource says about its data: questions with one answer, and a source for isolated copies.

use jiff::SignedDuration;

use super::platform::{CAPABILITIES, capabilities, nodes, platform_name};
use super::validate::{Finding, duration, shorten, text};
use crate::ids::check_name;
use crate::pb::inventory::v1::{
    BackupSource, IntegrityCheck, IsolatedDrill, ResourceSpec, integrity_check::Question, isolated_drill::Source,
    resource_spec::Platform,
};

/// They are asked before and after every move, while nobody can write: each one makes the outage longer.
const MAX_CHECKS: usize = 20;
/// A checksum of a large table takes minutes; longer ones belong into a drill, not into a move.
const MAX_TIMEOUT: SignedDuration = SignedDuration::from_mins(15);
const MAX_QUERY: usize = 2_000;
/// An answer is one short text: a number, a sum, a word.
const MAX_EXPECT: usize = 200;
/// Older than this is an archive.
const MAX_BACKUP_AGE: SignedDuration = SignedDuration::from_hours(24 * 31);
const BACKUP_TOOLS: [&str; 2] = ["pgbackrest", "restic"];

pub(super) fn validate_data(found: &mut Finding, spec: &ResourceSpec) {
    if spec.integrity.len() > MAX_CHECKS {
        found.fault(
            "spec.integrity",
            "integrity checks are few: they are asked while nobody can write",
            spec.integrity.len().to_string(),
            format!("at most {MAX_CHECKS}"),
            "keep the ones that would stop you from opening the system again",
        );
    }
    for (index, check) in spec.integrity.iter().enumerate() {
        let field = format!("spec.integrity[{index}]");
        integrity(found, &field, check, spec);
        if spec.integrity.iter().take(index).any(|earlier| earlier.name == check.name) {
            found.fault(
                format!("{field}.name"),
                "checks have different names",
                &check.name,
                "another name",
                "rename one",
            );
        }
    }
    if let Some(drill) = &spec.isolated_drill {
        isolated_drill(found, drill, spec);
    }
}

fn integrity(found: &mut Finding, field: &str, check: &IntegrityCheck, spec: &ResourceSpec) {
    if let Err(e) = check_name("name", &check.name) {
        found.fault(format!("{field}.name"), "records name the check", e.value, e.rule, "choose another name");
    }
    text(found, &format!("{field}.description"), &check.description);
    duration(found, &format!("{field}.timeout"), check.timeout.as_ref(), MAX_TIMEOUT);
    match &check.question {
        Some(Question::RowCountOf(table)) => self::table(found, &format!("{field}.rowCountOf"), table),
        Some(Question::ChecksumOf(table)) => self::table(found, &format!("{field}.checksumOf"), table),
        Some(Question::Sql(query)) => self::query(found, &format!("{field}.sql"), query),
        None => found.fault(
            field,
            "a check asks one question",
            "none",
            "rowCountOf, checksumOf or sql",
            "add the table to count, or the query",
        ),
    }
    let length = check.expect.chars().count();
    if length > MAX_EXPECT || check.expect.chars().any(char::is_control) {
        let limit = format!("at most {MAX_EXPECT} characters, one line");
        found.fault(format!("{field}.expect"), "an answer is a short text", length.to_string(), limit, "shorten it");
    }
    if matches!(spec.platform, Some(Platform::Redis(_))) && matches!(check.question, Some(Question::ChecksumOf(_))) {
        found.fault(
            format!("{field}.checksumOf"),
            "a checksum is taken over the rows of a table",
            "redis",
            "postgresql, patroni, mariadb",
            "remove the check",
        );
    }
}

/// `table` or `schema.table`, plain names: they become part of a query.
fn table(found: &mut Finding, field: &str, table: &str) {
    let plain = |part: &str| {
        let mut bytes = part.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && part.len() <= 63
    };
    let parts: Vec<&str> = table.split('.').collect();
    if parts.len() > 2 || !parts.iter().all(|part| plain(part)) {
        found.fault(
            field,
            "a table by its plain name",
            shorten(table),
            "table or schema.table: letters, digits and _, at most 63 each",
            "use `sql` for a table with another name",
        );
    }
}

fn query(found: &mut Finding, field: &str, query: &str) {
    let length = query.chars().count();
    let hidden = query.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t'));
    if query.trim().is_empty() || length > MAX_QUERY || hidden {
        found.fault(
            field,
            "a query of one row with one column",
            format!("{length} characters"),
            format!("1 to {MAX_QUERY}, no control characters"),
            "write the query, or put it into a view and select from that",
        );
    }
    let body = query.trim_end().trim_end_matches(';');
    if body.contains(';') {
        found.fault(
            field,
            "one statement",
            "several, separated by ';'",
            "one SELECT",
            "put it into a view or function",
        );
    }
}

fn isolated_drill(found: &mut Finding, drill: &IsolatedDrill, spec: &ResourceSpec) {
    let field = |rest: &str| format!("spec.isolatedDrill.{rest}");
    if let Err(e) = check_name("agent", &drill.agent) {
        found.fault(
            field("agent"),
            "the copy is made by an agent of the executor's configuration",
            e.value,
            e.rule,
            "name the agent of the machine that has room for a copy",
        );
    }
    if let Some(platform) = spec.platform.as_ref().filter(|platform| !capabilities(platform).isolated_drill) {
        let able = CAPABILITIES.iter().filter(|(_, offers)| offers.isolated_drill).map(|(name, _)| *name);
        found.fault(
            "spec.isolatedDrill",
            "a copy is made of a platform that can be copied",
            platform_name(platform),
            able.collect::<Vec<_>>().join(", "),
            "remove isolatedDrill; a readiness drill or a live drill tests this resource",
        );
    }
    let at_home = spec.platform.iter().flat_map(nodes).find(|node| node.site == spec.primary_site);
    if at_home.is_some_and(|node| !node.agent.is_empty() && node.agent == drill.agent) {
        found.warn(format!("isolated drills run on the machine of the primary ({}), beside production", drill.agent));
    }
    match &drill.source {
        Some(Source::Standby(_)) => {}
        Some(Source::Backup(backup)) => self::backup(found, &field("source.backup"), backup),
        None => found.fault(
            field("source"),
            "a copy comes from somewhere",
            "absent",
            "standby, or backup: {tool, repository, maxAge}",
            "write source: standby",
        ),
    }
}

fn backup(found: &mut Finding, field: &str, backup: &BackupSource) {
    if !BACKUP_TOOLS.contains(&backup.tool.as_str()) {
        found.fault(
            format!("{field}.tool"),
            "backups are read by the tool that made them",
            shorten(&backup.tool),
            BACKUP_TOOLS.join(", "),
            "use one of these",
        );
    }
    if let Err(e) = check_name("repository", &backup.repository) {
        found.fault(
            format!("{field}.repository"),
            "the stanza or repository by its name in the agent's configuration",
            e.value,
            e.rule,
            "use the name, not a path",
        );
    }
    duration(found, &format!("{field}.maxAge"), backup.max_age.as_ref(), MAX_BACKUP_AGE);
}
