//! The cases. Each is the same for all channels.

use jiff::SignedDuration;
use muster_domain::delivery::{FailureCode, Severity};

use crate::fixture::{Fixture, RETRY_AFTER_S, Repeat, Trouble};
use crate::support::{hostile, message, oversized};

pub(crate) async fn accepted_is_not_delivered<F: Fixture>(far: &mut F) {
    let attempt = far.attempt(message(), 1, Trouble::Nothing);
    let receipt = far.channel().deliver(&attempt).await.unwrap();
    assert!(receipt.0.starts_with("accepted by "), "{}", receipt.0);
    assert!(!receipt.0.to_lowercase().contains("delivered"), "{}", receipt.0);
    assert_eq!(far.arrived(), 1);
    assert!(far.texts().contains("orders-db"), "{}", far.texts());
}

pub(crate) async fn throttling_is_honoured<F: Fixture>(far: &mut F) {
    let attempt = far.attempt(message(), 1, Trouble::Throttled);
    let failure = far.channel().deliver(&attempt).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::Deferred, "{failure}");
    assert_eq!(far.arrived(), 0);
    if F::SAYS_RETRY_AFTER {
        let asked = SignedDuration::from_secs(RETRY_AFTER_S);
        assert_eq!(failure.retry_after, Some(asked), "{failure}");
        if F::TURNS.is_some() {
            let wait = far.channel().turn(&attempt.tenant, &attempt.recipient).unwrap_err();
            assert!(wait > asked - SignedDuration::from_secs(2) && wait <= asked, "{wait:?}");
        }
    }
    far.channel().deliver(&attempt).await.unwrap();
    assert_eq!(far.arrived(), 1);
}

pub(crate) async fn a_timeout_after_the_effect_makes_no_second_message<F: Fixture>(far: &mut F) {
    let mut attempt = far.attempt(message(), 1, Trouble::SilentAfterEffect);
    let failure = far.channel().deliver(&attempt).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::OutcomeUnknown, "{failure}");
    assert_eq!(far.arrived(), 1, "the trouble was made before the effect");
    attempt.number = 2;
    attempt.possibly_duplicate = true;
    let receipt = far.channel().deliver(&attempt).await.unwrap();
    assert!(receipt.0.starts_with("accepted by "), "{}", receipt.0);
    match F::REPEAT {
        Repeat::Recognised => assert_eq!(far.arrived(), 1, "people have it twice"),
        Repeat::PagesOnly => {
            assert_eq!(far.arrived(), 2);
            assert!(far.texts().contains("repeat"), "{}", far.texts());
            let mut news = message();
            news.severity = Severity::Info;
            let mut attempt = far.attempt(news, 2, Trouble::Nothing);
            attempt.possibly_duplicate = true;
            let failure = far.channel().deliver(&attempt).await.unwrap_err();
            assert_eq!(failure.code, FailureCode::NotRepeated, "{failure}");
            assert_eq!(far.arrived(), 2);
        }
    }
}

pub(crate) async fn a_refused_secret_is_read_again_once<F: Fixture>(far: &mut F) {
    if !F::SEES_REFUSED_SECRET {
        return;
    }
    let right = far.stored_secret();
    far.store_wrong_secret();
    let wrong = far.stored_secret();
    let attempt = far.attempt(message(), 1, Trouble::Nothing);
    let failure = far.channel().deliver(&attempt).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::Misconfigured, "{failure}");
    assert!(failure.text.contains("the same when read again"), "{failure}");
    assert!(!failure.text.contains(&wrong) && !failure.text.contains(&right), "{failure}");
    assert_eq!((far.arrived(), far.calls()), (0, 1), "asked again with what was just refused");

    // Somebody stores the right one while the wrong one is under way.
    far.store_right_secret_meanwhile();
    let attempt = far.attempt(message(), 2, Trouble::Nothing);
    if let Err(failure) = far.channel().deliver(&attempt).await {
        // Where the secret tells who is reached, that is judged before it is used.
        assert_eq!(failure.code, FailureCode::Misconfigured, "{failure}");
        assert!(failure.text.contains("from the next attempt on"), "{failure}");
        assert_eq!((far.arrived(), far.calls()), (0, 2));
        let attempt = far.attempt(message(), 2, Trouble::Nothing);
        far.channel().deliver(&attempt).await.unwrap();
    }
    assert_eq!(far.stored_secret(), right);
    assert_eq!((far.arrived(), far.calls()), (1, 3), "the newer one was not used");
}

pub(crate) async fn too_much_is_cut_and_arrives<F: Fixture>(far: &mut F) {
    let attempt = far.attempt(oversized(), 1, Trouble::Nothing);
    far.channel().deliver(&attempt).await.unwrap();
    assert_eq!(far.arrived(), 1);
    let texts = far.texts();
    assert!(texts.contains("SUBJECT-BEGINS"), "its beginning is lost");
    assert!(texts.contains('…') || texts.to_lowercase().contains("shortened"), "nothing says that it was cut");
}

pub(crate) async fn what_people_typed_is_text<F: Fixture>(far: &mut F) {
    let attempt = far.attempt(hostile(), 1, Trouble::Nothing);
    far.channel().deliver(&attempt).await.unwrap();
    assert_eq!(far.arrived(), 1);
    let escaped = far.escaped_from_its_place();
    assert!(escaped.is_empty(), "{escaped:#?}");
}

pub(crate) async fn redirects_are_not_followed<F: Fixture>(far: &mut F) {
    if !F::HTTP {
        return;
    }
    let attempt = far.attempt(message(), 1, Trouble::Redirected);
    let failure = far.channel().deliver(&attempt).await.unwrap_err();
    assert!(failure.text.contains("redirects are never followed"), "{failure}");
    assert_eq!((far.arrived(), far.calls()), (0, 1));
}

pub(crate) async fn private_addresses_are_refused<F: Fixture>(far: &mut F) {
    if !F::HTTP {
        return;
    }
    let attempt = far.attempt(message(), 1, Trouble::Nothing);
    let failure = far.strict_channel().deliver(&attempt).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::Forbidden, "{failure}");
    assert_eq!(far.calls(), 0, "it was connected to");
}

pub(crate) async fn our_own_limit_holds_for_each_key<F: Fixture>(far: &mut F) {
    let attempt = far.attempt(message(), 1, Trouble::Nothing);
    let Some(turns) = F::TURNS else {
        assert!((0..1_000).all(|_| far.channel().turn(&attempt.tenant, &attempt.recipient).is_ok()));
        return;
    };
    let channel = far.channel();
    let given = (0..1_000).take_while(|_| channel.turn(&attempt.tenant, &attempt.recipient).is_ok()).count();
    assert_eq!(given, turns);
    let other: muster_domain::TenantId = "globex".parse().unwrap();
    let mut elsewhere = attempt.recipient.clone();
    elsewhere.address.push('2');
    elsewhere.identity.push('2');
    elsewhere.mark = muster_domain::delivery::recipient::SecretMark::Unknown;
    assert!(channel.turn(&other, &elsewhere).is_ok(), "another recipient waits for this one");
}
