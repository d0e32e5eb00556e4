//! Who one can be in the local mode. Requester and approvers are different people on purpose, and Otto
//! holds two roles to show that even he does not approve his own request.

use muster_domain::TenantId;
use muster_runtime::config::{Mapping, Person, RoleName};

use crate::demo::estate::TENANT;

/// The second tenant: its people see nothing of the first.
pub(crate) const OTHER_TENANT: &str = "globex";

pub(crate) struct Who {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) roles: &'static [(&'static str, RoleName)],
}

pub(crate) const PEOPLE: &[Who] = &[
    Who { name: "vera", title: "Viewer", roles: &[(TENANT, RoleName::Viewer)] },
    Who { name: "olga", title: "Operator", roles: &[(TENANT, RoleName::Operator)] },
    Who {
        name: "otto",
        title: "Operator and Approver-IT",
        roles: &[(TENANT, RoleName::Operator), (TENANT, RoleName::ApproverIt)],
    },
    Who { name: "ingo", title: "Approver-IT", roles: &[(TENANT, RoleName::ApproverIt)] },
    Who { name: "bea", title: "Approver-Business", roles: &[(TENANT, RoleName::ApproverBusiness)] },
    Who {
        name: "ada",
        title: "Admin, also of the installation",
        roles: &[(TENANT, RoleName::Admin), (OTHER_TENANT, RoleName::Admin), (TenantId::OPERATING, RoleName::Admin)],
    },
    Who {
        name: "gina",
        title: "everything at globex, nothing at acme",
        roles: &[
            (OTHER_TENANT, RoleName::Operator),
            (OTHER_TENANT, RoleName::ApproverIt),
            (OTHER_TENANT, RoleName::ApproverBusiness),
            (OTHER_TENANT, RoleName::Admin),
        ],
    },
];

pub(crate) fn people() -> Vec<Person> {
    let person = |who: &Who| Person {
        name: who.name.into(),
        display_name: format!("{}{}", who.name[..1].to_uppercase(), &who.name[1..]),
        groups: who.roles.iter().map(|(tenant, role)| group(tenant, *role)).collect(),
    };
    PEOPLE.iter().map(person).collect()
}

/// Each role of each tenant is one group, as an identity provider would have it.
pub(crate) fn mappings() -> Vec<Mapping> {
    let mut mappings: Vec<Mapping> = Vec::new();
    for (tenant, role) in PEOPLE.iter().flat_map(|who| who.roles) {
        let mapping = Mapping { group: group(tenant, *role), tenant: (*tenant).into(), role: *role };
        if !mappings.contains(&mapping) {
            mappings.push(mapping);
        }
    }
    mappings
}

fn group(tenant: &str, role: RoleName) -> String {
    let name = serde_json::to_value(role).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    format!("{tenant}-{name}")
}
