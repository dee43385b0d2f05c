//! BatchCheck: many questions read from the bytes that came, and their answers written into those that go.

use tonic::Status;

use super::{
    Api,
    authorization::{asked_name, attributes, item_result, malformed_question, subject_name},
    parse::Fields,
    wire::{Batch, Written, add_result, add_text},
};
use crate::service::{Asking, Attributes, BatchItem, MAX_BATCH, NO_ATTRIBUTES, PlaceName, Service, SubjectName};

impl Api {
    /// Answers a request of BatchCheck in bytes.
    pub(super) async fn answer_batch(&self, request: &[u8]) -> Result<Written, Status> {
        let mut request = Batch::read(request, MAX_BATCH)?;
        let mut fields = Fields::default();
        let account = fields.account("account", request.account);
        let account = fields.done(account)?;
        let at = self.read_at(request.consistency.as_ref())?;
        Service::check_batch_size(request.count)?;
        let given: Vec<Option<Attributes>> =
            request.items.iter().map(|item| item.attributes.as_ref().map(attributes)).collect();
        // Many a batch is about one subject.
        let mut last: Option<(&str, SubjectName<'_>)> = None;
        // Items that are malformed are errors of their own; the others are asked together.
        let mut items: Vec<BatchItem<'_>> = Vec::with_capacity(request.items.len());
        for (item, given) in request.items.iter_mut().zip(&given) {
            if last.is_none_or(|(text, _)| text != item.subject) {
                last = subject_name(account.as_str(), item.subject).map(|subject| (item.subject, subject));
            }
            let asked = asked_name(item.permission, item.api_scope);
            items.push(match last.zip(asked) {
                Some(((_, subject), asked)) => Ok(Asking {
                    subject,
                    asked,
                    place: PlaceName { resource: item.resource, facets: std::mem::take(&mut item.facets) },
                    attributes: given.as_ref().unwrap_or(&NO_ATTRIBUTES),
                }),
                None => Err(malformed_question(request.account, item.subject, item.permission, item.api_scope)),
            });
        }
        let (answers, revision) = self.service.batch_check(account.as_str(), &items, at).await?;
        let mut answer = Vec::with_capacity(8 * answers.len() + 64);
        for each in answers {
            add_result(&mut answer, &item_result(each));
        }
        add_text(&mut answer, 2, &self.tokens.write(revision));
        Ok(Written::of(answer))
    }
}
