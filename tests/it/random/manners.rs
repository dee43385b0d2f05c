//! How a write is sent: only validated, with a request id and then again, or plainly. Read [`Worker::send`].

use std::{fmt::Debug, future::Future, pin::Pin, time::Duration};

use rolecall::proto::*;
use tonic::{Code, Response, Status};

use super::{
    Difference, Worker,
    expected::{Wrong, reason_of},
};

/// A request that changes something.
pub(super) trait Write: Clone + Send + 'static {
    fn validate_only(&mut self);
    fn request_id(&mut self, id: &str);
    /// An id, or a name that ends with one.
    fn about(&mut self) -> &mut String;
    /// Whether it erases personal fields.
    fn erases(&self) -> bool;
}

/// What comes back from one.
pub(super) trait Answer: Clone + PartialEq + Debug + Send + 'static {
    fn token(&self) -> &str;
}

macro_rules! writes {
    ($($request:ident, $response:ident, $about:expr;)*) => {
        $(
            impl Write for $request {
                fn validate_only(&mut self) {
                    self.validate_only = true;
                }

                fn request_id(&mut self, id: &str) {
                    self.request_id = id.to_owned();
                }

                fn about(&mut self) -> &mut String {
                    let about: fn(&mut Self) -> &mut String = $about;
                    about(self)
                }

                fn erases(&self) -> bool {
                    let whole = format!("{self:?}");
                    stringify!($request).starts_with("Erase") || whole.contains("erase_personal_fields: true")
                }
            }

            impl Answer for $response {
                fn token(&self) -> &str {
                    &self.consistency_token
                }
            }
        )*
    };
}

writes! {
    CreateAccountRequest, CreateAccountResponse, |request| &mut request.account_id;
    UpdateAccountRequest, UpdateAccountResponse, |request| &mut request.account.as_mut().unwrap().name;
    DeleteAccountRequest, DeleteAccountResponse, |request| &mut request.name;
    DeleteCatalogRequest, DeleteCatalogResponse, |request| &mut request.name;
    CreateUserRequest, CreateUserResponse, |request| &mut request.user_id;
    BatchCreateUsersRequest, BatchCreateUsersResponse, |request| &mut request.parent;
    UpdateUserRequest, UpdateUserResponse, |request| &mut request.user.as_mut().unwrap().name;
    EraseUserPersonalFieldsRequest, EraseUserPersonalFieldsResponse, |request| &mut request.name;
    RecordUserSignInRequest, RecordUserSignInResponse, |request| &mut request.name;
    DeleteUserRequest, DeleteUserResponse, |request| &mut request.name;
    AddUserTeamsRequest, AddUserTeamsResponse, |request| &mut request.name;
    RemoveUserTeamsRequest, RemoveUserTeamsResponse, |request| &mut request.name;
    ReplaceUserTeamsRequest, ReplaceUserTeamsResponse, |request| &mut request.name;
    RemoveUserRoleRequest, RemoveUserRoleResponse, |request| &mut request.name;
    CreateServiceAccountRequest, CreateServiceAccountResponse, |request| &mut request.service_account_id;
    UpdateServiceAccountRequest, UpdateServiceAccountResponse,
        |request| &mut request.service_account.as_mut().unwrap().name;
    DeleteServiceAccountRequest, DeleteServiceAccountResponse, |request| &mut request.name;
    CreateTeamRequest, CreateTeamResponse, |request| &mut request.team_id;
    UpdateTeamRequest, UpdateTeamResponse, |request| &mut request.team.as_mut().unwrap().name;
    DeleteTeamRequest, DeleteTeamResponse, |request| &mut request.name;
    AddTeamMembersRequest, AddTeamMembersResponse, |request| &mut request.name;
    RemoveTeamMembersRequest, RemoveTeamMembersResponse, |request| &mut request.name;
    ReplaceTeamMembersRequest, ReplaceTeamMembersResponse, |request| &mut request.name;
    CreateRoleRequest, CreateRoleResponse, |request| &mut request.role_id;
    UpdateRoleRequest, UpdateRoleResponse, |request| &mut request.role.as_mut().unwrap().name;
    DeleteRoleRequest, DeleteRoleResponse, |request| &mut request.name;
    DuplicateRoleRequest, DuplicateRoleResponse, |request| &mut request.role_id;
    ImportRolePermissionsRequest, ImportRolePermissionsResponse, |request| &mut request.name;
    AddRolePermissionsRequest, AddRolePermissionsResponse, |request| &mut request.name;
    RemoveRolePermissionsRequest, RemoveRolePermissionsResponse, |request| &mut request.name;
    CreateRoleBindingRequest, CreateRoleBindingResponse, |request| &mut request.parent;
    DeleteRoleBindingRequest, DeleteRoleBindingResponse, |request| &mut request.name;
    BatchCreateRoleBindingsRequest, BatchCreateRoleBindingsResponse, |request| &mut request.parent;
    BatchDeleteRoleBindingsRequest, BatchDeleteRoleBindingsResponse, |request| &mut request.parent;
    ReplaceRoleBindingsRequest, ReplaceRoleBindingsResponse, |request| &mut request.parent;
    CreateResourceRequest, CreateResourceResponse, |request| &mut request.resource.as_mut().unwrap().path;
    BatchCreateResourcesRequest, BatchCreateResourcesResponse, |request| &mut request.parent;
    UpdateResourceRequest, UpdateResourceResponse, |request| &mut request.resource.as_mut().unwrap().name;
    DeleteResourceRequest, DeleteResourceResponse, |request| &mut request.name;
    CreateAccessPolicyRequest, CreateAccessPolicyResponse, |request| &mut request.access_policy_id;
    UpdateAccessPolicyRequest, UpdateAccessPolicyResponse,
        |request| &mut request.access_policy.as_mut().unwrap().name;
    DeleteAccessPolicyRequest, DeleteAccessPolicyResponse, |request| &mut request.name;
    SetAccessListRequest, SetAccessListResponse, |request| &mut request.parent;
    AddAccessRequest, AddAccessResponse, |request| &mut request.parent;
    RemoveAccessRequest, RemoveAccessResponse, |request| &mut request.parent;
    CreateExceptionRequest, CreateExceptionResponse, |request| &mut request.parent;
    DeleteExceptionRequest, DeleteExceptionResponse, |request| &mut request.name;
}

type Sent = Pin<Box<dyn Future<Output = Result<String, Status>> + Send>>;

/// A write that was answered, to be sent again later.
pub(super) struct Again {
    what: &'static str,
    /// When it was answered: answers are kept for a day.
    at: u64,
    answer: String,
    send: Box<dyn Fn() -> Sent + Send>,
}

/// Sends a write by the method of a client. Gives the answer, or none if the write was not done.
macro_rules! send {
    ($worker:ident, $client:ident . $method:ident, $request:expr, $wrong:expr) => {{
        let client = $worker.wire.$client.clone();
        $worker.send(stringify!($method), $request, $wrong, move |request| {
            let mut client = client.clone();
            async move { client.$method(request).await }
        })
    }};
}
pub(super) use send;

impl Worker {
    /// Sends a write, and holds how it ends against what is wrong with it. Some are validated first, and some of those
    /// are then not done at all; some get a request id and are sent again, at once and after other writes.
    pub(super) async fn send<Q: Write, R: Answer, F>(
        &mut self,
        what: &'static str,
        mut request: Q,
        wrong: Wrong,
        call: impl Fn(Q) -> F + Clone + Send + 'static,
    ) -> Result<Option<R>, Difference>
    where
        F: Future<Output = Result<Response<R>, Status>> + Send + 'static,
    {
        let mut validated = None;
        if self.random.chance(4) {
            let mut only = request.clone();
            only.validate_only();
            let outcome = self
                .judge(what, patiently(|| call(only.clone())).await, &wrong)
                .map_err(|text| format!("validate_only: {text}"))?;
            self.compared("validate_only");
            if self.random.chance(30) {
                return Ok(None);
            }
            validated = Some(outcome);
        }
        // Who erases what a person is called erases the answers that repeat it, this one too.
        let erases = request.erases();
        let id = (!erases && self.random.chance(5)).then(|| {
            self.requests += 1;
            format!("{}-{}", self.name, self.requests)
        });
        if let Some(id) = &id {
            request.request_id(id);
        }
        let outcome = self.judge(what, patiently(|| call(request.clone())).await, &wrong)?;
        if let Some(validated) = validated {
            let same = match (&validated, &outcome) {
                (Ok(one), Ok(other)) => timeless(one) == timeless(other),
                (one, other) => one.as_ref().err() == other.as_ref().err(),
            };
            if !same {
                return Err(format!("{what}: {validated:?} when only validated; then {outcome:?}"));
            }
        }
        if id.is_some() {
            self.send_again(what, request, &outcome, call).await?;
        }
        Ok(match outcome {
            Ok(answer) => {
                if erases {
                    self.again.retain(|again| !again.what.contains("user"));
                }
                self.done.writes += 1;
                answer.token().clone_into(&mut self.token);
                Some(answer)
            }
            Err(_) => {
                self.done.refused += 1;
                None
            }
        })
    }

    /// A request that was answered is answered so again and does nothing; another one cannot have its id.
    async fn send_again<Q: Write, R: Answer, F>(
        &mut self,
        what: &'static str,
        request: Q,
        outcome: &Result<R, Code>,
        call: impl Fn(Q) -> F + Clone + Send + 'static,
    ) -> Result<(), Difference>
    where
        F: Future<Output = Result<Response<R>, Status>> + Send + 'static,
    {
        let again = patiently(|| call(request.clone())).await.map(Response::into_inner).map_err(|status| status.code());
        if again != *outcome {
            return Err(format!("{what}, sent again: {again:?}; the first time it was {outcome:?}"));
        }
        self.compared("request id, sent again");
        let Ok(answer) = outcome else { return Ok(()) };
        let mut other = request.clone();
        other.about().push('x');
        let refused = call(other).await.map_err(|status| status.code());
        if refused.as_ref().err() != Some(&Code::InvalidArgument) {
            return Err(format!("{what}, another one with the same request id: {refused:?}"));
        }
        self.compared("request id, used for another");
        if self.again.len() < 20 {
            let send = move || -> Sent {
                let sent = call(request.clone());
                Box::pin(async move { Ok(format!("{:?}", sent.await?.into_inner())) })
            };
            self.again.push(Again { what, at: self.now, answer: format!("{answer:?}"), send: Box::new(send) });
        }
        Ok(())
    }

    /// Sends a write of before again. What it is about may be another thing by now, or gone.
    pub(super) async fn send_old(&mut self) -> Result<(), Difference> {
        let day = 20 * 3_600_000;
        self.again.retain(|again| self.now < again.at + day);
        if self.again.is_empty() {
            return Ok(());
        }
        let index = self.random.below(self.again.len());
        let Again { what, answer, send, .. } = self.again.swap_remove(index);
        match send().await {
            Ok(given) if given == answer => {
                self.compared("request id, sent again later");
                Ok(())
            }
            other => Err(format!("{what}, sent again later: {other:?}; the first time it was {answer}")),
        }
    }
}

/// Sends until what is being erased is erased: until then nothing new can take its place.
pub(super) async fn patiently<T, F: Future<Output = Result<T, Status>>>(send: impl Fn() -> F) -> Result<T, Status> {
    for _ in 0..2_000 {
        match send().await {
            Err(status) if status.details().windows(15).any(|part| part == b"ERASURE_PENDING") => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            outcome => return outcome,
        }
    }
    send().await
}

impl Worker {
    /// Whether a write ended as it had to. A refusal that is right is no difference.
    fn judge<R>(
        &mut self,
        what: &str,
        outcome: Result<Response<R>, Status>,
        wrong: &Wrong,
    ) -> Result<Result<R, Code>, Difference> {
        match outcome {
            Ok(answer) if wrong.is_empty() => Ok(Ok(answer.into_inner())),
            Err(status) if wrong.admits(&status) => {
                self.refused(&status);
                Ok(Err(status.code()))
            }
            Ok(_) => Err(format!("{what} succeeded; the oracle says one of {wrong:?}")),
            Err(status) => {
                let (code, reason) = (status.code(), reason_of(&status));
                Err(format!("{what} failed with {code:?} {reason:?} {status}; the oracle says one of {wrong:?}"))
            }
        }
    }

    /// Notes why a write was refused.
    pub(super) fn refused(&mut self, status: &Status) {
        if let Some(reason) = reason_of(status) {
            self.compared(&reason);
        }
    }
}

/// The text of an answer without what the server chooses when it writes: times, etags, names of role bindings.
fn timeless(answer: &impl Debug) -> String {
    let text = format!("{answer:?}");
    let mut parts = text.split(", ").filter(|part| {
        let chosen = ["create_time:", "update_time:", "last_sign_in_time:", "nanos:", "etag:", "consistency_token:"];
        !chosen.iter().any(|name| part.contains(name)) && !part.contains("/roleBindings/")
    });
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + ", " + part)
}
