//! Every kind of record as bytes and back, and bytes that are no record.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use super::{
    StoreError,
    record_codec::{decode_record, encode_record},
};
use crate::model::*;

fn statements() -> Vec<Statement> {
    let patterns = ["inbox.**", "*.message.read"];
    vec![
        Statement {
            effect: Effect::Allow,
            permissions: patterns.iter().map(|text| PermissionPattern::new(text).unwrap()).collect(),
            resources: vec![ResourcePattern::new("workspaces/*/lines/**").unwrap()],
            condition: Some(Condition::new("attributes.open")),
        },
        Statement {
            effect: Effect::Deny,
            permissions: vec![PermissionPattern::new("**").unwrap()],
            resources: Vec::new(),
            condition: None,
        },
    ]
}

fn bare_role(id: &str) -> CatalogRole {
    CatalogRole {
        id: RoleId::new(id).unwrap(),
        display_name: id.to_owned(),
        description: String::new(),
        internal: true,
        permissions: Vec::new(),
        policies: Vec::new(),
        parents: Vec::new(),
        covers: Vec::new(),
        always_held: false,
        max_holders: None,
    }
}

#[test]
fn every_kind_of_record_survives_being_stored() {
    let user = Number(12);
    let definition = CatalogDefinition {
        id: CatalogId::new("contact-centre").unwrap(),
        display_name: "Contact centre".to_owned(),
        description: "d".to_owned(),
        resource_types: vec![
            ResourceType {
                id: ResourceTypeId::new("line").unwrap(),
                plural: ResourceTypeId::new("lines").unwrap(),
                display_name: "Line".to_owned(),
                description: "A telephone line".to_owned(),
                parent: Some(ResourceTypeIndex(1)),
            },
            ResourceType {
                id: ResourceTypeId::new("workspace").unwrap(),
                plural: ResourceTypeId::new("workspaces").unwrap(),
                display_name: "Workspace".to_owned(),
                description: String::new(),
                parent: None,
            },
        ],
        policies: vec![CatalogPolicy {
            id: PolicyId::new("calls").unwrap(),
            display_name: "Calls".to_owned(),
            description: "d".to_owned(),
            statements: statements(),
        }],
        must_hold_role: true,
        mutually_exclusive: vec![(RoleIndex(0), RoleIndex(1))],
        features: vec![Feature {
            id: FeatureId::new("voice").unwrap(),
            display_name: "Voice".to_owned(),
            description: String::new(),
        }],
        sections: vec![Section {
            id: SectionId::new("inbox").unwrap(),
            display_name: "Inbox".to_owned(),
            description: String::new(),
        }],
        api_scopes: vec![
            ApiScope { id: ApiScopeId::new("read").unwrap(), description: String::new(), includes: vec![] },
            ApiScope {
                id: ApiScopeId::new("all").unwrap(),
                description: String::new(),
                includes: vec![ApiScopeIndex(0)],
            },
        ],
        permissions: vec![PermissionDefinition {
            id: PermissionId::new("inbox.message.read").unwrap(),
            description: "read".to_owned(),
            section: SectionIndex(0),
            feature: Some(FeatureIndex(0)),
            api_scopes: vec![ApiScopeIndex(1)],
            resource_type: Some(ResourceTypeIndex(0)),
            facets: vec![Facet::Feature, Facet::Type(ResourceTypeIndex(1))],
            condition: Some(Condition::new("attributes.assignee == subject.id")),
            internal: true,
            deprecated: true,
        }],
        roles: vec![
            CatalogRole {
                id: RoleId::new("owner").unwrap(),
                display_name: "Owner".to_owned(),
                description: "x".repeat(9000),
                internal: false,
                permissions: vec![PermissionIndex(0)],
                policies: vec![PolicyIndex(0)],
                parents: vec![RoleIndex(2)],
                covers: vec![Facet::Feature, Facet::Type(ResourceTypeIndex(0))],
                always_held: true,
                max_holders: Some(3),
            },
            bare_role("checker"),
            bare_role("viewer"),
        ],
        custom_roles: CustomRoleParts {
            permissions: true,
            parents: false,
            managed_policies: true,
            custom_policies: false,
        },
    };
    let catalog = Catalog {
        number: Number(3),
        definition,
        feature_numbers: vec![Number(4)],
        permission_numbers: vec![Number(5)],
        role_numbers: vec![Number(6), Number(20), Number(21)],
        resource_type_numbers: vec![Number(22), Number(23)],
        policy_numbers: vec![Number(24)],
    };
    let (created, updated) = (Timestamp(1), Timestamp(2));
    let account = AccountRecord {
        id: AccountId::new("acme").unwrap(),
        display_name: "Acme".to_owned(),
        catalog: Number(3),
        state: AccountState::Suspended,
        features: vec![Number(4), Number(9)],
        created,
        updated,
    };
    let role = RoleRecord {
        id: RoleId::new("mine").unwrap(),
        display_name: "Mine".to_owned(),
        description: String::new(),
        permissions: vec![Number(5), Number(8)],
        left_out_api_scopes: vec![ApiScopeId::new("email:send").unwrap(), ApiScopeId::new("sms:send").unwrap()],
        policies: vec![Number(24), Number(30)],
        parents: vec![Number(6), Number(31)],
        covers: vec![FacetNumber::Feature, FacetNumber::Type(Number(22)), FacetNumber::Type(Number(23))],
        created,
        updated,
    };
    let policy = PolicyRecord {
        id: PolicyId::new("mine").unwrap(),
        display_name: "Mine".to_owned(),
        description: "d".to_owned(),
        statements: statements(),
        created,
        updated,
    };
    let mut records = vec![
        Record::Catalog(Box::new(catalog.clone())),
        Record::Account(account),
        Record::Counts(CountsRecord { teams: 1, roles: 2, policies: 3, resources: 4 }),
        Record::Profile(ProfileRecord::default()),
        Record::Role(role.clone()),
        Record::Resource(ResourceRecord {
            path: ResourcePath::new("workspaces/w1/lines/l1").unwrap(),
            resource_type: Number(22),
            display_name: "Sales".to_owned(),
            created,
            updated,
        }),
        Record::Policy(policy.clone()),
        Record::RoleHolders(RoleHoldersRecord { users: 1, service_accounts: 2, teams: 3 }),
        Record::Count(7),
        Record::Count(0),
        Record::Time(created),
        Record::Request(RequestRecord { fingerprint: [7; 32], answer: b"an answer".to_vec(), expires: created }),
        Record::Name(Number(0)),
        Record::Present,
        Record::Retired(RetiredRecord { kind: Kind::Role, account: None }),
    ];
    for holder in [Holder::User(user), Holder::Team(user), Holder::ServiceAccount(user)] {
        for (resource, expires) in [(None, None), (Some(Number(0)), None), (None, Some(Timestamp(0)))] {
            let role = Number(1);
            records.push(Record::Binding(BindingRecord { holder, role, resource, expires, created }));
            records.push(Record::Held(HeldRecord { role, resource, expires }));
        }
    }
    for (all, values) in [(true, vec![]), (false, vec![]), (true, vec![Number(1)]), (false, vec![Number(1), Number(9)])]
    {
        records.push(Record::Access(AccessRecord { all, values }));
    }
    for expires in [None, Some(Timestamp(0)), Some(updated)] {
        let reason = "asked by support".to_owned();
        records.push(Record::Exception(ExceptionRecord { reason, expires, created }));
    }
    let kinds =
        [Kind::Catalog, Kind::Account, Kind::User, Kind::Team, Kind::Role, Kind::Binding, Kind::Policy, Kind::Resource];
    for kind in kinds {
        records.push(Record::Retired(RetiredRecord { kind, account: Some(Number(0)) }));
    }
    for state in [UserState::Invited, UserState::Active, UserState::Suspended] {
        records.push(Record::User(UserRecord { id: UserId::new("ada").unwrap(), state, created, updated }));
    }
    for state in [ServiceAccountState::Active, ServiceAccountState::Suspended] {
        let (id, description) = (ServiceAccountId::new("ci").unwrap(), "Builds".to_owned());
        let display_name = String::new();
        let account = ServiceAccountRecord { id, display_name, description, state, created, updated };
        records.push(Record::ServiceAccount(account));
    }
    for record in records {
        let bytes = encode_record(&record);
        assert_eq!(bytes, encode_record(&record), "the same record gives the same bytes");
        assert_eq!(decode_record(&bytes).unwrap(), record);
    }
    // A position that points nowhere, wherever one can be.
    let nowhere: [fn(&mut CatalogDefinition); 9] = [
        |catalog| catalog.permissions[0].section = SectionIndex(1),
        |catalog| catalog.permissions[0].resource_type = Some(ResourceTypeIndex(2)),
        |catalog| catalog.permissions[0].facets = vec![Facet::Type(ResourceTypeIndex(2))],
        |catalog| catalog.resource_types[0].parent = Some(ResourceTypeIndex(2)),
        |catalog| catalog.roles[0].policies = vec![PolicyIndex(1)],
        |catalog| catalog.roles[0].parents = vec![RoleIndex(3)],
        |catalog| catalog.roles[0].covers = vec![Facet::Type(ResourceTypeIndex(2))],
        |catalog| catalog.mutually_exclusive = vec![(RoleIndex(0), RoleIndex(3))],
        |catalog| catalog.mutually_exclusive = vec![(RoleIndex(3), RoleIndex(0))],
    ];
    let mut bad: Vec<Record> = nowhere
        .iter()
        .map(|damage| {
            let mut dangling = catalog.clone();
            damage(&mut dangling.definition);
            Record::Catalog(Box::new(dangling))
        })
        .collect();
    let unsorted = vec![Number(8), Number(5)];
    let covers = vec![FacetNumber::Type(Number(5)), FacetNumber::Feature];
    bad.extend([
        Record::Role(RoleRecord { permissions: unsorted.clone(), ..role.clone() }),
        Record::Role(RoleRecord { policies: unsorted.clone(), ..role.clone() }),
        Record::Role(RoleRecord { parents: unsorted.clone(), ..role.clone() }),
        Record::Role(RoleRecord { covers, ..role }),
        Record::Access(AccessRecord { all: false, values: unsorted }),
    ]);
    for bad in bad {
        let bytes = encode_record(&bad);
        assert!(matches!(decode_record(&bytes), Err(StoreError::DamagedState(_))), "{bad:?}");
    }
    for bytes in
        [&[][..], b"\xff", &[0x12, 0x05, 0x0a, 0x01, b'a', 0x20, 0x00], &[0x12, 0x05, 0x0a, 0x01, b'/', 0x20, 0x01]]
    {
        assert!(matches!(decode_record(bytes), Err(StoreError::DamagedState(_))), "{bytes:?}");
    }
}
