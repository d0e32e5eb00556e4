//! Findings as they are collected, worst first.

use std::collections::BTreeSet;

use super::code::Code;
use crate::pb::plan::v1::{Lint, LintSeverity};
use crate::text::is_hidden;

/// Longest value that is repeated in a finding.
const SHOWN: usize = 120;

#[derive(Default)]
pub(super) struct Findings {
    found: Vec<Lint>,
    /// Two places can come to the same finding: a condition that is asked before and after.
    known: BTreeSet<(String, String, String)>,
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
            step: visible(step),
            text: format!("{rule} (found: {}; allowed: {})", shown(value), shown(limit)),
            next_action: next.to_owned(),
        };
        if self.known.insert((lint.code.clone(), lint.step.clone(), lint.text.clone())) {
            self.found.push(lint);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Worst first; equals keep the order of the plan.
    pub(super) fn into_sorted(mut self) -> Vec<Lint> {
        self.found.sort_by_key(|lint| std::cmp::Reverse(lint.severity));
        self.found
    }
}

/// Without what cannot be seen, and not too long.
fn shown(text: &str) -> String {
    let short = visible(text);
    if short.is_empty() { "-".to_owned() } else { short }
}

fn visible(text: &str) -> String {
    let mut short: String = text.chars().filter(|c| !c.is_control() && !is_hidden(*c)).take(SHOWN).collect();
    if text.chars().count() > SHOWN {
        short.push('…');
    }
    short
}
