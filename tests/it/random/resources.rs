//! Registered resources: made, renamed, deleted, shown.

use rolecall::{proto, service::ErrorReason};

use super::{
    super::oracle::paths::{is_at_or_above, segments},
    Difference, Place, Set, Worker,
    expected::{Wrong, counted, removed},
    manners::send,
    same,
    views::page_size,
};

/// The path right above another one; none at the top.
fn parent(path: &str) -> Option<String> {
    let whole = segments(path, '/');
    (whole.len() > 2).then(|| whole[..whole.len() - 2].join("/"))
}

impl Worker {
    /// A path to register: mostly one of a type, right below what is registered.
    fn new_path(&mut self, place: &Place) -> String {
        if self.random.chance(4) {
            return self.random.pick(["sites", "sites/x0/lines/x1/more/x2", "nothing/x0", "x"]).unwrap().to_owned();
        }
        let Some(resource_type) = self.random.pick(place.types()) else { return "sites/x0".into() };
        let path = place.catalog.path(&mut self.random, &resource_type);
        match parent(&path) {
            // Most are to succeed.
            Some(above) if !place.has_path(&above) && self.random.chance(80) => segments(&path, '/')[..2].join("/"),
            _ => path,
        }
    }

    /// What is wrong with registering a path where these are registered.
    fn check_new(place: &Place, known: &Set, path: &str, wrong: &mut Wrong) {
        if place.catalog.type_of(path).is_none() {
            wrong.push(ErrorReason::FieldInvalid);
        } else if known.contains(path) {
            wrong.push(ErrorReason::AlreadyExists);
        } else if parent(path).is_some_and(|above| !known.contains(&above)) {
            wrong.push(ErrorReason::ResourceNotFound);
        }
    }

    pub(super) async fn create_resource(&mut self, place: &Place) -> Result<(), Difference> {
        let path = self.new_path(place);
        let mut wrong = place.missing();
        Self::check_new(place, &place.paths().into_iter().collect(), &path, &mut wrong);
        let after = self.after(&place.id, &mut wrong, |oracle| oracle.register_resource(&place.id, &path));
        let resource = proto::Resource { path: path.clone(), display_name: "A thing".into(), ..Default::default() };
        let (parent, resource) = (place.name.clone(), Some(resource));
        let request = proto::CreateResourceRequest { parent, resource, ..Default::default() };
        if let Some(answer) = send!(self, resources.create_resource, request, wrong).await? {
            self.oracle = after;
            self.same_resource(&place.id, &path, answer.resource)?;
        }
        Ok(())
    }

    pub(super) async fn create_resources(&mut self, place: &Place) -> Result<(), Difference> {
        let mut wrong = place.missing();
        let mut known: Set = place.paths().into_iter().collect();
        let mut paths = Vec::new();
        for _ in 0..self.random.below(4) {
            let mut path = self.new_path(place);
            if let Some(resource_type) = self.random.pick(place.types()).filter(|_| self.random.chance(70)) {
                path = place.catalog.path(&mut self.random, &resource_type);
            }
            // With what lies above it, mostly.
            let whole = segments(&path, '/');
            for steps in 1..=whole.len() / 2 {
                let above = whole[..2 * steps].join("/");
                if (!known.contains(&above) && self.random.chance(95)) || above == path && self.random.chance(5) {
                    Self::check_new(place, &known, &above, &mut wrong);
                    known.insert(above.clone());
                    paths.push(above);
                }
            }
        }
        if paths.is_empty() {
            wrong.push(ErrorReason::FieldInvalid);
        }
        let after = self.after(&place.id, &mut wrong, |oracle| {
            paths.iter().for_each(|path| oracle.register_resource(&place.id, path));
        });
        let resource = |path: &String| proto::Resource { path: path.clone(), ..Default::default() };
        let request = proto::BatchCreateResourcesRequest {
            parent: place.name.clone(),
            resources: paths.iter().map(resource).collect(),
            ..Default::default()
        };
        if let Some(answer) = send!(self, resources.batch_create_resources, request, wrong).await? {
            self.oracle = after;
            same("the number of resources made", &answer.resources.len(), &paths.len())?;
            for (path, given) in paths.iter().zip(answer.resources) {
                self.same_resource(&place.id, path, Some(given))?;
            }
        }
        Ok(())
    }

    pub(super) async fn update_resource(&mut self, place: &Place) -> Result<(), Difference> {
        let path = self.one_of(place.paths(), ["sites/x9".to_owned()]);
        let mut wrong = place.without(place.has_path(&path), ErrorReason::ResourceNotFound);
        let name = format!("{}/resources/{path}", place.name);
        let etag = self.etag(&name, &mut wrong).await?;
        let display_name = ["One", "Two"][self.random.below(2)].into();
        let resource = Some(proto::Resource { name, display_name, etag, ..Default::default() });
        let request = proto::UpdateResourceRequest { resource, ..Default::default() };
        if let Some(answer) = send!(self, resources.update_resource, request, wrong).await? {
            self.same_resource(&place.id, &path, answer.resource)?;
        }
        Ok(())
    }

    pub(super) async fn delete_resource(&mut self, place: &Place) -> Result<(), Difference> {
        let path = self.one_of(place.paths(), ["sites/x9".to_owned()]);
        let mut wrong = place.without(place.has_path(&path), ErrorReason::ResourceNotFound);
        let name = format!("{}/resources/{path}", place.name);
        let etag = self.etag(&name, &mut wrong).await?;
        let uses = self.oracle.uses_of_resource(&place.id, &path);
        let force = self.random.chance(50);
        if !force && !uses.is_empty() {
            wrong.push(ErrorReason::InUse);
        }
        let after = self.after(&place.id, &mut wrong, |oracle| oracle.delete_resource(&place.id, &path));
        let request = proto::DeleteResourceRequest { name: name.clone(), etag, force, ..Default::default() };
        if let Some(answer) = send!(self, resources.delete_resource, request, wrong).await? {
            self.oracle = after;
            self.bury(&name);
            same("what went with the resource", &removed(answer.removed), &counted(&uses, "members"))?;
            self.compared("what a deletion removed");
        }
        Ok(())
    }

    pub(super) fn same_resource(
        &self,
        account: &str,
        path: &str,
        given: Option<proto::Resource>,
    ) -> Result<String, Difference> {
        let given = given.unwrap_or_default();
        let catalog = &self.oracle.catalogs[&self.oracle.accounts[account].catalog];
        let of = catalog.type_of(path).unwrap_or_default();
        let expected = (format!("accounts/{account}/resources/{path}"), path.to_owned(), of);
        same("the resource", &(given.name, given.path, given.resource_type), &expected)?;
        Ok(given.etag)
    }

    pub(super) async fn list_registered(&mut self, account: &str) -> Result<(), Difference> {
        let mut request = proto::ListRegisteredResourcesRequest {
            parent: format!("accounts/{account}"),
            page_size: page_size(&mut self.random),
            ..Default::default()
        };
        let place = self.place_of(account.to_owned());
        let mut expected = place.paths();
        if let Some(resource_type) = self.random.pick(place.types()).filter(|_| self.random.chance(30)) {
            expected.retain(|path| place.catalog.type_of(path).as_ref() == Some(&resource_type));
            request.resource_type = resource_type;
        }
        if let Some(below) = self.random.pick(place.paths()).filter(|_| self.random.chance(30)) {
            expected.retain(|path| *path != below && is_at_or_above(&below, path));
            request.below = below;
        }
        let listed = super::views::pages!(self, resources.list_registered_resources, request, resources);
        let given: Vec<String> = listed.iter().map(|each| each.path.clone()).collect();
        same(&format!("the resources of {account}"), &given, &expected)?;
        for (path, given) in expected.iter().zip(listed) {
            self.same_resource(account, path, Some(given))?;
        }
        self.compared("list of registered resources");
        Ok(())
    }
}
