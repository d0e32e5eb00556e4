//! One document: `kind`, `metadata`, `spec`.

use std::collections::BTreeMap;

use muster_domain::TenantId;
use muster_domain::inventory::kind_token;
use muster_domain::pb::inventory::v1::{Document, Kind, document::Spec};
use muster_domain::refusal::field_refusal;

use super::{
    fault::{Fault, Faults, Place},
    fields::Fields,
    node::Node,
    plan, policy, resource, route, schedule, small,
};

/// The kinds by the names people write.
pub const KINDS: &[(&str, Kind)] = &[
    ("Tenant", Kind::Tenant),
    ("Site", Kind::Site),
    ("Resource", Kind::Resource),
    ("Group", Kind::Group),
    ("Policy", Kind::Policy),
    ("NotificationRoute", Kind::NotificationRoute),
    ("Plan", Kind::Plan),
    ("Schedule", Kind::Schedule),
    ("Contact", Kind::Contact),
    ("MessageTemplate", Kind::MessageTemplate),
];

/// "NotificationRoute"
pub fn kind_name(kind: Kind) -> &'static str {
    KINDS.iter().find(|(_, k)| *k == kind).map_or("Unspecified", |(name, _)| name)
}

/// A document of a manifest and where its parts stand.
#[derive(Debug, Clone)]
pub struct Declaration {
    /// From 1, empty documents not counted.
    pub number: usize,
    pub document: Document,
    node: Node,
}

impl Declaration {
    /// Where a field of it stands.
    pub fn locate(&self, field: &str) -> Place {
        self.node.locate(field)
    }

    /// A fault of the document that only showed among the others.
    pub fn fault(&self, refusal: muster_domain::Refusal) -> Fault {
        Fault { document: Some(self.number), place: Some(self.locate(&refusal.field)), refusal }
    }
}

/// Reads what can be read: with faults elsewhere the document still counts as named, so that others may refer to it.
pub(super) fn read(number: usize, node: Node, tenant: &TenantId) -> (Option<Declaration>, Vec<Fault>) {
    let faults = Faults::new(number);
    let document = read_fields(&node, tenant, &faults);
    (document.map(|document| Declaration { number, document, node }), faults.into_vec())
}

fn read_fields(node: &Node, tenant: &TenantId, faults: &Faults) -> Option<Document> {
    let mut fields = Fields::of(node, "", faults)?;
    let kind = fields.choice("kind", KINDS);
    if !fields.has("kind") {
        let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
        fields.missing("kind", &names.join(", "), "say what this document declares");
    }
    let name = match fields.block("metadata") {
        Some(metadata) => read_metadata(metadata, tenant),
        None => {
            if !fields.has("metadata") {
                fields.missing("metadata", "metadata with a name", "add metadata: {name: …}");
            }
            None
        }
    };
    let spec = match kind {
        Some(kind) => read_spec(kind, &mut fields),
        None => {
            // Without its kind the block cannot be read; its keys are not reported one by one.
            fields.take("spec");
            None
        }
    };
    fields.finish();
    Some(Document { kind: kind?.into(), tenant: tenant.to_string(), name: name?, spec, ..Document::default() })
}

fn read_metadata(mut metadata: Fields<'_, '_>, tenant: &TenantId) -> Option<String> {
    let name = metadata.text("name");
    if !metadata.has("name") {
        metadata.missing("name", "1 to 63 characters: a-z, 0-9 and '-'", "name the document");
    }
    if let Some(node) = metadata.take("tenant")
        && node.text() != Some(tenant.as_str())
    {
        let found = super::fields::show(node.text().unwrap_or("not a text"));
        metadata.faults.add(
            node.at,
            "metadata.tenant",
            "a manifest stays within the tenant it is applied to",
            &found,
            tenant.as_str(),
            "apply it to that tenant, or leave the key out",
        );
    }
    metadata.finish();
    Some(name).filter(|name| !name.is_empty())
}

fn read_spec(kind: Kind, fields: &mut Fields<'_, '_>) -> Option<Spec> {
    if !fields.has("spec") {
        fields.missing("spec", &format!("the spec of a {}", kind_name(kind)), "add the spec of its kind");
        return None;
    }
    let spec = fields.block("spec")?;
    Some(match kind {
        Kind::Tenant => Spec::TenantSpec(small::tenant(spec)),
        Kind::Site => Spec::SiteSpec(small::site(spec)),
        Kind::Resource => Spec::ResourceSpec(resource::read(spec)),
        Kind::Group => Spec::GroupSpec(small::group(spec)),
        Kind::Policy => Spec::PolicySpec(policy::read(spec)),
        Kind::NotificationRoute => Spec::NotificationRouteSpec(route::read(spec)),
        Kind::Plan => Spec::PlanSpec(plan::read(spec)),
        Kind::Schedule => Spec::ScheduleSpec(schedule::read(spec)),
        Kind::Contact => Spec::ContactSpec(small::contact(spec)),
        Kind::MessageTemplate => Spec::MessageTemplateSpec(small::template(spec)),
        Kind::Unspecified => return None,
    })
}

/// The same thing declared twice in one manifest: nobody can say which one is meant.
pub(super) fn repeated(declarations: &[Declaration]) -> Vec<Fault> {
    let mut first: BTreeMap<(i32, &str), usize> = BTreeMap::new();
    let mut faults = Vec::new();
    for declaration in declarations {
        let document = &declaration.document;
        let earlier = *first.entry((document.kind, &document.name)).or_insert(declaration.number);
        if earlier != declaration.number {
            let what = format!("{} {}", kind_token(document.kind()), document.name);
            let refusal = field_refusal(
                "metadata.name",
                "MANIFEST_INVALID",
                "a manifest declares each thing once",
                format!("{what} again, after document {earlier}"),
                "one document for each kind and name",
                "remove or rename one of them",
            );
            faults.push(declaration.fault(refusal));
        }
    }
    faults
}
