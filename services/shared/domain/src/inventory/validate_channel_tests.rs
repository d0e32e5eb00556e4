use super::*;

fn faults(of: Channel) -> Vec<String> {
    let mut found = Finding::default();
    channel(&mut found, &NotificationRouteSpec { channel: Some(of), ..NotificationRouteSpec::default() });
    found.faults.into_iter().map(|fault| fault.field).collect()
}

fn pager() -> PagerdutyChannel {
    PagerdutyChannel { routing_key_ref: "file:pager".into(), ..PagerdutyChannel::default() }
}

fn gds() -> GdsNotificationChannel {
    GdsNotificationChannel {
        url: "https://gds.example".into(),
        secret_ref: "file:gds".into(),
        alert_name: "muster".into(),
        ..GdsNotificationChannel::default()
    }
}

fn chat() -> SlackChannel {
    SlackChannel { channel: "C0123ABCD".into(), token_ref: "env:SLACK".into(), ..SlackChannel::default() }
}

#[test]
fn what_can_arrive_is_taken() {
    assert_eq!(faults(Channel::Slack(chat())), Vec::<String>::new());
    assert_eq!(faults(Channel::Teams(TeamsChannel { url_ref: "file:teams".into() })), Vec::<String>::new());
    assert_eq!(faults(Channel::Pagerduty(PagerdutyChannel { region: "eu".into(), ..pager() })), Vec::<String>::new());
    let signed = GdsNotificationChannel { signature_header: "X-Sign".into(), ..gds() };
    assert_eq!(faults(Channel::GdsNotification(signed)), Vec::<String>::new());
}

#[test]
fn what_could_never_arrive_is_named_by_its_field() {
    let named = SlackChannel { channel: "#alerts".into(), token_ref: "xoxb-1-secret".into(), ..chat() };
    assert_eq!(faults(Channel::Slack(named)), ["spec.slack.channel", "spec.slack.tokenRef"]);
    let elsewhere = SlackChannel { api_url: "http://slack.example/api".into(), ..chat() };
    assert_eq!(faults(Channel::Slack(elsewhere)), ["spec.slack.apiUrl"]);
    let url = TeamsChannel { url_ref: "https://prod-1.logic.example/?sig=secret".into() };
    assert_eq!(faults(Channel::Teams(url)), ["spec.teams.urlRef"]);
    assert_eq!(
        faults(Channel::Pagerduty(PagerdutyChannel { region: "mars".into(), ..pager() })),
        ["spec.pagerduty.region"]
    );
    let header = GdsNotificationChannel { signature_header: "Host".into(), alert_name: String::new(), ..gds() };
    assert_eq!(
        faults(Channel::GdsNotification(header)),
        ["spec.gdsNotification.alertName", "spec.gdsNotification.signatureHeader"]
    );
}

#[test]
fn a_name_that_only_begins_like_this_machine_is_another_one() {
    let hook = |url: &str| Channel::Webhook(WebhookChannel { url: url.into(), secret_ref: "file:hook".into() });
    assert_eq!(faults(hook("http://127.0.0.1:8080/hook")), Vec::<String>::new());
    for url in
        ["http://127.0.0.1.example/hook", "http://localhost.example/hook", "ftp://a.example", "https://a@b.example"]
    {
        assert_eq!(faults(hook(url)), ["spec.webhook.url"], "{url}");
    }
}
