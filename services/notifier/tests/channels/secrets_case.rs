//! The case of its own: whatever happens, no part of a secret is said.

use muster_domain::delivery::recipient::SecretMark;

use crate::fixture::{Fixture, Trouble};
use crate::logs::Logs;
use crate::support::message;

pub(crate) async fn secrets_stay_secret<F: Fixture>(far: &mut F) {
    let logs = Logs::default();
    let guard = logs.capture();
    let mut said = Vec::new();
    let mut secrets = vec![far.stored_secret()];
    for (delivery, trouble) in
        [(1, Trouble::Nothing), (2, Trouble::Throttled), (3, Trouble::SilentAfterEffect), (4, Trouble::Redirected)]
    {
        let attempt = far.attempt(message(), delivery, trouble);
        said.push(format!("{:?}", far.channel().deliver(&attempt).await));
        said.push(format!("{attempt:?}"));
    }
    far.store_wrong_secret();
    secrets.push(far.stored_secret());
    let attempt = far.attempt(message(), 5, Trouble::Nothing);
    said.push(format!("{:?}", far.channel().deliver(&attempt).await));
    said.push(format!("{:?}", far.strict_channel().deliver(&attempt).await));
    // A secret that nobody can use, and one that is not there.
    let mut missing = far.attempt(message(), 6, Trouble::Nothing);
    missing.secret_ref = "file:nowhere".into();
    missing.recipient.mark = SecretMark::Unknown;
    said.push(format!("{:?}", far.channel().deliver(&missing).await));
    drop(guard);

    said.push(logs.text());
    for secret in &secrets {
        // Also its tell-tale part: the signature in a URL, the middle of a key.
        let part = secret.rsplit("sig=").next().unwrap();
        let middle = &part[part.len() / 4..part.len() * 3 / 4];
        assert!(middle.len() >= 8, "too short to look for: {middle}");
        for text in &said {
            assert!(!text.contains(middle), "it holds {middle}: {}", near(text, middle));
        }
    }
    assert!(logs.text().len() > 200 || !F::HTTP, "nothing was captured");
}

fn near<'a>(text: &'a str, part: &str) -> &'a str {
    let at = text.find(part).unwrap();
    let (from, to) = (text.floor_char_boundary(at.saturating_sub(200)), text.floor_char_boundary(at + 200));
    &text[from..to.min(text.len())]
}
