//! What an answer must be: as expected, as before, or not less. Pure.

use muster_domain::pb::{
    execution::v1::{Check, CheckPhase, IntegrityResult},
    inventory::v1::{IntegrityCheck, integrity_check::Question},
};

use crate::checks;

/// Longer answers are cut where people read them; they are compared whole.
const SHOWN: usize = 200;

/// Every question of a run that has been answered before and after, or after alone.
pub fn judge_all(asked: &[IntegrityCheck], resource: &str, results: &[IntegrityResult]) -> Vec<Check> {
    let of = |name: &str, phase: CheckPhase| {
        results.iter().rfind(|r| r.resource == resource && r.name == name && r.phase() == phase)
    };
    asked
        .iter()
        .map(|check| judge(check, of(&check.name, CheckPhase::Before), of(&check.name, CheckPhase::After)))
        .collect()
}

/// One question about a system that was moved.
pub fn judge(asked: &IntegrityCheck, before: Option<&IntegrityResult>, after: Option<&IntegrityResult>) -> Check {
    let name = name_of(asked);
    let judged = match answer(after) {
        Err(why) => checks::unknown(&name, &limit_of(asked, before), why),
        Ok(after) if !asked.expect.is_empty() => equal(&name, after, &asked.expect, "as expected", "not as expected"),
        Ok(after) => match answer(before) {
            Err(why) => {
                let text = format!("there is nothing to compare with, the question before the move: {why}");
                checks::unknown(&name, &limit_of(asked, before), text)
            }
            Ok(before) if is_row_count(asked) => not_less(&name, after, before),
            Ok(before) => equal(&name, after, before, "as before the move", "not as before the move"),
        },
    };
    finished(asked, after.or(before), judged)
}

/// One question about a drill's copy. Without an expectation it is enough that the copy can answer: production goes on and
/// is no measure.
pub fn judge_copy(asked: &IntegrityCheck, result: Option<&IntegrityResult>) -> Check {
    let name = name_of(asked);
    let judged = match answer(result) {
        Err(why) => checks::unknown(&name, &limit_of(asked, None), why),
        Ok(answer) if !asked.expect.is_empty() => equal(&name, answer, &asked.expect, "as expected", "not as expected"),
        Ok(answer) => checks::passed(&name, shown(answer), "an answer", "the copy answers; nothing is expected of it"),
    };
    finished(asked, result, judged)
}

fn finished(asked: &IntegrityCheck, result: Option<&IntegrityResult>, check: Check) -> Check {
    let resource = result.map(|result| result.resource.clone()).unwrap_or_default();
    Check { advisory: asked.advisory, resource, ..check }
}

/// "integrity/orders-balance"
fn name_of(asked: &IntegrityCheck) -> String {
    format!("integrity/{}", asked.name)
}

fn is_row_count(asked: &IntegrityCheck) -> bool {
    matches!(asked.question, Some(Question::RowCountOf(_)))
}

fn answer(result: Option<&IntegrityResult>) -> Result<&str, String> {
    let Some(result) = result else { return Err("it was not asked".to_owned()) };
    result.answer.as_deref().ok_or_else(|| format!("it could not be asked: {}", result.error))
}

fn limit_of(asked: &IntegrityCheck, before: Option<&IntegrityResult>) -> String {
    match before.and_then(|result| result.answer.as_deref()) {
        _ if !asked.expect.is_empty() => shown(&asked.expect),
        Some(before) if is_row_count(asked) => format!("at least {}", shown(before)),
        Some(before) => shown(before),
        None => "an answer".to_owned(),
    }
}

fn equal(name: &str, answer: &str, wanted: &str, good: &str, bad: &str) -> Check {
    checks::must(name, Some(answer == wanted), shown(answer), &shown(wanted), good, bad)
}

fn not_less(name: &str, after: &str, before: &str) -> Check {
    let limit = format!("at least {}", shown(before));
    match (after.parse::<u64>(), before.parse::<u64>()) {
        (Ok(now), Ok(then)) => {
            let bad = format!("{} rows are missing", then.saturating_sub(now));
            checks::must(name, Some(now >= then), after, &limit, "not less than before the move", bad)
        }
        _ => checks::unknown(name, &limit, format!("'{}' or '{}' is no count", shown(before), shown(after))),
    }
}

fn shown(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        text.to_owned()
    } else {
        text.chars().take(SHOWN).collect::<String>() + " […]"
    }
}

#[cfg(test)]
mod tests {
    use muster_domain::pb::execution::v1::CheckOutcome;
    use proptest::prelude::*;

    use super::*;

    fn count() -> IntegrityCheck {
        IntegrityCheck {
            name: "orders".into(),
            question: Some(Question::RowCountOf("orders".into())),
            ..IntegrityCheck::default()
        }
    }

    fn invariant(expect: &str) -> IntegrityCheck {
        IntegrityCheck {
            name: "balance".into(),
            question: Some(Question::Sql("SELECT sum(n) FROM t".into())),
            expect: expect.into(),
            ..IntegrityCheck::default()
        }
    }

    fn result(answer: Option<&str>) -> IntegrityResult {
        IntegrityResult {
            resource: "orders-db".into(),
            answer: answer.map(str::to_owned),
            error: "gone".into(),
            ..IntegrityResult::default()
        }
    }

    fn outcome(asked: &IntegrityCheck, before: Option<&str>, after: Option<&str>) -> CheckOutcome {
        judge(asked, Some(&result(before)), Some(&result(after))).outcome()
    }

    #[test]
    fn an_expectation_wins_over_what_was_before() {
        assert_eq!(outcome(&invariant("0"), Some("5"), Some("0")), CheckOutcome::Passed);
        assert_eq!(outcome(&invariant("0"), Some("5"), Some("5")), CheckOutcome::Failed);
        assert_eq!(outcome(&invariant("0"), None, Some("0")), CheckOutcome::Passed);
    }

    #[test]
    fn without_one_it_must_be_as_before() {
        assert_eq!(outcome(&invariant(""), Some("5"), Some("5")), CheckOutcome::Passed);
        assert_eq!(outcome(&invariant(""), Some("5"), Some("6")), CheckOutcome::Failed);
        assert_eq!(outcome(&invariant(""), None, Some("6")), CheckOutcome::Unknown);
    }

    #[test]
    fn what_was_not_answered_is_unknown_and_never_passed() {
        for asked in [count(), invariant("0"), invariant("")] {
            assert_eq!(outcome(&asked, Some("0"), None), CheckOutcome::Unknown);
            assert_eq!(judge(&asked, None, None).outcome(), CheckOutcome::Unknown);
            assert_eq!(judge_copy(&asked, Some(&result(None))).outcome(), CheckOutcome::Unknown);
        }
        assert_eq!(outcome(&count(), Some("ten"), Some("11")), CheckOutcome::Unknown);
    }

    #[test]
    fn an_advisory_question_stays_advisory_and_names_its_resource() {
        let asked = IntegrityCheck { advisory: true, ..invariant("1") };
        let judged = judge(&asked, None, Some(&result(Some("0"))));
        assert!(judged.advisory && judged.resource == "orders-db" && judged.name == "integrity/balance");
    }

    #[test]
    fn the_newest_result_of_the_phase_counts() {
        let with = |phase: CheckPhase, answer: &str| IntegrityResult {
            name: "balance".into(),
            phase: phase.into(),
            ..result(Some(answer))
        };
        let results = [with(CheckPhase::Before, "5"), with(CheckPhase::After, "4"), with(CheckPhase::After, "5")];
        let judged = judge_all(&[invariant("")], "orders-db", &results);
        assert_eq!(judged.iter().map(Check::outcome).collect::<Vec<_>>(), [CheckOutcome::Passed]);
        let other = judge_all(&[invariant("")], "billing-db", &results);
        assert_eq!(other.iter().map(Check::outcome).collect::<Vec<_>>(), [CheckOutcome::Unknown]);
    }

    proptest! {
        #[test]
        fn rows_may_come_and_never_go(before in 0u64.., after in 0u64..) {
            let wanted = if after >= before { CheckOutcome::Passed } else { CheckOutcome::Failed };
            prop_assert_eq!(outcome(&count(), Some(&before.to_string()), Some(&after.to_string())), wanted);
        }

        #[test]
        fn no_pair_of_different_texts_is_the_same(before in ".{0,40}", after in ".{0,40}") {
            let wanted = if after == before { CheckOutcome::Passed } else { CheckOutcome::Failed };
            prop_assert_eq!(outcome(&invariant(""), Some(&before), Some(&after)), wanted);
        }
    }
}
