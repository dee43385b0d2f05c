//! Access lists: what of a facet (lines, queues, products) users and teams have access to.
//!
//! A list is one record of its holder, and for each resource in it one record beside the resource, so that deleting a
//! resource finds the lists that name it. Read [`set_access_list`] first.

use std::collections::BTreeSet;

use super::{
    MAX_ACCESS_VALUES,
    accounts::{account_and_catalog, account_and_catalog_at},
    bindings::HolderName,
    core::{ReadAt, Service},
    error::{ErrorReason, ServiceError, Violation},
    facts::{self, FoundAccount},
    plan::Plan,
    resources::paths_of_catalog,
    writer::Write,
};
use crate::{
    engine::CompiledCatalog,
    model::{
        AccessRecord, AccountId, Facet, FacetNumber, FeatureId, Holder, Key, KeyRange, Number, Record, ResourcePath,
        Revision,
    },
    store::View,
};

/// An access list as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessListView {
    /// The facet: a resource type's id, or `feature`.
    pub facet: String,
    /// All of it; then no values.
    pub all: bool,
    /// Paths of resources, or ids of features, ordered.
    pub values: Vec<String>,
}

impl Service {
    /// The access lists of a user or a team itself, ordered by facet; those that are empty are left out.
    ///
    /// # Errors
    /// If the account or the holder does not exist.
    pub async fn list_access_lists(
        &self,
        account: AccountId,
        holder: HolderName,
        at: ReadAt,
    ) -> Result<(Vec<AccessListView>, Revision), ServiceError> {
        self.read(at, move |core, view| {
            let (found, catalog) = account_and_catalog_at(core, &view, &account)?;
            let holder = find_listed(&view, found.number, &holder)?;
            access_lists_of(&view, found.number, &catalog.compiled, holder.number())
        })
        .await
    }
}

/// Makes an access list what is given; an empty one goes. Refused if account, holder, facet, or a value does not exist,
/// or the list cannot be so.
#[must_use]
pub fn replace_access_list(
    account: AccountId,
    holder: HolderName,
    facet: String,
    all: bool,
    values: Vec<String>,
) -> Write<AccessListView> {
    Write::new("SetAccessList", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let holder = find_listed(plan, found.number, &holder)?;
        let facet = find_facet(&catalog.compiled, &facet)?;
        let set = set_access_list(plan, &found, &catalog.compiled, holder, facet, all, &values);
        set.map_err(|error| error.below("access_list"))
    })
}

/// Gives access to more values, or takes it away. Values that are there already, or not there, are passed over; adding to
/// all changes nothing. Refused if account, holder, facet or a value does not exist, the list would be too long, or values
/// are taken from all.
#[must_use]
pub fn change_access(
    account: AccountId,
    holder: HolderName,
    facet: String,
    values: Vec<String>,
    add: bool,
) -> Write<AccessListView> {
    Write::new(if add { "AddAccess" } else { "RemoveAccess" }, move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let (account, catalog) = (found.number, &catalog.compiled);
        let holder = find_listed(plan, account, &holder)?;
        let facet = find_facet(catalog, &facet)?;
        let named = numbers_of(plan, account, catalog, facet, &values)?;
        let number = facet_number(catalog, facet)?;
        let before = access_of(plan, account, holder.number(), number)?;
        if before.all {
            if add {
                return view_of(plan, account, catalog, facet, &before);
            }
            return Err(ServiceError::field(
                "values",
                "values were given to be taken away, and the list is all of the facet; set the list to what is to stay",
            ));
        }
        let mut kept: BTreeSet<Number> = BTreeSet::new();
        for value in before.values {
            if value_name(plan, account, catalog, facet, value)?.is_some() {
                kept.insert(value);
            }
        }
        if add {
            kept.extend(named);
        } else {
            kept.retain(|value| !named.contains(value));
        }
        if add && kept.len() > MAX_ACCESS_VALUES {
            return Err(ServiceError::new(
                ErrorReason::LimitReached,
                format!("the access list would have {} values; the maximum is {MAX_ACCESS_VALUES}", kept.len()),
            )
            .with("maximum", MAX_ACCESS_VALUES.to_string()));
        }
        let record = AccessRecord { all: false, values: kept.into_iter().collect() };
        let view = view_of(plan, account, catalog, facet, &record)?;
        put_list(plan, account, holder, number, record)?;
        Ok(view)
    })
}

/// Makes an access list of a user or a team what is given; an empty one goes. Refused if a value does not exist, is of
/// another type, there are too many, or there are values beside `all`; wrong fields are named `all` and `values[i]`. Cost:
/// linear in the list before and after.
pub(super) fn set_access_list(
    plan: &mut Plan<'_>,
    account: &FoundAccount,
    catalog: &CompiledCatalog,
    holder: Holder,
    facet: Facet,
    all: bool,
    values: &[String],
) -> Result<AccessListView, ServiceError> {
    if all && !values.is_empty() {
        return Err(ServiceError::field(
            "values",
            format!("{} values and all were given; one or the other is expected", values.len()),
        ));
    }
    if values.len() > MAX_ACCESS_VALUES {
        return Err(ServiceError::field(
            "values",
            format!("{} were given; the maximum is {MAX_ACCESS_VALUES}", values.len()),
        ));
    }
    let values = numbers_of(plan, account.number, catalog, facet, values)?;
    let record = AccessRecord { all, values: values.into_iter().collect() };
    let view = view_of(plan, account.number, catalog, facet, &record)?;
    put_list(plan, account.number, holder, facet_number(catalog, facet)?, record)?;
    Ok(view)
}

/// The facet of a name. Cost: linear in the catalog's types.
pub(super) fn find_facet(catalog: &CompiledCatalog, name: &str) -> Result<Facet, ServiceError> {
    catalog.facet(name).ok_or_else(|| {
        let id = &catalog.catalog().definition.id;
        ServiceError::new(ErrorReason::ResourceTypeNotFound, format!("the catalog {id} has no facet {name:?}"))
            .with("facet", name)
    })
}

/// The access lists of a user or a team itself that are not empty, ordered by facet. Cost: linear in their values.
pub(super) fn access_lists_of(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    holder: Number,
) -> Result<Vec<AccessListView>, ServiceError> {
    let mut lists = Vec::new();
    for (key, record) in facts::scan_all(view, KeyRange::Access { account, holder })? {
        let (Key::Access { facet, .. }, Record::Access(record)) = (key, record.value) else { continue };
        // One of a type that the catalog has no more is void.
        let Some(facet) = catalog.facet_of_number(facet) else { continue };
        let list = view_of(view, account, catalog, facet, &record)?;
        if list.all || !list.values.is_empty() {
            lists.push(list);
        }
    }
    lists.sort_by(|one, other| one.facet.cmp(&other.facet));
    Ok(lists)
}

/// Takes all access lists of a user or a team out of a plan. Cost: linear in their values.
pub(super) fn remove_access_lists(plan: &mut Plan<'_>, account: Number, holder: Holder) -> Result<(), ServiceError> {
    for (key, _) in facts::scan_all(plan, KeyRange::Access { account, holder: holder.number() })? {
        if let Key::Access { facet, .. } = key {
            put_list(plan, account, holder, facet, AccessRecord::default())?;
        }
    }
    Ok(())
}

/// The lists that name a resource, of holders that exist.
pub(super) fn holders_with_access(
    view: &dyn View,
    account: Number,
    resource: Number,
) -> Result<Vec<(Holder, HolderName)>, ServiceError> {
    let mut holders = Vec::new();
    for (key, _) in facts::scan_all(view, KeyRange::ResourceAccess { account, resource })? {
        let Key::ResourceAccess { holder, .. } = key else { continue };
        holders.extend(facts::holder_name(view, account, holder)?.map(|name| (holder, name)));
    }
    Ok(holders)
}

/// Takes one resource out of one list that names it.
pub(super) fn remove_resource_access(
    plan: &mut Plan<'_>,
    account: Number,
    resource: Number,
    resource_type: Number,
    holder: Holder,
) -> Result<(), ServiceError> {
    let facet = FacetNumber::Type(resource_type);
    let mut record = access_of(plan, account, holder.number(), facet)?;
    record.values.retain(|value| *value != resource);
    put_list(plan, account, holder, facet, record)?;
    plan.remove(Key::ResourceAccess { account, resource, holder })
}

/// Whoever can have access lists, by its name.
fn find_listed(view: &dyn View, account: Number, name: &HolderName) -> Result<Holder, ServiceError> {
    if matches!(name, HolderName::ServiceAccount(_)) {
        return Err(ServiceError::field(
            "parent",
            "service accounts have no access lists; a user or a team is expected",
        ));
    }
    facts::find_holder(view, account, name)
}

fn facet_number(catalog: &CompiledCatalog, facet: Facet) -> Result<FacetNumber, ServiceError> {
    catalog.number_of_facet(facet).ok_or_else(|| ServiceError::new(ErrorReason::Internal, "the facet has no number"))
}

fn access_of(
    view: &dyn View,
    account: Number,
    holder: Number,
    facet: FacetNumber,
) -> Result<AccessRecord, ServiceError> {
    let record = facts::get_access(view, &Key::Access { account, holder, facet })?;
    Ok(record.map(|record| record.value).unwrap_or_default())
}

/// The numbers of values, which have to be there. Every bad one is named.
fn numbers_of(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    facet: Facet,
    values: &[String],
) -> Result<BTreeSet<Number>, ServiceError> {
    let (mut numbers, mut missing, mut wrong) = (BTreeSet::new(), Vec::new(), Vec::new());
    for (index, value) in values.iter().enumerate() {
        let number = match facet {
            Facet::Feature => match FeatureId::check(value) {
                Ok(()) => catalog.feature_number(value),
                Err(error) => {
                    wrong.push(Violation { field: format!("values[{index}]"), description: error.to_string() });
                    continue;
                }
            },
            Facet::Type(wanted) => match ResourcePath::new(value) {
                Ok(path) if catalog.type_of_path(value) == Some(wanted) => {
                    match facts::find_resource(view, account, catalog, &path) {
                        Ok((number, _)) => Some(number),
                        Err(error) if error.reason == ErrorReason::ResourceNotFound => None,
                        Err(error) => return Err(error),
                    }
                }
                outcome => {
                    let description = match outcome {
                        Err(error) => error.to_string(),
                        Ok(_) => format!(
                            "{value:?} was given; the path of a registered resource of the type {:?} is expected; {}",
                            catalog.facet_name(facet),
                            paths_of_catalog(catalog)
                        ),
                    };
                    wrong.push(Violation { field: format!("values[{index}]"), description });
                    continue;
                }
            },
        };
        match number {
            Some(number) => _ = numbers.insert(number),
            None => missing.push(value.as_str()),
        }
    }
    if !wrong.is_empty() {
        return Err(ServiceError::fields(wrong));
    }
    if missing.is_empty() {
        return Ok(numbers);
    }
    let shown: Vec<&str> = missing.iter().take(10).copied().collect();
    let more = if missing.len() > shown.len() { " and more" } else { "" };
    let shown = shown.join(", ");
    Err(match facet {
        Facet::Feature => {
            let id = &catalog.catalog().definition.id;
            ServiceError::new(ErrorReason::FeatureNotFound, format!("the catalog {id} has no feature {shown}{more}"))
        }
        Facet::Type(_) => ServiceError::new(
            ErrorReason::ResourceNotFound,
            format!("the account has no registered resource {shown}{more}; register it first"),
        ),
    }
    .with("missing", shown))
}

/// What a value is called; none: it is gone.
fn value_name(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    facet: Facet,
    value: Number,
) -> Result<Option<String>, ServiceError> {
    Ok(match facet {
        Facet::Feature => catalog
            .feature_of_number(value)
            .and_then(|feature| catalog.catalog().definition.features.get(feature.position()))
            .map(|feature| feature.id.to_string()),
        Facet::Type(_) => facts::get_resource(view, &Key::Resource { account, resource: value })?
            .map(|record| record.value.path.to_string()),
    })
}

/// A list as it is shown.
fn view_of(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    facet: Facet,
    record: &AccessRecord,
) -> Result<AccessListView, ServiceError> {
    let mut values = Vec::with_capacity(record.values.len());
    if !record.all {
        for value in &record.values {
            values.extend(value_name(view, account, catalog, facet, *value)?);
        }
    }
    // By segments, as resources are listed.
    values.sort_by(|one, other| one.split('/').cmp(other.split('/')));
    Ok(AccessListView { facet: catalog.facet_name(facet).to_owned(), all: record.all, values })
}

/// Puts a list into a plan, with what finds it from its resources; an empty one is taken out.
pub(super) fn put_list(
    plan: &mut Plan<'_>,
    account: Number,
    holder: Holder,
    facet: FacetNumber,
    record: AccessRecord,
) -> Result<(), ServiceError> {
    let before = access_of(plan, account, holder.number(), facet)?;
    if let FacetNumber::Type(_) = facet {
        for resource in before.values.iter().filter(|value| record.values.binary_search(value).is_err()) {
            plan.remove(Key::ResourceAccess { account, resource: *resource, holder })?;
        }
        for resource in record.values.iter().filter(|value| before.values.binary_search(value).is_err()) {
            plan.put(Key::ResourceAccess { account, resource: *resource, holder }, Record::Present)?;
        }
    }
    let key = Key::Access { account, holder: holder.number(), facet };
    if !record.all && record.values.is_empty() { plan.remove(key) } else { plan.put(key, Record::Access(record)) }
}
