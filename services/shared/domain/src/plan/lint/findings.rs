//! Findings as they are collected, worst first.

use super::code::Code;
use crate::pb::plan::v1::{Lint, LintSeverity};

/// Longest value that is repeated in a finding.
const SHOWN: usize = 120;

#[derive(Default)]
pub(super) struct Findings {
    found: Vec<(usize, Lint)>,
}

impl Findings {
    /// `step`: empty for the plan as a whole.
    pub(super) fn add(&mut self, code: Code, step: &str, rule: &str, value: &str, limit: &str, next: &str) {
        self.add_as(code.severity(), code, step, rule, value, limit, next);
    }

    #[expect(clippy::too_many_arguments, reason = "a finding is these texts, and each call names them in this order")]
    pub(super) fn add_as(
        &mut self,
        severity: LintSeverity,
        code: Code,
        step: &str,
        rule: &str,
        value: &str,
        limit: &str,
        next: &str,
    ) {
        let lint = Lint {
            severity: severity.into(),
            code: code.name().to_owned(),
            step: step.chars().take(SHOWN).collect(),
            text: format!("{rule} (found: {}; allowed: {})", shown(value), shown(limit)),
            next_action: next.to_owned(),
        };
        // Two places can come to the same finding: a condition that is asked before and after.
        if !self.found.iter().any(|(_, known)| *known == lint) {
            self.found.push((self.found.len(), lint));
        }
    }

    pub(super) fn into_sorted(mut self) -> Vec<Lint> {
        self.found.sort_by_key(|(position, lint)| (std::cmp::Reverse(lint.severity), *position));
        self.found.into_iter().map(|(_, lint)| lint).collect()
    }
}

/// Without what cannot be seen, and not too long.
pub(super) fn shown(text: &str) -> String {
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    if text.chars().count() > SHOWN {
        short.push('…');
    }
    if short.is_empty() { "-".to_owned() } else { short }
}
