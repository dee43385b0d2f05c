//! `access`: what of each facet users and teams have access to.
//!
//! A permission that a facet bounds is allowed only where the access list of that facet says so. Start with [`run`].

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};

use super::{
    Exit, Failure,
    names::Account,
    permissions::access_row,
    session::{Listing, Mode, RiskyArgs, Session, WriteArgs, confirm, count},
    shown::Shown,
};
use crate::proto::{
    AccessList, AddAccessRequest, ListAccessListsRequest, ListAccessListsResponse, RemoveAccessRequest,
    SetAccessListRequest,
};

/// What to do with access lists.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List what a user or a team itself has access to
    List(Holder),

    /// Make an access list what is given, and nothing else
    Set(Set),

    /// Give access to more
    Add(Change),

    /// Take access away
    Remove(Change),
}

/// Whose access lists.
#[derive(Args, Debug)]
pub struct Holder {
    /// Whose: users/ID or teams/ID; a bare ID is a user
    #[arg(value_name = "HOLDER", value_parser = NonEmptyStringValueParser::new())]
    holder: String,
}

/// `access set`.
#[derive(Args, Debug)]
pub struct Set {
    #[command(flatten)]
    holder: Holder,

    /// The facet: the id of a resource type, or "feature"
    #[arg(value_name = "FACET", value_parser = NonEmptyStringValueParser::new())]
    facet: String,

    /// Paths of registered resources, such as lines/l1; of "feature": ids of features
    #[arg(value_name = "VALUE", required_unless_present_any = ["all", "none"])]
    values: Vec<String>,

    /// All of it, now and later
    #[arg(long, conflicts_with_all = ["values", "none"])]
    all: bool,

    /// Nothing of it
    #[arg(long, conflicts_with = "values")]
    none: bool,

    #[command(flatten)]
    risky: RiskyArgs,
}

/// `access add` and `access remove`.
#[derive(Args, Debug)]
pub struct Change {
    #[command(flatten)]
    holder: Holder,

    /// The facet: the id of a resource type, or "feature"
    #[arg(value_name = "FACET", value_parser = NonEmptyStringValueParser::new())]
    facet: String,

    /// Paths of registered resources, such as lines/l1; of "feature": ids of features
    #[arg(value_name = "VALUE", required = true)]
    values: Vec<String>,

    #[command(flatten)]
    write: WriteArgs,
}

/// Does what the command says.
///
/// # Errors
/// What the server says against it, or that it cannot be asked.
pub async fn run(session: &mut Session<'_>, account: &Account, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::List(holder) => list(session, account, &holder).await,
        Command::Set(set) => set.run(session, account).await,
        Command::Add(change) => change.add(session, account).await,
        Command::Remove(change) => change.remove(session, account).await,
    }
}

/// An access list on a command line: `line=lines/l1,lines/l2` or `line=all`.
///
/// # Errors
/// What was expected.
pub fn parse(text: &str) -> Result<AccessList, String> {
    let (facet, values) = text.split_once('=').unwrap_or_default();
    if facet.is_empty() || values.split(',').any(str::is_empty) {
        return Err("expected FACET=VALUE[,VALUE...] or FACET=all, such as line=lines/l1".to_owned());
    }
    let all = values == "all";
    let values = if all { Vec::new() } else { values.split(',').map(str::to_owned).collect() };
    Ok(AccessList { facet: facet.to_owned(), all, values })
}

/// The access lists that a user or a team has of its own.
///
/// # Errors
/// What the server says against it, or that it cannot be asked.
pub async fn of(session: &Session<'_>, holder: &str) -> Result<Vec<AccessList>, Failure> {
    Ok(read(session, holder).await?.access_lists)
}

/// Access lists in one line: `line lines/l1, lines/l2; all of queue`; nothing for none.
pub fn in_short(lists: &[AccessList]) -> String {
    lists.iter().map(text).collect::<Vec<_>>().join("; ")
}

/// What comes with access lists, to stand in a sentence: ` and access to line lines/l1, all of queue`; nothing for none.
pub fn described(lists: &[AccessList]) -> String {
    let lists: Vec<_> = lists.iter().map(text).collect();
    if lists.is_empty() { String::new() } else { format!(" and access to {}", lists.join(", ")) }
}

fn text(AccessList { facet, all, values }: &AccessList) -> String {
    match values.as_slice() {
        _ if *all => format!("all of {facet}"),
        [] => format!("nothing of {facet}"),
        values => format!("{facet} {}", values.join(", ")),
    }
}

impl Holder {
    /// The name within the account, and the full one.
    fn names(&self, account: &Account) -> Result<(String, String), Failure> {
        let name = account.holder(&self.holder)?;
        if name.starts_with("serviceAccounts/") {
            return Err(Failure::new(Exit::Usage, format!("{name}: service accounts have no access lists"))
                .with_next("give it a role that covers the facet, or one on a resource"));
        }
        let full = format!("{}/{name}", account.0);
        Ok((name, full))
    }
}

async fn read(session: &Session<'_>, parent: &str) -> Result<ListAccessListsResponse, Failure> {
    let client = &session.client;
    let call = client.request(ListAccessListsRequest { parent: parent.to_owned(), consistency: None });
    client.answer(client.access_lists().list_access_lists(call)).await
}

async fn list(session: &mut Session<'_>, account: &Account, holder: &Holder) -> Result<Exit, Failure> {
    let (name, parent) = holder.names(account)?;
    let answer = read(session, &parent).await?;
    let list =
        Listing { name: "access_lists", items: &answer.access_lists, consistency_token: &answer.consistency_token };
    session.list(&list, &["FACET", "ACCESS"], access_row, &format!("{name} has no access list of its own"))
}

impl Set {
    async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let (name, parent) = self.holder.names(account)?;
        let wanted = AccessList { facet: self.facet, all: self.all, values: self.values };
        if !self.risky.yes && !self.risky.write.dry_run {
            let before = read(session, &parent).await?.access_lists;
            let before = before.into_iter().find(|list| list.facet == wanted.facet).unwrap_or_default();
            if let Some(lost) = lost(&before, &wanted) {
                confirm(vec![format!("{name} would lose access to {lost}")], session.output)?;
            }
        }
        let Mode { validate_only, request_id } = self.risky.write.mode();
        let request = SetAccessListRequest { parent, access_list: Some(wanted), validate_only, request_id };
        let client = &session.client;
        let answer = client.answer(client.access_lists().set_access_list(client.request(request))).await?;
        session.done(&self.risky.write, &now(&name, answer.access_list.as_ref()), &Shown(&answer))
    }
}

/// What is taken away where one list takes the place of another.
fn lost(before: &AccessList, after: &AccessList) -> Option<String> {
    if after.all {
        return None;
    }
    if before.all {
        return Some(format!("all of {}, and have it to {} of it", before.facet, after.values.len()));
    }
    let lost: Vec<_> = before.values.iter().filter(|value| !after.values.contains(value)).cloned().collect();
    (!lost.is_empty()).then(|| format!("{}: {}", count(lost.len(), &before.facet), lost.join(", ")))
}

impl Change {
    async fn add(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let (name, parent) = self.holder.names(account)?;
        let Mode { validate_only, request_id } = self.write.mode();
        let (facet, values) = (self.facet, self.values);
        let request = AddAccessRequest { parent, facet, values, validate_only, request_id };
        let client = &session.client;
        let answer = client.answer(client.access_lists().add_access(client.request(request))).await?;
        session.done(&self.write, &now(&name, answer.access_list.as_ref()), &Shown(&answer))
    }

    async fn remove(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let (name, parent) = self.holder.names(account)?;
        let Mode { validate_only, request_id } = self.write.mode();
        let (facet, values) = (self.facet, self.values);
        let request = RemoveAccessRequest { parent, facet, values, validate_only, request_id };
        let client = &session.client;
        let answer = client.answer(client.access_lists().remove_access(client.request(request))).await?;
        session.done(&self.write, &now(&name, answer.access_list.as_ref()), &Shown(&answer))
    }
}

fn now(name: &str, list: Option<&AccessList>) -> String {
    format!("{name} has access to {}", list.map(text).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> AccessList {
        parse(text).unwrap()
    }

    #[test]
    fn an_access_list_is_values_or_all() {
        let some = list("line=lines/l1,lines/l2");
        assert_eq!((some.facet.as_str(), some.all, some.values.len()), ("line", false, 2));
        assert!(list("feature=all").all);
        for wrong in ["", "line", "line=", "=lines/l1", "line=lines/l1,", "line=,"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(described(&[some, list("queue=all")]), " and access to line lines/l1, lines/l2, all of queue");
        assert_eq!(described(&[]), "");
    }

    #[test]
    fn what_a_new_list_takes_away_is_said_and_nothing_else() {
        let two = list("line=lines/l1,lines/l2");
        assert_eq!(lost(&two, &list("line=lines/l2,lines/l3")).unwrap(), "1 line: lines/l1");
        assert_eq!(lost(&two, &list("line=all")), None);
        assert_eq!(lost(&AccessList::default(), &two), None);
        assert_eq!(lost(&two, &two), None);
        assert!(lost(&list("line=all"), &two).unwrap().starts_with("all of line"));
    }
}
