//! Patroni's REST API and the database behind it: "a" with TLS on both, "b" without.

use std::{fs, os::unix::fs::MetadataExt, path::Path, time::Duration};

use muster_domain::pb::{
    inventory::v1::{PatroniTarget, TlsMode, resource_spec::Platform as PlatformSpec},
    observation::v1::{NodeObservation, PatroniFacts, node_observation::Result as NodeResult},
};
use muster_local::patroni::PatroniMember;
use muster_platform::ObserveTarget;

use crate::{
    REFUSED,
    authority::given,
    cluster::{Cluster, monitor, observer},
    drive::eventually,
    is_refused,
};

/// The cluster, with TLS at the API and this mode of it at the database.
pub(crate) fn secured(cluster: &Cluster, database: TlsMode) -> PlatformSpec {
    let mut target = cluster.target();
    for node in &mut target.nodes {
        node.api_url = node.api_url.replace("http://", "https://");
    }
    PlatformSpec::Patroni(PatroniTarget { tls: database.into(), ..target })
}

/// Both are told in one look: the database's mode is `tls`, the API's is in its URL.
async fn look(cluster: &Cluster, database: TlsMode) -> Vec<NodeObservation> {
    let spec = secured(cluster, database);
    let target = ObserveTarget { tenant: "acme".into(), resource: "ledger".into(), spec, monitor: monitor() };
    observer().observe(&target).await
}

fn facts(seen: &NodeObservation) -> &PatroniFacts {
    match seen.result.as_ref().unwrap() {
        NodeResult::Patroni(facts) => facts,
        other => panic!("{}: {other:?}", seen.node),
    }
}

/// The server's own copy: PostgreSQL takes a key from its owner alone.
fn copied(directory: &Path, name: &str) {
    let owner = fs::metadata(directory).unwrap();
    for kind in ["pem", "key"] {
        let path = directory.join(format!("{name}.{kind}"));
        fs::copy(given(&format!("{name}.{kind}")), &path).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
}

/// Shows the certificate at the API and at the database, from its next connection on.
pub(crate) async fn show(member: &PatroniMember, plain: &str, name: &str) {
    let directory = member.config_file().parent().unwrap().to_owned();
    copied(&directory, name);
    let (certificate, key) = (directory.join(format!("{name}.pem")), directory.join(format!("{name}.key")));
    let (certificate, key) = (certificate.display(), key.display());
    let (api, database) = ("  authentication: {username: rest", "parameters: {unix_socket_directories: ''}");
    assert!(plain.contains(api) && plain.contains(database), "{plain}");
    let settings = plain.replace(api, &format!("  certfile: {certificate}\n  keyfile: {key}\n{api}")).replace(
        database,
        &format!(
            "parameters: {{unix_socket_directories: '', ssl: 'on', ssl_cert_file: '{certificate}', \
                 ssl_key_file: '{key}'}}"
        ),
    );
    fs::write(member.config_file(), settings).unwrap();
    let pid = nix::unistd::Pid::from_raw(member.pid().unwrap().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGHUP).unwrap();
    let shown = format!("SELECT current_setting('ssl_cert_file') LIKE '%/{name}.pem'");
    eventually("the database reads its certificate", async || {
        member.sql(&shown).await.unwrap_or_default().trim() == "t"
    })
    .await;
    // Connections that are under way are not asked again.
    tokio::time::timeout(Duration::from_secs(5), member.sql("SELECT pg_reload_conf()")).await.unwrap().unwrap();
}

#[tokio::test]
#[ignore = "run by another test, in a process that trusts the test's authority"]
async fn over_tls() {
    let Some(cluster) = Cluster::start().await else { return };
    let member = cluster.0.member("a");
    let plain = fs::read_to_string(member.config_file()).unwrap();

    show(member, &plain, "good").await;
    eventually("the API answers with its certificate", async || {
        let seen = look(&cluster, TlsMode::VerifyFull).await;
        matches!(&seen[0].result, Some(NodeResult::Patroni(facts)) if facts.api_error.is_empty())
    })
    .await;
    let seen = look(&cluster, TlsMode::VerifyFull).await;
    let a = facts(&seen[0]);
    assert!(a.role == "primary" && a.database.is_some() && a.database_error.is_empty(), "{a:?}");
    is_refused(&seen[1], "switch TLS on at the server");
    // The API alone: its field is another one.
    let seen = look(&cluster, TlsMode::Disable).await;
    let said = &facts(&seen[1]).api_error;
    assert!(said.contains("`apiUrl`") && said.contains("does not speak TLS"), "{said}");

    for (name, words) in REFUSED {
        show(member, &plain, name).await;
        eventually("the API shows the other certificate", async || {
            let seen = look(&cluster, TlsMode::Disable).await;
            let said = &facts(&seen[0]).api_error;
            said.contains("`apiUrl`") && said.contains(words)
        })
        .await;
        eventually("and so does the database", async || {
            let seen = look(&cluster, TlsMode::VerifyFull).await;
            matches!(&seen[0].result, Some(NodeResult::Error(error)) if error.message.contains(words))
        })
        .await;
        is_refused(&look(&cluster, TlsMode::VerifyFull).await[0], words);
    }
}
