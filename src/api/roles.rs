//! RoleService.

use tonic::{Request, Response, Status};

use super::{Api, MAX_LIST_BYTES, convert, limit_size, parse::Fields};
use crate::{
    model::{ResourceTypeId, Revision, RoleId},
    proto::{
        self, AddRolePermissionsRequest, AddRolePermissionsResponse, CreateRoleRequest, CreateRoleResponse,
        DeleteRoleRequest, DeleteRoleResponse, DuplicateRoleRequest, DuplicateRoleResponse, GetRoleRequest,
        GetRoleResponse, ImportRolePermissionsRequest, ImportRolePermissionsResponse, ListRoleHoldersRequest,
        ListRoleHoldersResponse, ListRolePermissionsRequest, ListRolePermissionsResponse, ListRolesRequest,
        ListRolesResponse, RemoveRolePermissionsRequest, RemoveRolePermissionsResponse, RoleView, UpdateRoleRequest,
        UpdateRoleResponse, role_service_server::RoleService,
    },
    service::{
        self, HolderName, MAX_CHANGES_OF_A_WRITE, MAX_FACETS, MAX_PARENTS_OR_POLICIES_OF_A_ROLE, NewRole,
        PermissionChoice, PolicyName, ReadAt, RoleCopy, RoleFilter, RoleKind, RoleName, RoleOrder, RoleUpdate,
    },
};

/// The fields of a custom role that an update can be about.
const UPDATABLE: [&str; 7] = [
    "display_name",
    "description",
    "permissions",
    "left_out_api_scopes",
    "access_policies",
    "parents",
    "covered_facets",
];

#[tonic::async_trait]
impl RoleService for Api {
    async fn get_role(&self, request: Request<GetRoleRequest>) -> Result<Response<GetRoleResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let name = fields.role("name", &request.name);
        let account = match request.account.as_str() {
            "" => None,
            account => fields.account("account", account),
        };
        if let (Some(RoleName::Account(of, _)), Some(account)) = (&name, &account)
            && of != account
        {
            fields.wrong(
                "account",
                format!("accounts/{account} was given; the role's own account or nothing is expected"),
            );
        }
        let name = fields.done(name)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let (view, revision) = self.service.get_role(name, account, request.show_internal, at).await?;
        let role = Some(convert::role(&self.tokens, view));
        Ok(Response::new(GetRoleResponse { role, consistency_token: self.tokens.write(revision) }))
    }

    async fn list_roles(&self, request: Request<ListRolesRequest>) -> Result<Response<ListRolesResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let account = fields.account("parent", &request.parent);
        let (order, descending) = order(&mut fields, &request.order_by);
        let is_basic = match RoleView::try_from(request.view) {
            Ok(view) => view == RoleView::Basic,
            Err(_) => {
                let given = request.view;
                fields.wrong("view", format!("{given} was given; ROLE_VIEW_BASIC or ROLE_VIEW_FULL is expected"));
                false
            }
        };
        let (kind, search) = (kind(&mut fields, request.kind), fields.search(&request.search));
        let show_internal = request.show_internal;
        let filter = RoleFilter { show_internal, kind, search, order, descending, is_basic };
        let account = fields.done(account)?;
        let filter_text = format!("{filter:?}");
        let arguments = ["ListRoles", account.as_str(), &filter_text];
        let page = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.after.clone();
        let list = self.service.list_roles(account.clone(), filter, size, after, page.at).await?;
        let shown = |view| match is_basic {
            true => convert::basic_role(&self.tokens, view),
            false => convert::role(&self.tokens, view),
        };
        Ok(Response::new(ListRolesResponse {
            roles: list.items.into_iter().map(shown).collect(),
            next_page_token: self.next_page(list.next, list.revision, &page, &arguments),
            consistency_token: self.tokens.write(list.revision),
        }))
    }

    async fn create_role(&self, request: Request<CreateRoleRequest>) -> Result<Response<CreateRoleResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let account = fields.account("parent", &request.parent);
        let id = fields.id("role_id", &request.role_id, RoleId::new);
        let given = fields.required("role", request.role).unwrap_or_default();
        let display_name = fields.required_name("role.display_name", given.display_name);
        let description = fields.description("role.description", given.description);
        let contains = PermissionChoice {
            permissions: fields.permissions("role.permissions", &given.permissions),
            sections: fields.sections("sections", &request.sections),
            roles: managed_roles(&mut fields, "import_roles", &request.import_roles),
        };
        let left_out_api_scopes = fields.left_out("role.left_out_api_scopes", &given.left_out_api_scopes);
        let policies = policies(&mut fields, &given.access_policies);
        let parents = fields.roles("role.parents", &given.parents, MAX_PARENTS_OR_POLICIES_OF_A_ROLE);
        let covered_facets = covered_facets(&mut fields, given.covered_facets);
        let holders: Vec<HolderName> = fields.list("holders", &request.holders, MAX_CHANGES_OF_A_WRITE, Fields::holder);
        let (account, id) = fields.done(account.zip(id))?;
        let new = NewRole {
            id,
            display_name,
            description,
            contains,
            left_out_api_scopes,
            policies,
            parents,
            covered_facets,
            holders,
        };
        let (tokens, write) = (self.tokens, service::create_role(account, new));
        self.respond(write, manners, move |view, consistency_token| CreateRoleResponse {
            role: Some(convert::role(&tokens, view)),
            consistency_token,
        })
        .await
    }

    async fn update_role(&self, request: Request<UpdateRoleRequest>) -> Result<Response<UpdateRoleResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let given = fields.required("role", request.role).unwrap_or_default();
        let name = fields.custom_role("role.name", &given.name);
        let etag = fields.etag(&self.tokens, "role.etag", &given.etag);
        let mask = fields.mask(request.update_mask, &UPDATABLE);
        let update = RoleUpdate {
            display_name: mask.take("display_name", || fields.required_name("role.display_name", given.display_name)),
            description: mask.take("description", || fields.description("role.description", given.description)),
            permissions: mask.take("permissions", || fields.permissions("role.permissions", &given.permissions)),
            left_out_api_scopes: mask.take("left_out_api_scopes", || {
                fields.left_out("role.left_out_api_scopes", &given.left_out_api_scopes)
            }),
            policies: mask.take("access_policies", || policies(&mut fields, &given.access_policies)),
            parents: mask
                .take("parents", || fields.roles("role.parents", &given.parents, MAX_PARENTS_OR_POLICIES_OF_A_ROLE)),
            covered_facets: mask.take("covered_facets", || covered_facets(&mut fields, given.covered_facets)),
        };
        let (account, id) = fields.done(name)?;
        let (tokens, write) = (self.tokens, service::update_role(account, id, update, etag));
        self.respond(write, manners, move |view, consistency_token| UpdateRoleResponse {
            role: Some(convert::role(&tokens, view)),
            consistency_token,
        })
        .await
    }

    async fn delete_role(&self, request: Request<DeleteRoleRequest>) -> Result<Response<DeleteRoleResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let name = fields.custom_role("name", &request.name);
        let etag = fields.etag(&self.tokens, "etag", &request.etag);
        let (account, id) = fields.done(name)?;
        let write = service::delete_role(account.clone(), id.clone(), request.force, etag);
        let mut answer = self
            .respond(write, manners, |deleted, consistency_token| DeleteRoleResponse {
                consistency_token,
                holder_counts: Some(proto::RoleHolderCounts {
                    direct_user_count: convert::count(deleted.holders.users),
                    service_account_count: convert::count(deleted.holders.service_accounts),
                    team_count: convert::count(deleted.holders.teams),
                    ..proto::RoleHolderCounts::default()
                }),
                removed: deleted.removed.into_iter().map(convert::removed).collect(),
            })
            .await?;
        // Who held it through teams can be very many: they are counted afterwards, as they stood just before, and not on
        // the one thread that writes.
        let revision = self.tokens.read(&answer.get_ref().consistency_token)?;
        let before = Revision(revision.0 - u64::from(!request.validate_only && revision.0 > 0));
        let role = RoleName::Account(account, id);
        match self.service.role_holder_counts(role, ReadAt::Exact(before)).await {
            Ok(counts) => answer.get_mut().holder_counts = Some(convert::holder_counts(counts)),
            Err(error) => tracing::warn!(%error, "who held a deleted role through teams could not be counted"),
        }
        Ok(answer)
    }

    async fn duplicate_role(
        &self,
        request: Request<DuplicateRoleRequest>,
    ) -> Result<Response<DuplicateRoleResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let source = fields.role("name", &request.name);
        let account = fields.account("parent", &request.parent);
        let id = fields.id("role_id", &request.role_id, RoleId::new);
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let display_name = given(fields.name("display_name", request.display_name));
        let description = given(fields.description("description", request.description));
        let ((source, account), id) = fields.done(source.zip(account).zip(id))?;
        let copy = RoleCopy { source, id, display_name, description };
        let (tokens, write) = (self.tokens, service::duplicate_role(account, copy));
        self.respond(write, manners, move |copied, consistency_token| DuplicateRoleResponse {
            role: Some(convert::role(&tokens, copied.role)),
            consistency_token,
            omitted_parts: copied.omitted_parts.into_iter().map(ToOwned::to_owned).collect(),
        })
        .await
    }

    async fn import_role_permissions(
        &self,
        request: Request<ImportRolePermissionsRequest>,
    ) -> Result<Response<ImportRolePermissionsResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let name = fields.custom_role("name", &request.name);
        if request.roles.is_empty() {
            fields.wrong("roles", format!("0 were given; 1 to {MAX_CHANGES_OF_A_WRITE} are expected"));
        }
        let roles = managed_roles(&mut fields, "roles", &request.roles);
        let etag = fields.etag(&self.tokens, "etag", &request.etag);
        let (account, id) = fields.done(name)?;
        let choice = PermissionChoice { roles, ..PermissionChoice::default() };
        let write = service::add_permissions("ImportRolePermissions", account, id, choice, etag);
        let tokens = self.tokens;
        self.respond(write, manners, move |changed, consistency_token| ImportRolePermissionsResponse {
            role: Some(convert::role(&tokens, changed.role)),
            added_permissions: changed.changed.iter().map(ToString::to_string).collect(),
            consistency_token,
        })
        .await
    }

    async fn add_role_permissions(
        &self,
        request: Request<AddRolePermissionsRequest>,
    ) -> Result<Response<AddRolePermissionsResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let name = fields.custom_role("name", &request.name);
        let choice = choice(&mut fields, &request.permissions, &request.sections);
        let etag = fields.etag(&self.tokens, "etag", &request.etag);
        let (account, id) = fields.done(name)?;
        let write = service::add_permissions("AddRolePermissions", account, id, choice, etag);
        let tokens = self.tokens;
        self.respond(write, manners, move |changed, consistency_token| AddRolePermissionsResponse {
            role: Some(convert::role(&tokens, changed.role)),
            added_permissions: changed.changed.iter().map(ToString::to_string).collect(),
            consistency_token,
        })
        .await
    }

    async fn remove_role_permissions(
        &self,
        request: Request<RemoveRolePermissionsRequest>,
    ) -> Result<Response<RemoveRolePermissionsResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let name = fields.custom_role("name", &request.name);
        let choice = choice(&mut fields, &request.permissions, &request.sections);
        let etag = fields.etag(&self.tokens, "etag", &request.etag);
        let (account, id) = fields.done(name)?;
        let write = service::remove_permissions(account, id, choice, etag);
        let tokens = self.tokens;
        self.respond(write, manners, move |changed, consistency_token| RemoveRolePermissionsResponse {
            role: Some(convert::role(&tokens, changed.role)),
            removed_permissions: changed.changed.iter().map(ToString::to_string).collect(),
            consistency_token,
        })
        .await
    }

    async fn list_role_permissions(
        &self,
        request: Request<ListRolePermissionsRequest>,
    ) -> Result<Response<ListRolePermissionsResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let name = fields.role("name", &request.name);
        let name = fields.done(name)?;
        let (contained_only, show_internal) = (request.contained_only, request.show_internal);
        let shown = format!("{contained_only} {show_internal}");
        let arguments = ["ListRolePermissions", &request.name, &shown];
        let page = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.after.clone();
        let list =
            self.service.list_role_permissions(name, contained_only, show_internal, size, after, page.at).await?;
        Ok(Response::new(ListRolePermissionsResponse {
            sections: list.items.into_iter().map(convert::role_section).collect(),
            next_page_token: self.next_page(list.next, list.revision, &page, &arguments),
            consistency_token: self.tokens.write(list.revision),
        }))
    }

    async fn list_role_holders(
        &self,
        request: Request<ListRoleHoldersRequest>,
    ) -> Result<Response<ListRoleHoldersResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let account = fields.account("parent", &request.parent);
        let role = fields.role("role", &request.role);
        let (account, role) = fields.done(account.zip(role))?;
        let internal = if request.show_internal { "internal" } else { "" };
        let arguments = ["ListRoleHolders", account.as_str(), &request.role, internal];
        let page = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.after.clone();
        let list =
            self.service.list_role_holders(account.clone(), role, request.show_internal, size, after, page.at).await?;
        Ok(Response::new(ListRoleHoldersResponse {
            holders: list.items.into_iter().map(|view| convert::role_holder(&self.tokens, &account, view)).collect(),
            next_page_token: self.next_page(list.next, list.revision, &page, &arguments),
            consistency_token: self.tokens.write(list.revision),
        }))
    }
}

/// The access policies of a custom role.
fn policies(fields: &mut Fields, texts: &[String]) -> Vec<PolicyName> {
    fields.list("role.access_policies", texts, MAX_PARENTS_OR_POLICIES_OF_A_ROLE, Fields::policy)
}

/// The facets that a custom role covers whole, by name. Whether the catalog has them is for whoever has the catalog.
fn covered_facets(fields: &mut Fields, texts: Vec<String>) -> Vec<String> {
    let checked = fields.list("role.covered_facets", &texts, MAX_FACETS, |fields, field, text| {
        fields.id(field, text, ResourceTypeId::check)
    });
    if checked.len() == texts.len() { texts } else { Vec::new() }
}

/// Managed roles whose permissions are copied.
fn managed_roles(fields: &mut Fields, field: &str, texts: &[String]) -> Vec<RoleName> {
    fields.list(field, texts, MAX_CHANGES_OF_A_WRITE, |fields, field, text| match fields.role(field, text)? {
        RoleName::Account(..) => {
            fields.wrong(
                field,
                format!("{text:?} was given; a managed role, \"catalogs/{{catalog}}/roles/{{role}}\", is expected"),
            );
            None
        }
        managed => Some(managed),
    })
}

/// Single permissions and whole sections, at least one of them.
fn choice(fields: &mut Fields, permissions: &[String], sections: &[String]) -> PermissionChoice {
    if permissions.is_empty() && sections.is_empty() {
        for field in ["permissions", "sections"] {
            fields.wrong(field, "nothing was given; permissions or sections are expected");
        }
    }
    PermissionChoice {
        permissions: fields.permissions("permissions", permissions),
        sections: fields.sections("sections", sections),
        roles: Vec::new(),
    }
}

fn order(fields: &mut Fields, text: &str) -> (RoleOrder, bool) {
    let (by, descending) = match text.strip_suffix(" desc") {
        Some(by) => (by, true),
        None => (text, false),
    };
    let order = match by {
        "" if !descending => RoleOrder::Id,
        "id" => RoleOrder::Id,
        "display_name" => RoleOrder::DisplayName,
        "user_count" => RoleOrder::UserCount,
        "permission_count" => RoleOrder::PermissionCount,
        _ => {
            let cut: String = text.chars().take(256).collect();
            fields.wrong(
                "order_by",
                format!(
                    "{cut:?} was given; \"id\", \"display_name\", \"user_count\" or \"permission_count\" is expected, \
                     with \" desc\" behind it for the largest first"
                ),
            );
            RoleOrder::Id
        }
    };
    (order, descending)
}

fn kind(fields: &mut Fields, kind: i32) -> Option<RoleKind> {
    use proto::role::Kind;
    match Kind::try_from(kind) {
        Ok(Kind::Unspecified) => None,
        Ok(Kind::Managed) => Some(RoleKind::Managed),
        Ok(Kind::Internal) => Some(RoleKind::Internal),
        Ok(Kind::Custom) => Some(RoleKind::Custom),
        Err(_) => {
            fields.wrong("kind", format!("{kind} was given; KIND_MANAGED, KIND_CUSTOM or KIND_INTERNAL is expected"));
            None
        }
    }
}
