//! References that lead nowhere are found before the day they are needed.

use super::code::Code;
use super::findings::Findings;
use super::{Judged, Surroundings};
use crate::inventory::platform::credentials;

/// Asks for each reference, and remembers those that could not be looked up here.
pub(super) struct Secrets<'a> {
    resolves: &'a dyn Fn(&str) -> Option<bool>,
    unknown: Vec<String>,
}

impl<'a> Secrets<'a> {
    pub(super) fn new(surroundings: &Surroundings<'a>) -> Self {
        Self { resolves: surroundings.secret_resolves, unknown: Vec::new() }
    }

    /// An empty reference is none.
    pub(super) fn must_resolve(&mut self, found: &mut Findings, step: &str, what: &str, reference: &str) {
        if reference.is_empty() {
            return;
        }
        // Whatever is no reference may be the secret itself, typed in the wrong place: it is not repeated.
        let is_reference = reference.starts_with("file:") || reference.starts_with("env:");
        match (self.resolves)(reference) {
            Some(true) if is_reference => {}
            None if is_reference => {
                if !self.unknown.iter().any(|known| known == reference) {
                    self.unknown.push(reference.to_owned());
                }
            }
            _ => {
                let shown = if is_reference { reference } else { "not a reference (not shown)" };
                found.add(
                    Code::SecretUnresolved,
                    step,
                    "every credential that a run needs is there",
                    &format!("{what}: {shown}"),
                    "a reference that leads to a secret: file:NAME or env:NAME",
                    "put the secret into the tenant's directory of the secret store, or correct the reference",
                );
            }
        }
    }

    pub(super) fn report(self, found: &mut Findings) {
        if self.unknown.is_empty() {
            return;
        }
        found.add(
            Code::NotChecked,
            "",
            "every credential that a run needs is there",
            &format!("could not be looked up here: {}", self.unknown.join(", ")),
            "references that lead to a secret",
            "see that the executor's secret store has them; the run's checks ask before anything is touched",
        );
    }
}

/// The accounts of what is moved. One that is not declared at all is another finding.
pub(super) fn judge(found: &mut Findings, judged: &Judged<'_>, secrets: &mut Secrets<'_>) {
    for member in judged.scope.iter().flat_map(|scope| &scope.members) {
        let Some(platform) = &member.spec.platform else { continue };
        let accounts = credentials(platform);
        let name = &member.document.name;
        let step = judged.mover(name).map(|step| step.id.as_str()).unwrap_or_default();
        for (word, account) in [("execute", accounts.execute), ("replication", accounts.replication)] {
            if let Some(account) = account {
                secrets.must_resolve(found, step, &format!("{name}, {word}.passwordRef"), &account.password_ref);
            }
        }
    }
}
