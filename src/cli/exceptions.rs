//! `exceptions`: single permissions of single users, on the whole account and without a role.
//!
//! Start with [`run`].

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};

use super::{
    Exit, Failure,
    names::{Account, within},
    session::{Listing, Mode, Session, WriteArgs, cell, moment},
    shown::Shown,
    terms::{UntilArgs, terms},
    users::Named,
};
use crate::proto::{CreateExceptionRequest, DeleteExceptionRequest, Exception, ListExceptionsRequest};

/// What to do with exceptions.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the exceptions of a user, those that have ended too
    List(Named),

    /// Give a user one extra permission
    Give(Give),

    /// Take an extra permission away
    Take(Take),
}

/// `exceptions give`.
#[derive(Args, Debug)]
pub struct Give {
    #[command(flatten)]
    user: Named,

    /// The id of the permission
    #[arg(value_name = "PERMISSION", value_parser = NonEmptyStringValueParser::new())]
    permission: String,

    /// Why it is given
    #[arg(long, value_name = "TEXT")]
    reason: String,

    #[command(flatten)]
    until: UntilArgs,

    #[command(flatten)]
    write: WriteArgs,
}

/// `exceptions take`.
#[derive(Args, Debug)]
pub struct Take {
    #[command(flatten)]
    user: Named,

    /// The id of the permission
    #[arg(value_name = "PERMISSION", value_parser = NonEmptyStringValueParser::new())]
    permission: String,

    #[command(flatten)]
    write: WriteArgs,
}

/// Does what the command says.
///
/// # Errors
/// What the server says against it, or that it cannot be asked.
pub async fn run(session: &mut Session<'_>, account: &Account, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::List(Named { user }) => list(session, account.user(&user)?).await,
        Command::Give(give) => give.run(session, account).await,
        Command::Take(take) => take.run(session, account).await,
    }
}

async fn list(session: &mut Session<'_>, parent: String) -> Result<Exit, Failure> {
    let nothing = format!("{} has no exceptions", within(&parent));
    let client = &session.client;
    let call = client.request(ListExceptionsRequest { parent, consistency: None });
    let answer = client.answer(client.exceptions().list_exceptions(call)).await?;
    let row = |exception: &Exception| {
        let until = moment(exception.expire_time.as_ref());
        vec![
            cell(&exception.permission),
            cell(if until.is_empty() { "for good" } else { &until }),
            cell(&exception.reason),
        ]
    };
    let list = Listing { name: "exceptions", items: &answer.exceptions, consistency_token: &answer.consistency_token };
    session.list(&list, &["PERMISSION", "UNTIL", "REASON"], row, &nothing)
}

impl Give {
    async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let parent = account.user(&self.user.user)?;
        let user = within(&parent);
        let exception = Exception {
            permission: self.permission,
            reason: self.reason,
            expire_time: self.until.time()?,
            ..Exception::default()
        };
        let Mode { validate_only, request_id } = self.write.mode();
        let request = CreateExceptionRequest { parent, exception: Some(exception), validate_only, request_id };
        let client = &session.client;
        let answer = client.answer(client.exceptions().create_exception(client.request(request))).await?;
        let given = answer.exception.clone().unwrap_or_default();
        let sentence = format!("{user} has {} besides{}", given.permission, terms("", given.expire_time.as_ref()));
        session.done(&self.write, &sentence, &Shown(&answer))
    }
}

impl Take {
    async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let user = account.user(&self.user.user)?;
        let sentence = format!("{} has {} besides no more", within(&user), self.permission);
        let Mode { validate_only, request_id } = self.write.mode();
        let name = format!("{user}/exceptions/{}", self.permission);
        let request = DeleteExceptionRequest { name, validate_only, request_id };
        let client = &session.client;
        let answer = client.answer(client.exceptions().delete_exception(client.request(request))).await?;
        session.done(&self.write, &sentence, &Shown(&answer))
    }
}
