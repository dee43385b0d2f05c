//! `catalog diff`: what would change if one catalog became the other.
//!
//! Two that the server has are compared by it; with a file or a preset among them, what the server has is exported, and
//! all is compared here by the same rules. A server is asked only if one of the two is there. Start with [`Diff`].

use std::{fs, path::PathBuf};

use clap::{Args, builder::NonEmptyStringValueParser};
use tonic::Request;

use super::{
    Exit, Failure, Output,
    client::{Client, ClientSettings},
    session::{cell, count},
    shown::Shown,
};
use crate::{
    files,
    model::{Applied, AppliedAction, CatalogDefinition, RoleDifference as Difference, compare_catalogs, compare_roles},
    proto::{
        AppliedChange, CompareCatalogsRequest, CompareCatalogsResponse, Consistency, ExportCatalogRequest,
        RoleDifference, applied_change::Action, consistency::Requirement,
    },
};

/// `catalog diff`.
#[derive(Args, Debug)]
pub struct Diff {
    /// The catalog before: a file, preset:NAME, catalogs/ID, or catalogs/ID@TOKEN as it stood at that consistency token
    /// (an ID with an @ in it needs one more behind it)
    #[arg(value_name = "OLD", value_parser = NonEmptyStringValueParser::new())]
    old: String,

    /// The catalog after, in the same ways
    #[arg(value_name = "NEW", value_parser = NonEmptyStringValueParser::new())]
    new: String,
}

/// Where a catalog is.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    Preset(String),
    /// The name, and the consistency token of the revision; empty: now.
    Server(String, String),
}

impl Place {
    fn parse(text: &str) -> Self {
        if let Some(name) = text.strip_prefix("preset:") {
            Self::Preset(name.to_owned())
        } else if text.strip_prefix("catalogs/").is_some_and(|rest| !rest.contains('/')) {
            // Ids may have an @ in them, tokens have none.
            let (name, token) = text.rsplit_once('@').unwrap_or((text, ""));
            Self::Server(name.to_owned(), token.to_owned())
        } else {
            Self::File(PathBuf::from(text))
        }
    }
}

impl Diff {
    /// Compares the two, and ends with [`Exit::No`] if they differ.
    ///
    /// # Errors
    /// That one of them cannot be had.
    pub async fn run(self, settings: &ClientSettings, output: &mut Output) -> Result<Exit, Failure> {
        let answer = match (Place::parse(&self.old), Place::parse(&self.new)) {
            (Place::Server(before, before_token), Place::Server(after, after_token)) => {
                let request = CompareCatalogsRequest { before, before_token, after, after_token };
                let client = Client::connect(settings).await?;
                client.answer(client.catalogs().compare_catalogs(client.request(request))).await?
            }
            (old, new) => {
                let (old, _) = read(settings, old).await?;
                let (new, consistency_token) = read(settings, new).await?;
                compared(&old, &new, consistency_token)
            }
        };
        let differ = !answer.changes.is_empty() || !answer.roles.is_empty();
        self.print(settings, &answer, output)?;
        Ok(if differ { Exit::No } else { Exit::Ok })
    }

    fn print(
        &self,
        settings: &ClientSettings,
        answer: &CompareCatalogsResponse,
        output: &mut Output,
    ) -> Result<(), Failure> {
        if settings.format != super::Format::Table {
            return output.value(&Shown(answer), settings.format);
        }
        if answer.changes.is_empty() && answer.roles.is_empty() {
            return output.line(&format!("{} and {} are the same", self.old, self.new));
        }
        if !answer.changes.is_empty() {
            let row =
                |change: &AppliedChange| vec![cell(word(change.action())), cell(&change.subject), cell(&change.detail)];
            output.table(&["CHANGE", "SUBJECT", "DETAIL"], answer.changes.iter().map(row).collect())?;
        }
        if !answer.roles.is_empty() {
            let row = |role: &RoleDifference| {
                vec![
                    cell(&role.role),
                    cell(word(role.action())),
                    role.gained_permissions.clone(),
                    role.lost_permissions.clone(),
                ]
            };
            output.line("")?;
            output.table(&["ROLE", "CHANGE", "GAINS", "LOSES"], answer.roles.iter().map(row).collect())?;
        }
        let (changes, roles) = (count(answer.changes.len(), "change"), count(answer.roles.len(), "managed role"));
        output.line(&format!("{changes}; {roles} with other permissions"))
    }
}

fn word(action: Action) -> &'static str {
    match action {
        Action::Create => "new",
        Action::Update => "changed",
        Action::Delete => "gone",
        Action::Unspecified => "",
    }
}

/// One catalog, and the revision that it was read at if the server has it.
async fn read(settings: &ClientSettings, place: Place) -> Result<(CatalogDefinition, String), Failure> {
    let (label, content, token) = match place {
        Place::File(path) => {
            let label = path.display().to_string();
            let content =
                fs::read(&path).map_err(|error| Failure::new(Exit::Input, format!("cannot read {label}: {error}")))?;
            (label, content, String::new())
        }
        Place::Preset(name) => {
            let preset = super::presets::find(&name)?;
            (format!("preset:{name}"), preset.catalog.as_bytes().to_vec(), String::new())
        }
        Place::Server(name, token) => {
            let client = Client::connect(settings).await?;
            let (content, token) = client.stream(export(&client, &name, token)).await?;
            (name, content, token)
        }
    };
    let definition = files::parse_catalog(&content).map_err(|problems| {
        let mut failure = Failure::new(Exit::Data, format!("{label} is no catalog that can be compared"));
        failure.details = problems.to_string().lines().map(str::to_owned).collect();
        failure
    })?;
    Ok((definition, token))
}

async fn export(client: &Client, name: &str, token: String) -> Result<(Vec<u8>, String), Failure> {
    let at = |token| Consistency { requirement: Some(Requirement::AtExactRevision(token)) };
    let consistency = Some(token).filter(|token| !token.is_empty()).map(at);
    let request = ExportCatalogRequest { name: name.to_owned(), consistency };
    let mut answers = client.catalogs().export_catalog(Request::new(request)).await?.into_inner();
    let (mut content, mut token) = (Vec::new(), String::new());
    while let Some(mut answer) = answers.message().await? {
        content.append(&mut answer.chunk);
        token = answer.consistency_token;
    }
    Ok((content, token))
}

fn compared(old: &CatalogDefinition, new: &CatalogDefinition, consistency_token: String) -> CompareCatalogsResponse {
    let action = |action| match action {
        AppliedAction::Create => Action::Create.into(),
        AppliedAction::Update => Action::Update.into(),
        AppliedAction::Delete => Action::Delete.into(),
    };
    let change = |applied: Applied| AppliedChange {
        action: action(applied.action),
        subject: applied.subject,
        detail: applied.detail,
    };
    let role = |difference: Difference| RoleDifference {
        role: difference.role,
        display_name: difference.display_name,
        action: action(difference.action),
        gained_permissions: difference.gained.into_iter().collect(),
        lost_permissions: difference.lost.into_iter().collect(),
    };
    CompareCatalogsResponse {
        changes: compare_catalogs(Some(old), new).into_iter().map(change).collect(),
        roles: compare_roles(old, new).into_iter().map(role).collect(),
        consistency_token,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::tests::pages;

    const SHOP: &str = "kind: catalog\nid: shop\ndisplay_name: Shop\nsections:\n  - id: orders\n    display_name: Orders\n\
        permissions:\n  - id: orders.order.view\n    section: orders\n  - id: orders.order.refund\n    section: orders\n\
        roles:\n  - id: clerk\n    display_name: Clerk\n    permissions: [orders.order.view]\n";

    fn answer(old: &str, new: &str) -> CompareCatalogsResponse {
        let read = |text: &str| files::parse_catalog(text.as_bytes()).unwrap();
        compared(&read(old), &read(new), String::new())
    }

    fn printed(answer: &CompareCatalogsResponse) -> String {
        let (mut output, page, _) = pages();
        let diff = Diff { old: "old.yaml".to_owned(), new: "new.yaml".to_owned() };
        let settings = ClientSettings {
            address: super::super::client::Address::parse("localhost:1").unwrap(),
            timeout: None,
            format: super::super::Format::Table,
        };
        diff.print(&settings, answer, &mut output).unwrap();
        page.text()
    }

    #[test]
    fn what_differs_is_told_thing_by_thing_and_role_by_role() {
        assert_eq!(printed(&answer(SHOP, SHOP)), "old.yaml and new.yaml are the same\n");
        let new = SHOP.replace("[orders.order.view]", "[orders.order.refund]");
        assert_eq!(
            printed(&answer(SHOP, &new)),
            "CHANGE   SUBJECT      DETAIL\n\
             changed  roles/clerk  permissions +orders.order.refund -orders.order.view\n\n\
             ROLE   CHANGE   GAINS                LOSES\n\
             clerk  changed  orders.order.refund  orders.order.view\n\
             1 change; 1 managed role with other permissions\n"
        );
    }

    #[test]
    fn a_catalog_is_a_file_a_preset_or_the_servers_now_or_then() {
        for (text, place) in [
            ("shop.yaml", Place::File("shop.yaml".into())),
            ("catalogs/", Place::Server("catalogs/".to_owned(), String::new())),
            ("./catalogs/shop.yaml", Place::File("./catalogs/shop.yaml".into())),
            ("catalogs/a/b.yaml", Place::File("catalogs/a/b.yaml".into())),
            ("preset:infobip-classic", Place::Preset("infobip-classic".to_owned())),
            ("catalogs/shop", Place::Server("catalogs/shop".to_owned(), String::new())),
            ("catalogs/me@home@", Place::Server("catalogs/me@home".to_owned(), String::new())),
            ("catalogs/shop@AWNJ-_c", Place::Server("catalogs/shop".to_owned(), "AWNJ-_c".to_owned())),
        ] {
            assert_eq!(Place::parse(text), place, "{text}");
        }
    }
}
