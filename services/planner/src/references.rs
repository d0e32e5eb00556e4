//! Which documents a document names.

use muster_domain::pb::inventory::v1::{Document, Kind, document::Spec};

/// Each once, sorted.
pub(crate) fn references(document: &Document) -> Vec<(Kind, String)> {
    let mut named: Vec<(Kind, String)> = match &document.spec {
        Some(Spec::ResourceSpec(spec)) => {
            [&spec.primary_site, &spec.dr_site].map(|site| (Kind::Site, site.clone())).to_vec()
        }
        Some(Spec::GroupSpec(spec)) => {
            spec.members.iter().map(|member| (Kind::Resource, member.resource.clone())).collect()
        }
        Some(
            Spec::TenantSpec(_)
            | Spec::SiteSpec(_)
            | Spec::PolicySpec(_)
            | Spec::NotificationRouteSpec(_)
            | Spec::PlanSpec(_),
        )
        | None => Vec::new(),
    };
    named.sort();
    named.dedup();
    named
}
