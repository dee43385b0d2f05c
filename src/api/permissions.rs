//! ListPermissions: all that a subject may do. A list that was asked for before goes out as it was written down then.

use prost::Message as _;
use tonic::Status;

use super::{
    Api, MAX_LIST_BYTES,
    authorization::{effective_permission, subject_of},
    convert, limit_size,
    parse::Fields,
    wire::{Malformed, Written, add_text},
};
use crate::{
    model::AccountId,
    proto::{self, ListPermissionsRequest, ListPermissionsResponse},
    service::{AccessView, ListedPermissions, MAX_PAGE, SubjectName},
};

impl Api {
    /// ListPermissions, from the bytes of its request to those of its answer. Cost: that of two look-ups if it was asked for
    /// before and still holds, and linear in the answer.
    ///
    /// # Errors
    /// As the method says.
    pub async fn answer_permissions(&self, request: &[u8]) -> Result<Written, Status> {
        let request = ListPermissionsRequest::decode(request).map_err(Malformed::from)?;
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let account = fields.account("account", &request.account);
        let subject = subject_of(&mut fields, &request.subject);
        let (account, (kind, id)) = fields.done(account.zip(subject))?;
        let subject = SubjectName::new(account.as_str(), kind, id);
        let arguments = ["ListPermissions", account.as_str(), &request.subject];
        let page = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        if page.after.is_none() && size == MAX_PAGE {
            let of = account.clone();
            let write = move |listed| response(&of, listed).encode_to_vec();
            let (written, revision) = self.service.written_permissions(subject, size, page.at, page.now, write).await?;
            if written.is_some() {
                let mut own = Vec::with_capacity(64);
                add_text(&mut own, 4, &self.tokens.write(revision));
                return Ok(Written { shared: written, own });
            }
        }
        let after = page.after.clone();
        let mut listed = self.service.list_permissions(subject, size, after, page.at, page.now).await?;
        let (next, revision) = (listed.next.take(), listed.revision);
        Ok(Written::of(
            ListPermissionsResponse {
                next_page_token: self.next_page(next, revision, &page, &arguments),
                consistency_token: self.tokens.write(revision),
                ..response(&account, listed)
            }
            .encode_to_vec(),
        ))
    }
}

/// What an answer says of a list, whatever revision it is of.
fn response(account: &AccountId, listed: ListedPermissions) -> ListPermissionsResponse {
    ListPermissionsResponse {
        permissions: listed.permissions.into_iter().map(|each| effective_permission(account, each)).collect(),
        subject_reason: listed.subject_reason.map(convert::reason).unwrap_or_default().into(),
        access_lists: listed.access.into_iter().map(access_list).collect(),
        ..ListPermissionsResponse::default()
    }
}

fn access_list(view: AccessView) -> proto::AccessList {
    proto::AccessList { facet: view.facet, all: view.all, values: view.values }
}
