//! Registered resources: what bindings and access lists can name. Created below one another, found, renamed, deleted.
//!
//! A resource's path is for good. What lies below it follows it in the order of paths, so that a resource with all below
//! it is one run of keys. Deleting one rewrites in the same write whatever names it or what lies below it.

use std::collections::BTreeSet;

use super::{
    access_lists::{holders_with_access, remove_resource_access},
    accounts::{account_and_catalog, account_and_catalog_at},
    bindings,
    core::{Page, ReadAt, Service},
    error::{ErrorReason, ServiceError},
    facts::{self, FoundAccount},
    manners::Etag,
    plan::Plan,
    uses::{Use, refuse_if_used},
    writer::Write,
};
use crate::{
    engine::CompiledCatalog,
    model::{
        AccountId, Key, KeyRange, Number, Record, ResourcePath, ResourceRecord, ResourceTypeId, Revision, Stamped,
        Timestamp,
    },
    store::View,
};

/// How many users of a resource are named, and how many paths of a catalog.
const NAMED: usize = 10;
/// How many names one look takes from the store.
const PIECE: usize = 1_000;

/// A resource to be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewResource {
    /// What it is called.
    pub path: ResourcePath,
    /// For people.
    pub display_name: String,
}

/// Which resources to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceFilter {
    /// Only those below this one.
    pub below: Option<ResourcePath>,
    /// Only those of this type.
    pub resource_type: Option<ResourceTypeId>,
}

/// A registered resource as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceView {
    /// What it is called.
    pub path: ResourcePath,
    /// The type that its path ends at.
    pub resource_type: ResourceTypeId,
    /// For people.
    pub display_name: String,
    /// When it was registered.
    pub created: Timestamp,
    /// When its own fields were last changed.
    pub updated: Timestamp,
    /// Its version.
    pub etag: Etag,
}

impl Service {
    /// One registered resource.
    ///
    /// # Errors
    /// If the account or the resource does not exist.
    pub async fn get_resource(
        &self,
        account: AccountId,
        path: ResourcePath,
        at: ReadAt,
    ) -> Result<(ResourceView, Revision), ServiceError> {
        self.read(at, move |core, view| {
            let (found, catalog) = account_and_catalog_at(core, &view, &account)?;
            shown(&view, found.number, &catalog.compiled, &path)
        })
        .await
    }

    /// Registered resources, each followed by what lies below it. `after`: the one with which the page before ended. Looks
    /// at a bounded number of them, so that a page can be shorter than it might be. Cost: linear in the page, and in the
    /// resources that the type leaves out.
    ///
    /// # Errors
    /// If the account, the resource above or the type does not exist.
    pub async fn list_registered_resources(
        &self,
        account: AccountId,
        filter: ResourceFilter,
        size: usize,
        after: Option<Number>,
        at: ReadAt,
    ) -> Result<Page<ResourceView>, ServiceError> {
        let ((items, next), revision) = self
            .read(at, move |core, view| {
                let (found, catalog) = account_and_catalog_at(core, &view, &account)?;
                let (account, catalog) = (found.number, &catalog.compiled);
                let wanted = filter.resource_type.as_ref();
                wanted.map_or(Ok(()), |id| check_type(catalog, id))?;
                if let Some(below) = &filter.below {
                    facts::find_resource(&view, account, catalog, below)?;
                }
                let after = match after {
                    // The page before ended with it, at the same revision.
                    Some(resource) => {
                        facts::get_resource(&view, &Key::Resource { account, resource })?.map(|last| last.value.path)
                    }
                    None => filter.below.clone(),
                };
                let mut list = List { items: Vec::new(), last: None, size, looked_at: 0 };
                let is_last = each_path(&view, account, after, |path, resource| {
                    if filter.below.as_ref().is_some_and(|below| !path.is_within(below)) {
                        return Ok(Look::Enough);
                    }
                    list.look(&view, account, catalog, wanted, resource)
                })?;
                let next = if is_last { None } else { list.last };
                Ok((list.items, next))
            })
            .await?;
        Ok(Page { items, next: next.map(|resource| resource.0.to_string()), revision })
    }
}

/// Whether to go on through the paths of an account.
enum Look {
    On,
    /// The rest is not wanted.
    Enough,
    /// There may be more, on another page.
    Full,
}

/// A page being filled.
struct List {
    items: Vec<ResourceView>,
    /// The last one that was looked at.
    last: Option<Number>,
    size: usize,
    looked_at: usize,
}

impl List {
    fn look(
        &mut self,
        view: &dyn View,
        account: Number,
        catalog: &CompiledCatalog,
        wanted: Option<&ResourceTypeId>,
        resource: Number,
    ) -> Result<Look, ServiceError> {
        if self.items.len() == self.size || self.looked_at == facts::LOOKED_AT {
            return Ok(Look::Full);
        }
        self.looked_at += 1;
        self.last = Some(resource);
        let record = facts::get_resource(view, &Key::Resource { account, resource })?;
        let found = record.and_then(|record| resource_view(catalog, resource, record));
        self.items.extend(found.filter(|found| wanted.is_none_or(|wanted| *wanted == found.resource_type)));
        Ok(Look::On)
    }
}

/// Goes through the paths of an account in order. Whether there are no more that are wanted.
fn each_path(
    view: &dyn View,
    account: Number,
    after: Option<ResourcePath>,
    mut look: impl FnMut(&ResourcePath, Number) -> Result<Look, ServiceError>,
) -> Result<bool, ServiceError> {
    let mut after = after.map(|path| Key::ResourceName { account, path });
    loop {
        let piece = view.scan(KeyRange::ResourceNames(account), after.as_ref(), PIECE)?;
        let is_last = piece.len() < PIECE;
        for (key, name) in piece {
            if let (Key::ResourceName { path, .. }, Record::Name(resource)) = (&key, name.value) {
                match look(path, resource)? {
                    Look::On => {}
                    Look::Enough => return Ok(true),
                    Look::Full => return Ok(false),
                }
            }
            after = Some(key);
        }
        if is_last {
            return Ok(true);
        }
    }
}

/// Registers a resource. Refused if the account or the resource right above does not exist, the path is none of the
/// catalog or taken, or the account has as many as it can have.
#[must_use]
pub fn create_resource(account: AccountId, new: NewResource) -> Write<ResourceView> {
    Write::new("CreateResource", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        register(plan, &found, &catalog.compiled, "resource.path", &new)?;
        shown(plan, found.number, &catalog.compiled, &new.path)
    })
}

/// Registers resources in the order given: all of them, or none. Refused as [`create_resource`].
#[must_use]
pub fn create_resources(account: AccountId, new: Vec<NewResource>) -> Write<Vec<ResourceView>> {
    Write::new("BatchCreateResources", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        for (index, new) in new.iter().enumerate() {
            register(plan, &found, &catalog.compiled, &format!("resources[{index}].path"), new)?;
        }
        new.iter().map(|new| shown(plan, found.number, &catalog.compiled, &new.path)).collect()
    })
}

/// Renames a resource for people. Refused if the account or the resource does not exist, or it is another version than
/// expected.
#[must_use]
pub fn update_resource(
    account: AccountId,
    path: ResourcePath,
    display_name: Option<String>,
    expected: Option<Etag>,
) -> Write<ResourceView> {
    Write::new("UpdateResource", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let (account, catalog) = (found.number, &catalog.compiled);
        let (resource, before) = facts::find_resource(plan, account, catalog, &path)?;
        Etag { number: resource, revision: before.revision }.expect(expected)?;
        let mut record = before.value.clone();
        record.display_name = display_name.unwrap_or(record.display_name);
        if record != before.value {
            record.updated = plan.time;
        }
        plan.put(Key::Resource { account, resource }, Record::Resource(record))?;
        shown(plan, account, catalog, &path)
    })
}

/// Deletes a resource. Gives what went with it. Refused if the account or the resource does not exist, it is another
/// version than expected, or, unless forced, while there are resources below it, bindings on it or below, or access lists
/// that name it or what is below. Cost: linear in all of that.
#[must_use]
pub fn delete_resource(account: AccountId, path: ResourcePath, force: bool, expected: Option<Etag>) -> Write<Vec<Use>> {
    Write::new("DeleteResource", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let (resource, record) = facts::find_resource(plan, found.number, &catalog.compiled, &path)?;
        Etag { number: resource, revision: record.revision }.expect(expected)?;
        let tree = subtree(plan, found.number, &path)?;
        let uses = uses_of(plan, &account, &found, &catalog.compiled, &path, &tree)?;
        if !force {
            refuse_if_used(uses.clone())?;
        }
        for (_, resource) in tree {
            remove_resource(plan, found.number, resource)?;
        }
        Ok(uses)
    })
}

/// Registers one resource, and counts it. A wrong path is named as `field`.
fn register(
    plan: &mut Plan<'_>,
    found: &FoundAccount,
    catalog: &CompiledCatalog,
    field: &str,
    new: &NewResource,
) -> Result<(), ServiceError> {
    let (account, path) = (found.number, &new.path);
    let of = catalog.type_of_path(path.as_str());
    let Some(resource_type) = of.and_then(|of| catalog.number_of_resource_type(of)) else {
        let given = path.as_str();
        return Err(ServiceError::field(field, format!("{given:?} was given; {}", paths_of_catalog(catalog))));
    };
    if let Some(parent) = path.parent() {
        facts::find_resource(plan, account, catalog, &parent)?;
    }
    if let Some(taken) = facts::get_name(plan, &Key::ResourceName { account, path: path.clone() })? {
        if facts::find_resource(plan, account, catalog, path).is_ok() {
            return Err(ServiceError::new(
                ErrorReason::AlreadyExists,
                format!("the resource {:?} is registered already", path.as_str()),
            ));
        }
        // Left over from a type that the catalog had, and yet to be swept.
        remove_resource(plan, account, taken.value)?;
    }
    insert_resource(plan, account, resource_type, new)?;
    plan.count_resources(account, 1)
}

/// Puts a new resource into a plan, without counting it.
pub(super) fn insert_resource(
    plan: &mut Plan<'_>,
    account: Number,
    resource_type: Number,
    new: &NewResource,
) -> Result<Number, ServiceError> {
    let (path, display_name, time) = (new.path.clone(), new.display_name.clone(), plan.time);
    let resource = plan.allocate();
    plan.put(Key::ResourceName { account, path: path.clone() }, Record::Name(resource))?;
    let record = ResourceRecord { path, resource_type, display_name, created: time, updated: time };
    plan.put(Key::Resource { account, resource }, Record::Resource(record))?;
    Ok(resource)
}

/// A resource with all that is below it, in the order of paths.
pub(super) fn subtree(
    view: &dyn View,
    account: Number,
    path: &ResourcePath,
) -> Result<Vec<(ResourcePath, Number)>, ServiceError> {
    let mut tree = Vec::new();
    if let Some(name) = facts::get_name(view, &Key::ResourceName { account, path: path.clone() })? {
        tree.push((path.clone(), name.value));
    }
    each_path(view, account, Some(path.clone()), |below, resource| {
        if !below.is_within(path) {
            return Ok(Look::Enough);
        }
        tree.push((below.clone(), resource));
        Ok(Look::On)
    })?;
    Ok(tree)
}

/// Takes one resource out of a plan with what names it, not with what is below it, and counts it.
pub(super) fn remove_resource(plan: &mut Plan<'_>, account: Number, resource: Number) -> Result<(), ServiceError> {
    for (key, _) in facts::scan_all(plan, KeyRange::ResourceBindings { account, resource })? {
        if let Key::ResourceBinding { binding, .. } = key {
            bindings::remove_binding(plan, account, binding)?;
            plan.remove(key)?;
        }
    }
    let Some(record) = facts::get_resource(plan, &Key::Resource { account, resource })? else { return Ok(()) };
    let record = record.value;
    for (key, _) in facts::scan_all(plan, KeyRange::ResourceAccess { account, resource })? {
        if let Key::ResourceAccess { holder, .. } = key {
            remove_resource_access(plan, account, resource, record.resource_type, holder)?;
        }
    }
    let name = Key::ResourceName { account, path: record.path };
    if facts::get_name(plan, &name)?.is_some_and(|name| name.value == resource) {
        plan.remove(name)?;
    }
    plan.remove(Key::Resource { account, resource })?;
    plan.count_resources(account, -1)
}

/// What uses a resource or what is below it. What is void does not count.
fn uses_of(
    view: &dyn View,
    account_id: &AccountId,
    found: &FoundAccount,
    catalog: &CompiledCatalog,
    path: &ResourcePath,
    tree: &[(ResourcePath, Number)],
) -> Result<Vec<Use>, ServiceError> {
    let account = found.number;
    let mut below = Use { kind: "resources", count: 0, names: Vec::new() };
    let mut on = Use { kind: "role_bindings", count: 0, names: Vec::new() };
    let mut naming = Use { kind: "access_lists", count: 0, names: Vec::new() };
    let mut lists = BTreeSet::new();
    for (each, resource) in tree {
        let key = Key::Resource { account, resource: *resource };
        let Some(record) = facts::get_resource(view, &key)? else { continue };
        let resource_type = record.value.resource_type;
        if catalog.resource_type_of_number(resource_type).is_none() {
            continue;
        }
        if each != path {
            note(&mut below, || format!("accounts/{account_id}/resources/{each}"));
        }
        for (key, _) in facts::scan_all(view, KeyRange::ResourceBindings { account, resource: *resource })? {
            let Key::ResourceBinding { binding, .. } = key else { continue };
            let Some(record) = facts::get_binding(view, &Key::Binding { account, binding })? else { continue };
            let role = facts::role_of_number(view, account, catalog, record.value.role, &mut |_| {})?;
            if role.is_some() && facts::holder_name(view, account, record.value.holder)?.is_some() {
                note(&mut on, || format!("accounts/{account_id}/roleBindings/{}", binding.0));
            }
        }
        for (holder, name) in holders_with_access(view, account, *resource)? {
            if lists.insert((holder, resource_type)) {
                note(&mut naming, || format!("accounts/{account_id}/{name}"));
            }
        }
    }
    Ok([below, on, naming].into_iter().filter(|each| each.count > 0).collect())
}

fn note(uses: &mut Use, name: impl FnOnce() -> String) {
    uses.count += 1;
    if uses.names.len() < NAMED {
        uses.names.push(name());
    }
}

fn check_type(catalog: &CompiledCatalog, id: &ResourceTypeId) -> Result<(), ServiceError> {
    if catalog.resource_type(id.as_str()).is_some() {
        return Ok(());
    }
    let name = &catalog.catalog().definition.id;
    let message = format!("the catalog {name} has no resource type {id:?}");
    Err(ServiceError::new(ErrorReason::ResourceTypeNotFound, message).with("resource_type", id.as_str()))
}

/// What paths look like under a catalog, for people who gave another one.
pub(super) fn paths_of_catalog(catalog: &CompiledCatalog) -> String {
    let types = &catalog.catalog().definition.resource_types;
    if types.is_empty() {
        return "the catalog has no resource types, so nothing can be registered".to_owned();
    }
    let shown: Vec<String> = types.iter().take(NAMED).map(|each| words(catalog, each)).collect();
    let more = if types.len() > shown.len() { " and more" } else { "" };
    format!("the paths of the catalog are {}{more}", shown.join(", "))
}

/// The path of a type, such as `workspaces/{workspace}/lines/{line}`.
fn words(catalog: &CompiledCatalog, of: &crate::model::ResourceType) -> String {
    let mut words = Vec::new();
    let mut next = Some(of);
    while let Some(each) = next.filter(|_| words.len() <= crate::model::MAX_PATH_TYPES) {
        words.push(format!("{}/{{{}}}", each.plural, each.id));
        let parent = each.parent;
        next = parent.and_then(|parent| catalog.catalog().definition.resource_types.get(parent.position()));
    }
    words.reverse();
    words.join("/")
}

fn shown(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    path: &ResourcePath,
) -> Result<ResourceView, ServiceError> {
    let (resource, record) = facts::find_resource(view, account, catalog, path)?;
    resource_view(catalog, resource, record)
        .ok_or_else(|| ServiceError::new(ErrorReason::Internal, "the resource has no type"))
}

/// A resource as it is shown; none if the catalog has its type no more.
fn resource_view(catalog: &CompiledCatalog, resource: Number, record: Stamped<ResourceRecord>) -> Option<ResourceView> {
    let etag = Etag { number: resource, revision: record.revision };
    let ResourceRecord { path, resource_type, display_name, created, updated } = record.value;
    let of = catalog.resource_type_of_number(resource_type)?;
    let resource_type = catalog.catalog().definition.resource_types.get(of.position())?.id.clone();
    Some(ResourceView { path, resource_type, display_name, created, updated, etag })
}
