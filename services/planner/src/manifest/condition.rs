//! What must hold before, after or while a plan runs: exactly one key, `http`, `tcp`, `dns`, `resource` or `sql`.

use muster_domain::pb::plan::v1::{
    Condition, DnsProbe, HttpProbe, ResourceCondition, SqlCondition, TcpProbe, condition::Kind,
};

use super::{fault::Faults, fields::Fields, node::Node};

pub(super) fn item(node: &Node, path: &str, faults: &Faults) -> Option<Condition> {
    read(Fields::of(node, path, faults)?)
}

pub(super) fn read(mut fields: Fields<'_, '_>) -> Option<Condition> {
    let text = fields.text("text");
    let kind = match fields.one_of(&["http", "tcp", "dns", "resource", "sql"], "a condition looks at one thing") {
        Some("http") => fields.block("http").map(|block| Kind::Http(http(block))),
        Some("tcp") => fields.block("tcp").map(|block| Kind::Tcp(tcp(block))),
        Some("dns") => fields.block("dns").map(|block| Kind::Dns(dns(block))),
        Some("resource") => fields.block("resource").map(|block| Kind::Resource(resource(block))),
        Some(_) => fields.block("sql").map(|block| Kind::Sql(sql(block))),
        None => None,
    };
    fields.finish();
    kind.map(|kind| Condition { text, kind: Some(kind) })
}

fn http(mut fields: Fields<'_, '_>) -> HttpProbe {
    let probe = HttpProbe {
        url: fields.text("url"),
        reverse_url: fields.text("reverseUrl"),
        expect_status: fields.wholes("expectStatus"),
        expect_body: fields.text("expectBody"),
    };
    fields.finish();
    probe
}

fn tcp(mut fields: Fields<'_, '_>) -> TcpProbe {
    let probe = TcpProbe { address: fields.text("address"), reverse_address: fields.text("reverseAddress") };
    fields.finish();
    probe
}

fn dns(mut fields: Fields<'_, '_>) -> DnsProbe {
    let probe = DnsProbe {
        server: fields.text("server"),
        name: fields.text("name"),
        r#type: fields.text("type"),
        values: fields.texts("values"),
        reverse_values: fields.texts("reverseValues"),
    };
    fields.finish();
    probe
}

fn resource(mut fields: Fields<'_, '_>) -> ResourceCondition {
    let condition = ResourceCondition {
        resource: fields.text("resource"),
        at_target: fields.flag("atTarget"),
        protected: fields.flag("protected"),
    };
    fields.finish();
    condition
}

fn sql(mut fields: Fields<'_, '_>) -> SqlCondition {
    let condition =
        SqlCondition { resource: fields.text("resource"), query: fields.text("query"), expect: fields.text("expect") };
    fields.finish();
    condition
}
