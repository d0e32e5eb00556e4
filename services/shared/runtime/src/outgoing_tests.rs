#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use super::*;

fn policy(allow: &[&str]) -> Policy {
    Policy::webhooks(&allow.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>()).unwrap()
}

#[test]
fn only_https_on_443_to_public_addresses() {
    let refused = [
        "http://example.com/",
        "ftp://example.com/",
        "https://example.com:8443/",
        "https://user:pw@example.com/",
        "https://user@example.com/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f.0.0.1/",
        "https://0/",
        "https://10.1.2.3/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/",
        "https://100.100.100.200/",
        "https://168.63.129.16/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://192.0.2.1/",
        "https://198.18.0.1/",
        "https://192.88.99.1/",
        "https://240.0.0.1/",
        "https://[::1]/",
        "https://[::]/",
        "https://[fe80::1]/",
        "https://[fc00::1]/",
        "https://[fd00:ec2::254]/",
        "https://[ff02::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[::ffff:8.8.8.8]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:a00:1::]/",
        "https://[2001::1]/",
        "https://[2001:db8::1]/",
        "not a url",
        "file:///etc/passwd",
        "https://localhost:1/",
    ];
    for url in refused {
        assert!(policy(&[]).check_url(url).is_err(), "{url}");
    }
    for url in
        ["https://example.com/hook?x=1", "https://8.8.8.8/", "https://[2606:4700::1111]/a", "https://example.com:443/"]
    {
        assert!(policy(&[]).check_url(url).is_ok(), "{url}");
    }
}

#[test]
fn the_operator_can_allow_networks_addresses_and_names() {
    let p = policy(&["10.1.0.0/16", "127.0.0.1", "hooks.internal."]);
    for url in
        ["https://10.1.2.3/", "https://10.1.2.3:8443/", "http://127.0.0.1:8080/a", "https://hooks.internal:9443/"]
    {
        assert!(p.check_url(url).is_ok(), "{url}");
    }
    for url in [
        "https://10.2.0.1/",
        "http://10.1.2.3/",
        "http://127.0.0.2/",
        "http://hooks.internal/",
        "https://other.internal:9443/",
        "http://localhost/",
    ] {
        assert!(p.check_url(url).is_err(), "{url}");
    }
    assert!(p.check_address("hooks.internal", "192.168.0.5".parse().unwrap()).is_ok());
    assert!(p.check_address("other.internal", "192.168.0.5".parse().unwrap()).is_err());
    // A mapped spelling of an allowed address is that address.
    assert!(p.check_url("https://[::ffff:10.1.2.3]/").is_ok());
}

#[test]
fn a_mistake_in_the_allow_list_is_told() {
    for entry in ["", "10.1.0.0/33", "a b", "http://x"] {
        assert!(Policy::webhooks(&[entry.to_owned()]).is_err(), "{entry}");
    }
}

#[test]
fn a_name_with_one_forbidden_address_is_refused_whole() {
    let p = policy(&[]);
    let public: SocketAddr = "8.8.8.8:0".parse().unwrap();
    let private: SocketAddr = "10.0.0.1:0".parse().unwrap();
    assert_eq!(checked(&p, "a.example", vec![public], false).unwrap(), vec![public]);
    assert!(matches!(checked(&p, "a.example", vec![public, private], false), Err(Refused::PrivateAddress { .. })));
    assert!(matches!(checked(&p, "a.example", vec![], false), Err(Refused::NoAddress { .. })));
}

/// A real look-up: the machine's own name for itself.
#[tokio::test]
async fn localhost_is_refused_when_it_is_resolved() {
    let outcome = Guarded::new(Arc::new(policy(&[]))).resolve("localhost".parse().unwrap()).await;
    let error = outcome.map(|_| ()).unwrap_err();
    assert!(error.downcast_ref::<Refused>().is_some(), "{error}");
    assert!(Guarded::new(Arc::new(policy(&["localhost"]))).resolve("localhost".parse().unwrap()).await.is_ok());
}

fn steps(allow: &[&str]) -> Policy {
    Policy::steps(&allow.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>()).unwrap()
}

#[test]
fn a_step_may_use_any_port_and_http_only_where_the_operator_allows_it() {
    let p = steps(&["10.1.0.0/16", "app.internal"]);
    for url in [
        "https://example.com:8443/",
        "http://10.1.2.3:8080/",
        "http://app.internal:8080/",
        "https://10.1.2.3/",
        "http://to-be-resolved.example/",
    ] {
        assert!(p.check_url(url).is_ok(), "{url}");
    }
    for url in ["http://8.8.8.8/", "http://10.2.0.1/", "https://10.2.0.1/", "http://127.0.0.1/", "ftp://10.1.2.3/"] {
        assert!(p.check_url(url).is_err(), "{url}");
    }
    let public: SocketAddr = "8.8.8.8:0".parse().unwrap();
    let listed: SocketAddr = "10.1.0.1:0".parse().unwrap();
    assert_eq!(checked(&p, "a.example", vec![public], true), Err(Refused::NotHttps));
    assert!(checked(&p, "a.example", vec![listed], true).is_ok());
}

#[test]
fn metadata_and_link_local_addresses_are_refused_whatever_is_allowed() {
    let p = steps(&["0.0.0.0/0", "::/0", "metadata.internal"]);
    for ip in ["169.254.169.254", "169.254.1.1", "100.100.100.200", "168.63.129.16", "fe80::1", "fd00:ec2::254"] {
        let ip: IpAddr = ip.parse().unwrap();
        assert!(matches!(p.check_address("metadata.internal", ip), Err(Refused::NeverUsed { .. })), "{ip}");
    }
    assert!(p.check_address("a", "::ffff:169.254.169.254".parse().unwrap()).is_err());
    assert!(p.check_url("http://169.254.169.254/latest").is_err());
    assert!(p.check_address("a", "10.0.0.1".parse().unwrap()).is_ok());
}

#[tokio::test]
async fn an_endpoint_is_resolved_and_checked() {
    let p = steps(&["127.0.0.0/8"]);
    assert_eq!(p.resolve("127.0.0.1:53").await.unwrap(), vec!["127.0.0.1:53".parse().unwrap()]);
    for bad in ["127.0.0.1", "127.0.0.1:0", "127.0.0.1:x", "169.254.169.254:80", "10.0.0.1:80", "[fe80::1]:80"] {
        assert!(p.resolve(bad).await.is_err(), "{bad}");
    }
}
