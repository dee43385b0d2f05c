//! `who-can` and `where-can`: a check turned around. Who may do this, and on which resources may somebody do it?
//!
//! Start with [`Who`].

use clap::{Args, builder::NonEmptyStringValueParser};
use serde::Serialize;

use super::{
    Exit, Failure,
    names::{id_of, listed, within},
    question::{DetailArgs, PlaceArgs, fill},
    session::{Listing, Page, Session, cell, gather},
};
use crate::proto::{AllowedSubject, ListResourcesRequest, ListSubjectsRequest};

/// `who-can`.
#[derive(Args, Debug)]
pub struct Who {
    /// The id of a permission, such as reports.detailed.view
    #[arg(
        value_name = "PERMISSION", required_unless_present = "api_scope", value_parser = NonEmptyStringValueParser::new()
    )]
    permission: Option<String>,

    /// Ask about an API scope in place of a permission
    #[arg(
        long, value_name = "SCOPE", conflicts_with = "permission", value_parser = NonEmptyStringValueParser::new()
    )]
    api_scope: Option<String>,

    #[command(flatten)]
    place: PlaceArgs,
}

/// `where-can`, but for who is asked about.
#[derive(Args, Debug)]
pub struct Where {
    /// The id of a permission, such as reports.detailed.view
    #[arg(value_name = "PERMISSION", value_parser = NonEmptyStringValueParser::new())]
    permission: String,

    /// The id of the resource type whose resources are listed, such as line
    #[arg(long = "type", value_name = "TYPE", value_parser = NonEmptyStringValueParser::new())]
    resource_type: String,

    #[command(flatten)]
    detail: DetailArgs,
}

#[derive(Serialize)]
struct Places<'a> {
    resources: &'a [String],
    all: bool,
    consistency_token: &'a str,
}

impl Who {
    /// Asks, and prints who may.
    ///
    /// # Errors
    /// What the server says against the question, or that it cannot be asked.
    pub async fn run(self, session: &mut Session<'_>, account: String) -> Result<Exit, Failure> {
        let mut request = ListSubjectsRequest {
            account,
            permission: self.permission.unwrap_or_default(),
            api_scope: self.api_scope.unwrap_or_default(),
            resource: self.place.resource,
            ..ListSubjectsRequest::default()
        };
        fill!(request, self.place.detail);
        let client = &session.client;
        let (subjects, token) = gather(async |page_token| {
            let call = client.request(ListSubjectsRequest { page_token, ..request.clone() });
            let answer = client.answer(client.authorization().list_subjects(call)).await?;
            let (next_page_token, consistency_token) = (answer.next_page_token, answer.consistency_token);
            Ok(Page { items: answer.subjects, next_page_token, consistency_token })
        })
        .await?;
        let list = Listing { name: "subjects", items: &subjects, consistency_token: &token };
        session.list(&list, &["SUBJECT", "DIRECTLY", "TEAMS"], row, &nobody(&request))
    }
}

fn row(subject: &AllowedSubject) -> Vec<Vec<String>> {
    let direct = if subject.direct { "yes" } else { "no" };
    vec![cell(within(&subject.subject)), cell(direct), cell(listed(&subject.teams, id_of))]
}

fn nobody(ListSubjectsRequest { account, permission, api_scope, resource, .. }: &ListSubjectsRequest) -> String {
    let what = if api_scope.is_empty() { permission.clone() } else { format!("use the API scope {api_scope}") };
    if resource.is_empty() {
        format!("nobody may {what} everywhere in {account}; to ask about one resource: --resource PATH")
    } else {
        format!("nobody may {what} on {resource} in {account}")
    }
}

impl Where {
    /// Asks, and prints where.
    ///
    /// # Errors
    /// As [`Who::run`].
    pub async fn run(self, session: &mut Session<'_>, account: String, subject: String) -> Result<Exit, Failure> {
        let mut request = ListResourcesRequest {
            account,
            subject,
            permission: self.permission,
            resource_type: self.resource_type,
            ..ListResourcesRequest::default()
        };
        fill!(request, self.detail);
        let client = &session.client;
        let mut all = false;
        let (resources, token) = gather(async |page_token| {
            let call = client.request(ListResourcesRequest { page_token, ..request.clone() });
            let answer = client.answer(client.authorization().list_resources(call)).await?;
            all |= answer.all;
            let (next_page_token, consistency_token) = (answer.next_page_token, answer.consistency_token);
            Ok(Page { items: answer.resources, next_page_token, consistency_token })
        })
        .await?;
        if !session.is_table() {
            return session.value(&Places { resources: &resources, all, consistency_token: &token });
        }
        let ListResourcesRequest { account, subject, permission, resource_type, .. } = &request;
        if all {
            session.output.line(&format!("{subject} may {permission} everywhere in {account}, registered or not"))?;
        }
        match (all, resources.is_empty()) {
            (true, true) => Ok(Exit::Ok),
            (false, true) => {
                let nowhere = format!("{subject} may {permission} on no registered {resource_type} of {account}");
                session.output.line(&nowhere).map(|()| Exit::Ok)
            }
            _ => session
                .output
                .table(&["RESOURCE"], resources.iter().map(|path| vec![cell(path)]).collect())
                .map(|()| Exit::Ok),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_everywhere_is_not_nobody_anywhere() {
        let mut request = ListSubjectsRequest {
            account: "accounts/demo".to_owned(),
            permission: "inbox.view".to_owned(),
            ..ListSubjectsRequest::default()
        };
        assert!(nobody(&request).contains("everywhere") && nobody(&request).contains("--resource"));
        request.resource = "lines/l1".to_owned();
        assert_eq!(nobody(&request), "nobody may inbox.view on lines/l1 in accounts/demo");
    }

    #[test]
    fn a_row_says_how_somebody_comes_to_it() {
        let subject = AllowedSubject {
            subject: "accounts/demo/users/ana".to_owned(),
            direct: false,
            teams: vec!["accounts/demo/teams/a".to_owned(), "accounts/demo/teams/b".to_owned()],
        };
        assert_eq!(row(&subject).concat(), ["users/ana", "no", "a, b"]);
    }
}
