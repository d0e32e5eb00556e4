#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

use std::process::Command;

use jiff::Timestamp;
use muster_domain::{
    TenantId,
    inventory::TenantInventory,
    pb::inventory::v1::{Document, Kind},
    pb::plan::v1::{PlanState, PlanView, ProofState, RenderFormat},
    plan,
    readiness::Readiness,
};
use muster_runtime::{Config, SecretResolver};

use super::{Book, SigningKey, new_signing_key, render};
use crate::manifest;

const EVERYTHING: &str = include_str!("../manifest/testdata/everything.yaml");

fn book(text: &str) -> Book {
    let tenant: TenantId = "acme".parse().unwrap();
    let declarations = manifest::parse(text, &tenant).unwrap_or_else(|faults| panic!("{faults:?}"));
    let mut inventory = TenantInventory::default();
    for declaration in declarations {
        inventory.insert(Document { version: 3, ..declaration.document });
    }
    let document = inventory.get(Kind::Plan, "shop-to-ams").unwrap();
    let spec = plan::spec_of(document).unwrap();
    let scope = plan::scope(&inventory, "shop", "").unwrap();
    let view = PlanView {
        tenant: "acme".into(),
        name: "shop-to-ams".into(),
        state: PlanState::Published.into(),
        proof: ProofState::Untested.into(),
        newest: Some(plan::hash(Some(document), &scope)),
        spec: Some(spec.clone()),
        proof_text: "Never tested.".into(),
        ..PlanView::default()
    };
    let readiness = vec![Readiness::default(); scope.members.len()];
    let path = plan::critical_path(spec, &inventory).map(|path| path.text()).unwrap_or_default();
    let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    Book::new(&view, Some(&scope), &readiness, path, now)
}

/// A key of `openssl`'s own making, in the secrets of the installation.
fn key(directory: &std::path::Path) -> SigningKey {
    let system = directory.join("_system");
    std::fs::create_dir_all(&system).unwrap();
    let made = Command::new("openssl")
        .args(["genpkey", "-algorithm", "ed25519", "-out"])
        .arg(system.join("card"))
        .status()
        .unwrap();
    assert!(made.success());
    load(directory, "file:card")
}

fn load(directory: &std::path::Path, reference: &str) -> SigningKey {
    let mut config = Config::default();
    config.secrets.directory = Some(directory.to_owned());
    config.planner.signing_key_ref = Some(reference.to_owned());
    SigningKey::load(&config, &SecretResolver::new(&config.secrets)).unwrap()
}

#[test]
fn the_markdown_says_everything_of_the_plan() {
    insta::assert_snapshot!(render(&book(EVERYTHING), RenderFormat::Markdown, None).unwrap().content);
}

#[test]
fn the_run_card_says_what_to_do_without_a_network() {
    let directory = tempfile::tempdir().unwrap();
    let card = render(&book(EVERYTHING), RenderFormat::RunCard, Some(&key(directory.path()))).unwrap();
    let (page, _) = card.content.split_once(super::NOTE_BEGINS).unwrap();
    insta::assert_snapshot!(page);
}

#[test]
fn pages_are_whole_and_ask_for_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let key = key(directory.path());
    for format in [RenderFormat::Html, RenderFormat::RunCard] {
        let page = render(&book(EVERYTHING), format, Some(&key)).unwrap().content;
        assert!(page.starts_with("<!doctype html>") && page.contains("</html>"), "{}", &page[..200]);
        assert!(page.contains("@media print"));
        for outside in ["<script", "<img", "<link", " src=", "url(", "@import", "href="] {
            let found = page.replace("url(#tip)", "");
            assert!(!found.contains(outside), "{outside} in {format:?}");
        }
    }
}

/// What is declared is text, whatever it looks like.
#[test]
fn nothing_that_was_declared_becomes_markup_or_another_command() {
    let evil = "<script>alert(1)</script><!-- muster signed note";
    let text = EVERYTHING
        .replace("displayName: Shop to Amsterdam", &format!("displayName: \"{evil} | x | `y` [z](http://a)\""))
        .replace("title: Close the doors", &format!("title: '{evil}'"))
        .replace("id: drain-queues\n", &format!("id: drain-queues\n          owner: '{evil}'\n"))
        .replace("arguments: [stop, shop]", "arguments: [\"$(reboot)\", \"a'b\", \"x; reboot\"]")
        .replace("'{\"on\": true}'", "\"'; reboot; '\"");
    let book = book(&text);
    let directory = tempfile::tempdir().unwrap();
    let key = key(directory.path());
    for format in [RenderFormat::Markdown, RenderFormat::Html, RenderFormat::RunCard] {
        let page = render(&book, format, Some(&key)).unwrap().content;
        assert!(!page.contains("<script") && !page.contains("<!-- muster signed note\" "), "{format:?}");
        assert_eq!(page.matches("<!-- muster signed note").count(), usize::from(format == RenderFormat::RunCard));
    }
    let markdown = render(&book, RenderFormat::Markdown, None).unwrap().content;
    assert!(markdown.contains("\\| x \\| \\`y\\` \\[z\\](http://a)"), "{}", &markdown[..300]);
    assert!(markdown.contains("        workers '$(reboot)' 'a'\\''b' 'x; reboot'"));
    assert!(markdown.contains("--data ''\\''; reboot; '\\'''"));
}

/// With the commands of docs/run-card.md, as they stand there.
#[test]
fn openssl_alone_verifies_a_run_card() {
    let page = include_str!("../../../../docs/run-card.md");
    let script = page.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let key = key(directory.path());
    let card = render(&book(EVERYTHING), RenderFormat::RunCard, Some(&key)).unwrap();
    assert!(card.content.contains(&card.signature) && card.signature.contains("\n\n— "));
    let verify = |content: &str, pem: &str| {
        std::fs::write(directory.path().join("card.html"), content).unwrap();
        std::fs::write(directory.path().join("key.pem"), pem).unwrap();
        let ran = Command::new("sh").args(["-e", "-c", script]).current_dir(directory.path()).output().unwrap();
        (ran.status.success(), String::from_utf8_lossy(&ran.stdout).into_owned())
    };
    let (good, said) = verify(&card.content, &key.public_pem());
    assert!(good && said.contains("Signature Verified Successfully"), "{said}");

    let changed = card.content.replacen("Promote users-b", "Promote users-x", 1).replacen("fra", "fro", 1);
    assert!(!verify(&changed, &key.public_pem()).0, "a changed page");
    let (note, rest) = (card.signature.as_str(), card.signature.replacen("version 3", "version 4", 1));
    assert!(!verify(&card.content.replace(note, &rest), &key.public_pem()).0, "a changed note");
    std::fs::write(directory.path().join("_system/other"), new_signing_key().unwrap()).unwrap();
    let other = load(directory.path(), "file:other");
    assert!(!verify(&card.content, &other.public_pem()).0, "another key");
    // Ours is like one of openssl's own making.
    let own = render(&book(EVERYTHING), RenderFormat::RunCard, Some(&other)).unwrap();
    assert!(verify(&own.content, &other.public_pem()).0);
}
