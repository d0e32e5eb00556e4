#![expect(
    clippy::unwrap_used,
    clippy::result_large_err,
    reason = "a test panics to fail; figment's jail has a large error"
)]

use std::path::Path;

use figment::Jail;

use super::*;

/// Loads `muster.toml` in a directory and an environment of its own.
fn load(toml: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let mut outcome = None;
    Jail::expect_with(|jail| {
        jail.create_file("muster.toml", toml)?;
        for (name, value) in variables {
            jail.set_env(name, value);
        }
        outcome = Some(Config::load(Some(Path::new("muster.toml")), Profile::Production));
        Ok(())
    });
    outcome.unwrap()
}

fn only_error(outcome: Result<Config, ConfigErrors>) -> ConfigError {
    let errors = outcome.unwrap_err().0;
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].clone()
}

#[test]
fn layers_win_in_order() {
    let config = load(
        "[nats]\nurl = 'nats://file:4222'\nreplicas = 3\n[observe]\ninterval = '5s'\n",
        &[("MUSTER_NATS__URL", "nats://environment:4222")],
    )
    .unwrap();
    assert_eq!(config.nats.url, "nats://environment:4222");
    assert_eq!(config.nats.replicas, 3);
    assert_eq!(config.observe.interval, HumanDuration::seconds(5));
    assert_eq!(config.observe.batch_size, 500);
}

#[test]
fn lists_of_tables_are_read_from_file_and_environment() {
    let from_file = load(
        "[[auth.issuers]]\nissuer = 'https://idp.example/'\naudience = 'api'\n[[auth.issuers.mappings]]\ngroup = 'g'\ntenant = 'acme'\nrole = 'approver-it'\n",
        &[],
    )
    .unwrap();
    assert_eq!(from_file.auth.issuers[0].mappings[0].role, RoleName::ApproverIt);
    let from_environment =
        load("", &[("MUSTER_AUTH__ISSUERS", r#"[{issuer="https://idp.example/", audience="api"}]"#)]).unwrap();
    assert_eq!(from_environment.auth.issuers[0].audience, "api");
    assert_eq!(from_environment.auth.issuers[0].groups_claim, "groups");
}

#[test]
fn an_unknown_key_of_the_file_is_refused_with_its_place() {
    let error = only_error(load("[nats]\nulr = 'nats://x:1'\n", &[]));
    assert_eq!(error.key, "nats.ulr");
    assert!(error.source.contains("muster.toml"), "{error}");
    assert!(error.allowed.contains("password_ref"), "{error}");
}

#[test]
fn an_unknown_variable_is_refused_by_its_name() {
    let error = only_error(load("", &[("MUSTER_NATS__ULR", "x")]));
    assert_eq!(error.key, "nats.ulr");
    assert!(error.source.contains("MUSTER_NATS__ULR"), "{error}");
}

#[test]
fn other_variables_of_the_same_prefix_are_left_alone() {
    let others =
        [("MUSTER_SERVICE_HOST", "10.0.0.1"), ("MUSTER_NATS_SERVER", "/bin/x"), ("MUSTER_SECRET_A__B_DB", "s")];
    assert!(load("", &others).is_ok());
}

#[test]
fn a_wrong_value_names_what_is_allowed() {
    let error = only_error(load("[telemetry]\nlog_format = 'xml'\n", &[]));
    assert_eq!(error.key, "telemetry.log_format");
    assert!(error.value.contains("xml") && error.allowed.contains("json"), "{error}");
    let error = only_error(load("[observe]\ninterval = 'often'\n", &[]));
    assert_eq!(error.key, "observe.interval");
    assert!(error.allowed.contains("2s"), "{error}");
}

#[test]
fn a_password_in_a_url_is_refused_and_not_shown() {
    let error = only_error(load("[postgres]\nurl = 'postgres://u:geheim@h/d'\n", &[]));
    assert_eq!(error.key, "postgres.url");
    assert!(!error.to_string().contains("geheim"), "{error}");
}

#[test]
fn local_mode_needs_a_loopback_address() {
    let error = only_error(load("[local]\nenabled = true\n[server]\nlisten = '0.0.0.0:7400'\n", &[]));
    assert_eq!(error.key, "local.enabled");
}

#[test]
fn an_issuer_must_be_https_or_loopback() {
    let issuer = |url: &str| load(&format!("[[auth.issuers]]\nissuer = '{url}'\naudience = 'api'\n"), &[]);
    assert!(issuer("https://idp.example/tenant/").is_ok());
    assert!(issuer("http://127.0.0.1:9/x").is_ok());
    for url in [
        "http://idp.example",
        "http://localhost.example",
        "idp.example",
        "https://idp.example/?a=b",
        "http://127.0.0.1.example/",
    ] {
        assert_eq!(only_error(issuer(url)).key, "auth.issuers.0.issuer", "{url}");
    }
}

#[test]
fn a_console_token_can_never_be_the_api_audience() {
    let error =
        only_error(load("[[auth.issuers]]\nissuer = 'https://idp.example'\naudience = 'x'\nclient_id = 'x'\n", &[]));
    assert_eq!(error.key, "auth.issuers.0.audience");
}

#[test]
fn the_local_profile_is_valid_and_follows_its_url() {
    let mut config = Config::local();
    config.validate().unwrap();
    config.server.public_url = "http://127.0.0.1:9999".to_owned();
    config.use_local_issuer();
    assert_eq!(config.auth.issuers.len(), 1);
    assert_eq!(config.auth.issuers[0].issuer, "http://127.0.0.1:9999/local-issuer");
}

#[test]
fn an_agent_of_a_service_names_the_file_that_fences_it() {
    let agent = |more: &str| {
        let common = "tenant = 'acme'\ndata_directory = '/srv/a'\nbin_directory = '/usr/bin'\n";
        load(&format!("[executor.agents.a]\n{common}{more}"), &[])
    };
    let config = agent("kind = 'redis'\nconfig_file = '/etc/redis/redis.conf'\n").unwrap();
    assert_eq!(config.executor.agents["a"].kind, AgentKind::Redis);
    assert_eq!(agent("kind = 'local'\n").unwrap().executor.agents["a"].kind, AgentKind::Postgresql);
    assert_eq!(agent("").unwrap().executor.agents["a"].kind, AgentKind::Postgresql);
    for (more, key) in [
        ("kind = 'mariadb'\n", "config_file"),
        ("kind = 'redis'\nconfig_file = 'redis.conf'\n", "config_file"),
        ("config_file = '/etc/postgresql.conf'\n", "config_file"),
        ("kind = 'redis'\nconfig_file = '/etc/redis.conf'\nfence_file = '/etc/redis.conf'\n", "fence_file"),
    ] {
        let error = only_error(agent(more)).to_string();
        assert!(error.contains(&format!("executor.agents.a.{key}")), "{more}: {error}");
    }
}

#[test]
fn what_plans_may_run_and_reach_is_named_exactly() {
    let command = |more: &str| load(&format!("[executor.commands.drain]\ntenant = 'acme'\n{more}"), &[]);
    let good = "program = '/usr/local/bin/drain'\narguments = ['--pool']\nenvironment = ['LANG']\ntimeout = '2m'\n";
    assert_eq!(command(good).unwrap().executor.commands["drain"].arguments, ["--pool"]);
    for (more, key) in [
        ("program = 'drain'\n", "program"),
        ("program = '/usr/bin/drain'\ntimeout = '0s'\n", "timeout"),
        ("program = '/usr/bin/drain'\nenvironment = ['MUSTER_SECRET_ACME_X']\n", "environment"),
    ] {
        assert_eq!(only_error(command(more)).key, format!("executor.commands.drain.{key}"), "{more}");
    }
    let wrong = load("[executor]\nhttp_allow = ['10.1.0.0/33']\n", &[]);
    assert_eq!(only_error(wrong).key, "executor.http_allow");
}

#[test]
fn drills_have_a_place_of_their_own_and_backups_are_named() {
    let agent = |more: &str| {
        let common = "tenant = 'acme'\ndata_directory = '/srv/pg/a'\nbin_directory = '/usr/bin'\n";
        load(&format!("[executor.agents.a]\n{common}{more}"), &[])
    };
    let backup = "[executor.agents.a.backups.orders]\n";
    let good = format!("drill_directory = '/srv/drills'\n{backup}program = '/usr/bin/pgbackrest'\nstanza = 'orders'\n");
    assert_eq!(agent(&good).unwrap().executor.agents["a"].backups["orders"].stanza, "orders");
    let long = format!("drill_directory = '/{}'\n", "x".repeat(40));
    let (restic, relative) =
        ("tool = 'restic'\nprogram = '/usr/bin/restic'\n", "program = 'pgbackrest'\nstanza = 'a'\n");
    for (more, key) in [
        ("drill_directory = '/srv/pg/a/drills'\n".to_owned(), "drill_directory"),
        ("drill_directory = '/srv/pg'\n".to_owned(), "drill_directory"),
        ("drill_directory = 'drills'\n".to_owned(), "drill_directory"),
        (long, "drill_directory"),
        (format!("{backup}{restic}"), "backups.orders.repository"),
        (format!("{backup}{relative}"), "backups.orders.program"),
    ] {
        let error = only_error(agent(&more));
        assert_eq!(error.key, format!("executor.agents.a.{key}"), "{more}");
    }
}

/// `muster up` has a store of its own: a file on top of it names only what comes beside that.
#[test]
fn who_adds_settings_reads_them_without_the_check_of_the_whole() {
    Jail::expect_with(|jail| {
        let anchor = "[[audit.anchors]]\nname = 'worm'\nkind = 'store'\nlocation = '/srv/worm'\n";
        jail.create_file("anchors.toml", anchor)?;
        let file = Some(Path::new("anchors.toml"));
        assert_eq!(only_error(Config::load(file, Profile::Local)).key, "audit.store");
        let config = Config::read(file, Profile::Local).unwrap();
        assert_eq!(config.audit.anchors.len(), 1);
        Ok(())
    });
}
