//! BatchCheck: questions read one by one from the bytes that came, and their answers written into those that go.

use tonic::Status;

use super::{
    Api,
    authorization::{asked_name, attributes, item_error, malformed, subject_name, unreadable},
    convert,
    parse::Fields,
    wire::{Batch, Items, Malformed, Written, add_decision, add_result, add_text},
};
use crate::service::{
    self, AskedName, Asking, Attributes, MAX_BATCH, NO_ATTRIBUTES, PlaceName, Reason, ServiceError, SubjectKind,
    SubjectName,
};

/// What an answer without errors takes in bytes: for each item, and for all that is not an item.
const ITEM_BYTES: usize = 6;
const OTHER_BYTES: usize = 64;

/// The questions of a request, of which each is read when the one before is answered.
pub(super) struct Questions<'a> {
    request: &'a Batch<'a>,
    /// The account's id.
    account: &'a str,
    items: Items<'a>,
    /// What the last item says, as far as it is not taken from there.
    subject: SubjectName<'a>,
    asked: AskedName<'a>,
    attributes: Option<Attributes>,
    /// Whether the items that were read are well formed.
    are_read: Result<(), Malformed>,
    results: Vec<u8>,
}

impl Api {
    /// BatchCheck, from the bytes of its request to those of its answer. Cost: linear in the items.
    ///
    /// # Errors
    /// As the method says.
    pub async fn answer_batch(&self, request: &[u8]) -> Result<Written, Status> {
        let request = Batch::read(request)?;
        let answer = self.answer_items(&request).await;
        if answer.is_err() {
            // Not every item has been read. A request that is malformed anywhere is refused for that, whatever else is
            // wrong with it.
            request.check_items(MAX_BATCH)?;
        }
        answer
    }

    async fn answer_items(&self, request: &Batch<'_>) -> Result<Written, Status> {
        let mut fields = Fields::default();
        let account = fields.account("account", request.account);
        let account = fields.done(account)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let mut questions = Questions::new(request, account.as_str());
        let revision = self.service.batch_check(account.as_str(), &mut questions, at).await?;
        let mut answer = questions.into_results()?;
        add_text(&mut answer, 2, &self.tokens.write(revision));
        Ok(Written::of(answer))
    }
}

impl<'a> Questions<'a> {
    pub(super) fn new(request: &'a Batch<'a>, account: &'a str) -> Self {
        Self {
            request,
            account,
            items: request.items(),
            subject: SubjectName::new(account, SubjectKind::User, ""),
            asked: AskedName::Permission(""),
            attributes: None,
            are_read: Ok(()),
            results: Vec::with_capacity(ITEM_BYTES * request.count.min(MAX_BATCH) + OTHER_BYTES),
        }
    }

    /// The bytes of the answers, if all items could be read.
    pub(super) fn into_results(self) -> Result<Vec<u8>, Malformed> {
        self.are_read.map(|()| self.results)
    }

    /// Writes that the last item has no answer: what is wrong with its names, if that is why.
    #[cold]
    fn fail(&mut self, error: ServiceError) {
        let item = self.items.last();
        let malformed = malformed(self.request.account, item.subject, item.permission, item.api_scope);
        add_result(&mut self.results, &item_error(malformed.unwrap_or(error)));
    }
}

impl<'a> service::Batch<'a> for Questions<'a> {
    fn count(&self) -> usize {
        self.request.count
    }

    fn restart(&mut self) {
        self.items = self.request.items();
        self.results.clear();
    }

    #[inline]
    fn next(&mut self) -> Option<(SubjectName<'a>, AskedName<'a>)> {
        loop {
            let item = match self.items.next() {
                Ok(item) => item?,
                // The answer is thrown away: see `into_results`.
                Err(error) => {
                    self.are_read = Err(error);
                    return None;
                }
            };
            let subject = subject_name(self.account, item.subject);
            let asked = asked_name(item.permission, item.api_scope);
            let (Some(subject), Some(asked)) = (subject, asked) else {
                self.fail(unreadable());
                continue;
            };
            self.attributes = item.attributes.as_ref().map(attributes);
            (self.subject, self.asked) = (subject, asked);
            return Some((subject, asked));
        }
    }

    #[inline]
    fn question(&self) -> Asking<'_> {
        let item = self.items.last();
        Asking {
            subject: self.subject,
            asked: self.asked,
            place: PlaceName { resource: item.resource, facets: &item.facets },
            attributes: self.attributes.as_ref().unwrap_or(&NO_ATTRIBUTES),
        }
    }

    #[inline]
    fn answer(&mut self, answer: Result<Reason, ServiceError>) {
        match answer {
            Ok(reason) => add_decision(&mut self.results, convert::decision(reason), convert::reason(reason)),
            Err(error) => self.fail(error),
        }
    }
}
