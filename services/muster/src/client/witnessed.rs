//! Whether a decision is under a checkpoint that witnesses have cosigned, as its answer says.

use muster_runtime::witnessed::{HEADER, Witnessed};
use tonic::Response;

use super::{error::CliError, output::Screen};

/// The answer to a decision that people rely on as proof. What is known of its place in the log is said beside it.
pub(super) fn told<T>(answer: Response<T>, screen: &Screen) -> Result<T, CliError> {
    if let Some(text) = answer.metadata().get(HEADER).and_then(|value| value.to_str().ok()).and_then(words) {
        screen.note(text)?;
    }
    Ok(answer.into_inner())
}

fn words(value: &str) -> Option<&'static str> {
    let known = [Witnessed::Yes, Witnessed::Pending, Witnessed::NotKept];
    Some(match known.into_iter().find(|known| known.as_str() == value)? {
        Witnessed::Yes => "witnessed: yes, a cosigned checkpoint covers this decision",
        Witnessed::Pending => {
            "witnessed: not yet; it is recorded, and `muster audit log` says which witness is waited for"
        }
        Witnessed::NotKept => "witnessed: no, this installation keeps no transparency log",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_its_words_and_an_unknown_one_has_none() {
        for (value, begins) in
            [("yes", "witnessed: yes"), ("pending", "witnessed: not yet"), ("not kept", "witnessed: no,")]
        {
            assert!(words(value).is_some_and(|text| text.starts_with(begins)), "{value}");
        }
        assert_eq!(words("perhaps"), None);
    }
}
