//! The kinds of things that requests name, and how a name can be wrong.

/// What a name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Thing {
    Catalog,
    Account,
    User,
    Team,
    ServiceAccount,
    CustomRole,
    ManagedRole,
    Binding,
    CustomPolicy,
    ManagedPolicy,
    Resource,
    Exception,
}

use Thing::*;

impl Thing {
    /// The last collection of its name.
    pub fn collection(self) -> &'static str {
        match self {
            Catalog => "catalogs",
            Account => "accounts",
            User => "users",
            Team => "teams",
            ServiceAccount => "serviceAccounts",
            CustomRole | ManagedRole => "roles",
            Binding => "roleBindings",
            CustomPolicy | ManagedPolicy => "accessPolicies",
            Resource => "resources",
            Exception => "exceptions",
        }
    }

    /// Whether a text looks like the name of such a thing.
    pub fn is_named(self, name: &str) -> bool {
        let mut collections = name.split('/').step_by(2);
        let owner = self.owner();
        collections.next() == Some(owner.collection())
            && (self == owner || collections.any(|it| it == self.collection()))
    }

    /// The collection that the first part of its name is of.
    pub fn owner(self) -> Thing {
        match self {
            Catalog | ManagedRole | ManagedPolicy => Catalog,
            _ => Account,
        }
    }

    /// The reason of the error if there is none.
    pub fn missing(self) -> &'static str {
        match self {
            Catalog => "CATALOG_NOT_FOUND",
            Account => "ACCOUNT_NOT_FOUND",
            User => "USER_NOT_FOUND",
            Team => "TEAM_NOT_FOUND",
            ServiceAccount => "SERVICE_ACCOUNT_NOT_FOUND",
            CustomRole | ManagedRole => "ROLE_NOT_FOUND",
            Binding => "ROLE_BINDING_NOT_FOUND",
            CustomPolicy | ManagedPolicy => "ACCESS_POLICY_NOT_FOUND",
            Resource => "RESOURCE_NOT_FOUND",
            Exception => "EXCEPTION_NOT_FOUND",
        }
    }

    /// One that the account of the table has. All start with `{owner}/{id}`.
    pub fn present(self) -> &'static str {
        match self {
            Catalog => "catalogs/c",
            Account => "accounts/demo",
            User => "accounts/demo/users/ana",
            Team => "accounts/demo/teams/support",
            ServiceAccount => "accounts/demo/serviceAccounts/robot",
            CustomRole => "accounts/demo/roles/agent",
            ManagedRole => "catalogs/c/roles/manager",
            Binding => "accounts/demo/roleBindings/{binding}",
            CustomPolicy => "accounts/demo/accessPolicies/desk",
            ManagedPolicy => "catalogs/c/accessPolicies/reader",
            Resource => "accounts/demo/resources/workspaces/w1",
            Exception => "accounts/demo/users/ana/exceptions/desk.tickets.close",
        }
    }

    /// One that another account or catalog has, and the account of the table has not.
    pub fn foreign(self) -> &'static str {
        match self {
            Catalog => "catalogs/d",
            Account => "accounts/other",
            User => "accounts/other/users/foreign",
            Team => "accounts/other/teams/foreign",
            ServiceAccount => "accounts/other/serviceAccounts/foreign",
            CustomRole => "accounts/other/roles/foreign",
            ManagedRole => "catalogs/d/roles/foreign",
            Binding => "accounts/other/roleBindings/{foreign_binding}",
            CustomPolicy => "accounts/other/accessPolicies/foreign",
            ManagedPolicy => "catalogs/d/accessPolicies/foreign",
            Resource => "accounts/other/resources/lines/foreign",
            Exception => "accounts/other/users/foreign/exceptions/desk.tickets.close",
        }
    }

    /// An id that nothing has.
    pub fn nobody(self) -> &'static str {
        match self {
            // Bindings are numbered.
            Binding => "999999999",
            // A permission that nobody has an exception for.
            Exception => "reports.all.view",
            _ => "nobody",
        }
    }
}

/// Texts that are no ids, and what is wrong with them. None has a slash.
pub fn bad_ids() -> Vec<(&'static str, String)> {
    let mut bad: Vec<(&str, String)> = [
        ("a space", "a b"),
        ("a dot", "."),
        ("two dots", ".."),
        ("a space before it", " a"),
        ("a space after it", "a "),
        ("a NUL", "a\0b"),
        ("a newline", "a\nb"),
        ("a tab", "a\tb"),
        ("DEL", "a\u{7f}b"),
        ("a letter that is not ASCII", "é"),
        ("a letter of full width", "ａ"),
        ("a mark that turns the direction", "a\u{202e}b"),
        ("a joiner of no width", "a\u{200d}b"),
        ("a comma", "a,b"),
        ("an asterisk", "*"),
        ("a percent sign", "%2e%2e"),
        ("a backslash", "..\\a"),
        ("a question mark", "a?b"),
        ("a hash", "a#b"),
        ("a quotation mark", "a\"b"),
        ("an apostrophe", "a'b"),
        ("a dollar sign", "${a}"),
        ("a semicolon", "a;b"),
        ("a less-than sign", "<a>"),
    ]
    .map(|(what, id)| (what, id.to_owned()))
    .to_vec();
    bad.push(("129 bytes", "x".repeat(129)));
    bad.push(("3,000 bytes", "x".repeat(3000)));
    bad
}

/// Texts that are no numbers of bindings.
fn bad_numbers() -> Vec<(&'static str, String)> {
    ["a", "-1", "+1", "01", "1.0", "0x1", "1e3", "18446744073709551616", " 1", "١"]
        .map(|number| ("no number", number.to_owned()))
        .to_vec()
}

/// The collections of names.
const COLLECTIONS: [&str; 11] = [
    "catalogs",
    "accounts",
    "users",
    "teams",
    "serviceAccounts",
    "roles",
    "roleBindings",
    "permissions",
    "accessPolicies",
    "resources",
    "exceptions",
];

/// Texts that are no names of any of the allowed things, made from the name of one of them. What is nothing at all is not
/// among them.
pub fn malformed(name: &str, thing: Thing, allowed: &[Thing]) -> Vec<(String, String)> {
    let parts: Vec<&str> = name.split('/').collect();
    let replaced = |position: usize, with: &str| {
        let mut parts = parts.clone();
        parts[position] = with;
        parts.join("/")
    };
    let mut bad = vec![
        ("the id alone".to_owned(), parts.last().unwrap().to_string()),
        ("a slash before it".to_owned(), format!("/{name}")),
        ("a slash after it".to_owned(), format!("{name}/")),
        ("something behind it".to_owned(), format!("{name}/more")),
        ("a way out of it".to_owned(), format!("../{name}")),
        ("a way up in it".to_owned(), format!("{name}/../x")),
        ("a host before it".to_owned(), format!("//rolecall/{name}")),
        ("a space before it".to_owned(), format!(" {name}")),
        ("only the collection".to_owned(), format!("{}/", parts[0])),
        ("slashes alone".to_owned(), "///".to_owned()),
        ("capital letters".to_owned(), replaced(0, &parts[0].to_uppercase())),
        ("two slashes".to_owned(), name.replacen('/', "//", 1)),
        ("10,000 bytes without a slash".to_owned(), "x".repeat(10_000)),
    ];
    if parts.len() > 2 {
        bad.push(("the name of what it is in".to_owned(), parts[..2].join("/")));
    }
    // At odd positions are ids, at even ones collections, but for the path that a resource's name ends with.
    let ids: Vec<usize> = match thing {
        Resource => vec![1, parts.len() - 1],
        _ => (1..parts.len()).step_by(2).collect(),
    };
    if thing != Resource {
        bad.push(("a pair behind it".to_owned(), format!("{name}/users/ana")));
    }
    for position in ids {
        let is_number = thing == Binding && position == 3;
        let ids = if is_number { bad_numbers() } else { bad_ids() };
        let place = if position == parts.len() - 1 { "its id" } else { "the id of what it is in" };
        bad.push((format!("no {place}"), replaced(position, "")));
        bad.extend(ids.into_iter().map(|(what, id)| (format!("{what} in {place}"), replaced(position, &id))));
    }
    let last = if thing == Resource { 2 } else { parts.len() - 2 };
    for other in COLLECTIONS {
        let changed = replaced(last, other);
        if other != parts[last] && !allowed.iter().any(|thing| thing.is_named(&changed)) {
            bad.push((format!("the collection {other}"), changed));
        }
    }
    bad
}

/// Texts that are no names of the thing within an account, made from one that is.
pub fn malformed_short(name: &str, allowed: &[Thing]) -> Vec<(String, String)> {
    let (collection, id) = name.split_once('/').unwrap();
    let mut bad = vec![
        ("the id alone".to_owned(), id.to_owned()),
        ("a slash before it".to_owned(), format!("/{name}")),
        ("a slash after it".to_owned(), format!("{name}/")),
        ("something behind it".to_owned(), format!("{name}/more")),
        ("the account before it".to_owned(), format!("accounts/demo/{name}")),
        ("only the collection".to_owned(), format!("{collection}/")),
        ("a way out of it".to_owned(), format!("../{name}")),
        ("capital letters".to_owned(), format!("{}/{id}", collection.to_uppercase())),
    ];
    bad.extend(bad_ids().into_iter().map(|(what, id)| (format!("{what} in its id"), format!("{collection}/{id}"))));
    for other in COLLECTIONS {
        if allowed.iter().all(|thing| thing.collection() != other) {
            bad.push((format!("the collection {other}"), format!("{other}/{id}")));
        }
    }
    bad
}

/// Texts that are no paths of resources, whatever the catalog. What is nothing at all is not among them.
pub fn bad_paths() -> Vec<(String, String)> {
    let mut bad: Vec<(String, String)> = [
        "lines",
        "/",
        "lines/",
        "/lines/l1",
        "lines/l1/",
        "lines//l1",
        "lines/l1/x",
        "lines/../l1/x",
        "accounts/demo/resources/lines/l1",
        "lines/*",
        "**",
        "lines\0/l1",
    ]
    .map(|text| (format!("{text:?}"), text.to_owned()))
    .to_vec();
    bad.push(("nine pairs".to_owned(), ["lines/l1"; 9].join("/")));
    bad.push(("more than 1,024 bytes".to_owned(), vec!["x".repeat(128); 8].join("/")));
    bad.extend(bad_ids().into_iter().map(|(what, id)| (format!("{what} in its id"), format!("lines/{id}"))));
    bad
}

/// Paths that are well formed and none of the catalog's types.
pub fn strange_paths() -> Vec<(String, String)> {
    ["boxes/b1", "line/l1", "Lines/l1", "channels/c1", "lines/l1/channels/c1", "workspaces/w1/workspaces/w1"]
        .map(|text| (format!("{text:?}"), text.to_owned()))
        .to_vec()
}
