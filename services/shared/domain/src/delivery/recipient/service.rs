//! Recipients behind a service: a chat channel, a pager's key, a workflow's secret URL.

use crate::pb::inventory::v1::GdsNotificationChannel;

use super::{Recipient, SecretMark, sha256_hex, webhook};

/// Slack's ids have 9 to 11 characters today, and are said to grow.
const SLACK_ID: std::ops::RangeInclusive<usize> = 9..=32;
/// What the receiver keeps of a name.
const MAX_ALERT_NAME: usize = 200;

/// A channel of a Slack workspace, by its id. The token does not matter: two of them can post to the same channel.
///
/// Not a person: one person has an id ("U…") and a conversation with each app ("D…"), and nothing tells that both are
/// the same.
pub fn slack(channel: &str) -> Option<Recipient> {
    let id = slack_id(channel, &['C', 'G'])?;
    let name = format!("slack:{id}");
    Some(Recipient { address: id, shown: name.clone(), identity: name, mark: SecretMark::NotNeeded })
}

/// A person of a Slack workspace, for what is meant for that person alone. Routes do not name people.
pub fn slack_user(team: &str, user: &str) -> Option<Recipient> {
    let (team, user) = (slack_id(team, &['T', 'E'])?, slack_id(user, &['U', 'W'])?);
    let name = format!("slack:{team}/{user}");
    Some(Recipient { address: user, shown: name.clone(), identity: name, mark: SecretMark::NotNeeded })
}

fn slack_id(text: &str, begins_with: &[char]) -> Option<String> {
    let id = text.trim();
    let plain = id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    (SLACK_ID.contains(&id.len()) && plain && id.starts_with(begins_with)).then(|| id.to_owned())
}

/// A service of PagerDuty, by its integration key. `mark` is [`SecretMark::of_key`] of it.
pub fn pagerduty(routing_key_ref: &str, mark: SecretMark) -> Option<Recipient> {
    by_secret("pagerduty", routing_key_ref, mark)
}

/// A workflow of Microsoft Teams, by its URL. `mark` is [`SecretMark::of_url`] of it.
pub fn teams(url_ref: &str, mark: SecretMark) -> Option<Recipient> {
    by_secret("teams", url_ref, mark)
}

/// Known by a secret alone: the reference is all that is shown, and not all that counts.
fn by_secret(channel: &str, reference: &str, mark: SecretMark) -> Option<Recipient> {
    let reference = reference.trim();
    let plain = |b: u8| b.is_ascii_graphic() && b != b'?';
    if reference.is_empty() || !reference.bytes().all(plain) {
        return None;
    }
    let name = format!("{channel}:{reference}");
    // A mark that nobody set is one that nobody looked for.
    let mark = if mark == SecretMark::NotNeeded { SecretMark::Unknown } else { mark };
    Some(Recipient { address: reference.to_owned(), shown: name.clone(), identity: name, mark })
}

/// The alert's name chooses the people, on the receiver's side; its database does not tell upper case from lower.
pub fn gds_notification(channel: &GdsNotificationChannel) -> Option<Recipient> {
    let endpoint = webhook(&channel.url)?;
    let alert = channel.alert_name.trim();
    if alert.is_empty() || alert.chars().count() > MAX_ALERT_NAME || alert.chars().any(char::is_control) {
        return None;
    }
    let place = endpoint.identity.strip_prefix("web:").unwrap_or_default();
    Some(Recipient {
        address: endpoint.address,
        shown: format!("{} {alert}", endpoint.shown),
        identity: format!("gds:{place}:{}", alert.to_lowercase()),
        mark: SecretMark::NotNeeded,
    })
}

impl SecretMark {
    /// Of an integration key.
    pub fn of_key(key: &str) -> Self {
        Self::Digest(sha256_hex(&key.trim().to_ascii_lowercase()))
    }

    /// Of a secret URL: every spelling of one endpoint gives one mark, and it is also that of a webhook there.
    pub fn of_url(url: &str) -> Self {
        webhook(url).map_or(Self::Unknown, |endpoint| Self::Digest(sha256_hex(&endpoint.identity)))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn one_channel_of_slack_is_one_recipient_whatever_posts_there() {
        assert!(slack(" C0123ABCD ").unwrap().reaches(&slack("C0123ABCD").unwrap()));
        assert!(!slack("C0123ABCE").unwrap().reaches(&slack("C0123ABCD").unwrap()));
        for bad in ["", "general", "#general", "U0123ABCD", "W0123ABCD", "D0123ABCD", "C0123/ABCD", "c0123abcd", "C"] {
            assert_eq!(slack(bad), None, "{bad:?}");
        }
        assert!(slack_user("T0123ABCD", "U0123ABCD").is_some() && slack_user("T0123ABCD", "C0123ABCD").is_none());
    }

    #[test]
    fn one_key_behind_two_references_is_one_recipient() {
        let on_call = pagerduty("file:on-call", SecretMark::of_key("0123456789abcdef0123456789abcdef")).unwrap();
        let copy = pagerduty("file:copy", SecretMark::of_key(" 0123456789ABCDEF0123456789abcdef\n")).unwrap();
        let other = pagerduty("file:other", SecretMark::of_key("f123456789abcdef0123456789abcdef")).unwrap();
        assert!(copy.reaches(&on_call) && !other.reaches(&on_call));
        // The same reference is the same secret, readable or not.
        assert!(pagerduty("file:on-call", SecretMark::Unknown).unwrap().reaches(&on_call));
    }

    #[test]
    fn what_cannot_be_compared_counts_as_the_same() {
        let unread = pagerduty("file:on-call", SecretMark::Unknown).unwrap();
        let test = pagerduty("file:test", SecretMark::of_key("k")).unwrap();
        assert!(test.reaches(&unread), "the on-call's key cannot be read: any key may be it");
        assert!(!unread.reaches(&test), "nothing is sent without a key, and with one it is judged again");
        let chat = teams("file:test", SecretMark::of_url("https://a.example.com/x")).unwrap();
        assert!(!chat.reaches(&unread), "a workflow is no pager");
        assert_eq!(pagerduty("file:a", SecretMark::NotNeeded).unwrap().mark, SecretMark::Unknown);
    }

    #[test]
    fn a_workflow_is_one_recipient_in_every_spelling_and_as_a_webhook() {
        let url = "https://abc.environment.api.powerplatform.com:443/powerautomate/workflows/1/invoke?sig=s3cret";
        let on_call = teams("file:on-call", SecretMark::of_url(url)).unwrap();
        let other = "HTTPS://ABC.environment.api.powerplatform.com/powerautomate//workflows/%31/invoke?a=b&sig=s3cret";
        assert!(teams("file:b", SecretMark::of_url(other)).unwrap().reaches(&on_call));
        assert!(webhook(other).unwrap().reaches(&on_call));
        assert!(!webhook("https://abc.environment.api.powerplatform.com/powerautomate/2").unwrap().reaches(&on_call));
        assert!(!format!("{on_call:?}").contains("s3cret"), "neither the URL nor a part of it is kept");
        assert_eq!(SecretMark::of_url("no url"), SecretMark::Unknown);
    }

    #[test]
    fn the_alert_name_chooses_the_people() {
        let channel = |url: &str, alert: &str| GdsNotificationChannel {
            url: url.into(),
            alert_name: alert.into(),
            ..GdsNotificationChannel::default()
        };
        let on_call = gds_notification(&channel("https://gds.example.com", "RPO breach")).unwrap();
        assert!(gds_notification(&channel("https://GDS.example.com:443/", " rpo BREACH ")).unwrap().reaches(&on_call));
        assert!(!gds_notification(&channel("https://gds.example.com", "tests")).unwrap().reaches(&on_call));
        let with_query = gds_notification(&channel("https://gds.example.com/?key=s3cret", "a")).unwrap();
        assert!(!with_query.shown.contains("s3cret"));
        for bad in
            [channel("", "a"), channel("https://x@gds.example.com", "a"), channel("https://gds.example.com", " ")]
        {
            assert_eq!(gds_notification(&bad), None, "{bad:?}");
        }
    }
}
