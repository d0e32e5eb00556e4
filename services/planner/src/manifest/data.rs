//! What a resource says about its data: questions that must hold, and where a copy for drills comes from.

use muster_domain::pb::inventory::v1::{
    BackupSource, IntegrityCheck, IsolatedDrill, StandbySource, integrity_check::Question, isolated_drill::Source,
};

use super::{
    fault::Faults,
    fields::Fields,
    node::{Node, Value},
};

/// The questions by their keys: one for each check.
const QUESTIONS: &[(&str, ToQuestion)] =
    &[("rowCountOf", Question::RowCountOf), ("checksumOf", Question::ChecksumOf), ("sql", Question::Sql)];
type ToQuestion = fn(String) -> Question;

/// `source: standby`
pub(super) const STANDBY: &str = "standby";

pub(super) fn integrity(node: &Node, path: &str, faults: &Faults) -> Option<IntegrityCheck> {
    let mut fields = Fields::of(node, path, faults)?;
    let check = IntegrityCheck {
        name: fields.text("name"),
        description: fields.text("description"),
        question: question(&mut fields),
        expect: fields.text("expect"),
        advisory: fields.flag("advisory"),
        timeout: fields.duration("timeout"),
    };
    fields.finish();
    Some(check)
}

fn question(fields: &mut Fields<'_, '_>) -> Option<Question> {
    let keys = QUESTIONS.iter().map(|(key, _)| *key).collect::<Vec<_>>();
    let key = fields.one_of(&keys, "a check asks one question")?;
    let (_, question) = QUESTIONS.iter().find(|(known, _)| *known == key)?;
    Some(question(fields.text(key)))
}

pub(super) fn isolated_drill(mut fields: Fields<'_, '_>) -> IsolatedDrill {
    let drill = IsolatedDrill { agent: fields.text("agent"), source: source(&mut fields) };
    fields.finish();
    drill
}

/// `standby`, or a block with `backup`.
fn source(fields: &mut Fields<'_, '_>) -> Option<Source> {
    let path = fields.field("source");
    let node = fields.take("source")?;
    match &node.value {
        Value::Text(text) if text == STANDBY => Some(Source::Standby(StandbySource {})),
        Value::Map(_) => {
            let mut block = Fields::of(node, path, fields.faults)?;
            let backup = block.block("backup").map(backup);
            if !block.has("backup") {
                block.missing(
                    "backup",
                    "standby, or backup: {tool, repository, maxAge}",
                    "say where the copy comes from",
                );
            }
            block.finish();
            backup.map(Source::Backup)
        }
        _ => {
            let found = super::fields::show(node.text().unwrap_or(node.value.describe()));
            fields.faults.add(
                node.at,
                &path,
                "a copy comes from the standby or from a backup",
                &found,
                "standby, or backup: {tool, repository, maxAge}",
                "write source: standby, or a backup block below it",
            );
            None
        }
    }
}

fn backup(mut fields: Fields<'_, '_>) -> BackupSource {
    let backup = BackupSource {
        tool: fields.text("tool"),
        repository: fields.text("repository"),
        max_age: fields.duration("maxAge"),
    };
    fields.finish();
    backup
}
