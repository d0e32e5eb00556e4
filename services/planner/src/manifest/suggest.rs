//! "Did you mean …?" for misspelt keys and values.

/// More edits than this is another word, not a slip.
const MAX_EDITS: usize = 2;
/// Shorter words are near to everything.
const MIN_LENGTH: usize = 3;

/// The candidate nearest to what was written, if one is near.
pub(super) fn nearest<'c>(written: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let written = written.to_lowercase();
    let near = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        // "password" for "passwordRef" is a beginning, not a slip.
        if written.len() > MIN_LENGTH && candidate.starts_with(&written) { 1 } else { edits(&written, &candidate) }
    };
    candidates
        .iter()
        .filter(|candidate| candidate.len() >= MIN_LENGTH)
        .map(|candidate| (near(candidate), *candidate))
        .filter(|(edits, candidate)| *edits <= MAX_EDITS && *edits < candidate.len())
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions and substitutions between two words (Levenshtein). Long words are not compared.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["primarySite", "drSite", "rpo", "rto", "passwordRef"];
        assert_eq!(nearest("primarysite", &known), Some("primarySite"));
        assert_eq!(nearest("rpoo", &known), Some("rpo"));
        assert_eq!(nearest("drsites", &known), Some("drSite"));
        assert_eq!(nearest("password", &known), Some("passwordRef"));
        assert_eq!(nearest("host", &known), None);
        assert_eq!(nearest("4", &["1", "2", "3"]), None);
        assert_eq!(nearest("", &known), None);
    }
}
