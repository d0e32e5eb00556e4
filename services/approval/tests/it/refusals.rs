//! docs/refusals.md against the code: every code has its remedy, and no remedy is for a code that is gone.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const PAGE: &str = include_str!("../../../../docs/refusals.md");

fn sources(dir: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|e| e == "rs") && !path.to_string_lossy().contains("tests"))
        .collect()
}

/// "RESOURCE_BUSY": two words at least, so that no ordinary text is taken for one.
fn is_code(text: &str) -> bool {
    let alphabet = text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    alphabet && text.contains('_') && !text.starts_with('_') && !text.ends_with('_')
}

/// The first code among the arguments of each call of `refusal` and `field_refusal`.
fn codes_in(source: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let arguments = code.split("refusal(").skip(1).map(|rest| rest.chars().take(200).collect::<String>());
    arguments
        .filter_map(|text| text.split('"').skip(1).step_by(2).find(|literal| is_code(literal)).map(str::to_owned))
        .collect()
}

fn codes_on(page: &str) -> BTreeSet<String> {
    page.split('`').skip(1).step_by(2).filter(|text| is_code(text)).map(str::to_owned).collect()
}

#[test]
fn every_refusal_has_its_cause_and_remedy() {
    let services = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let used: BTreeSet<String> =
        sources(&services).iter().flat_map(|path| codes_in(&fs::read_to_string(path).unwrap())).collect();
    assert!(used.len() > 30 && used.contains("RESOURCE_BUSY") && used.contains("APPROVER_IS_REQUESTER"), "{used:?}");
    let page = codes_on(PAGE);
    let missing: Vec<_> = used.difference(&page).collect();
    assert!(missing.is_empty(), "docs/refusals.md does not say what to do about {missing:?}");
}

#[test]
fn the_page_names_no_code_that_is_gone() {
    let services = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let all: String = sources(&services).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let gone: Vec<_> = codes_on(PAGE).into_iter().filter(|code| !all.contains(&format!("\"{code}\""))).collect();
    assert!(gone.is_empty(), "docs/refusals.md explains {gone:?}, and nothing says that any more");
}
