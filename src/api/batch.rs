//! BatchCheck: many questions read from the bytes that came, and their answers written into those that go.

use tonic::Status;

use super::{
    Api,
    authorization::{asked_name, attributes, item_result, malformed, subject_name, unreadable},
    parse::Fields,
    wire::{Batch, Written, add_result, add_text},
};
use crate::service::{Asking, Attributes, BatchItem, MAX_BATCH, NO_ATTRIBUTES, PlaceName, Service};

impl Api {
    /// BatchCheck, from the bytes of its request to those of its answer. Cost: linear in the items.
    ///
    /// # Errors
    /// As the method says.
    pub async fn answer_batch(&self, request: &[u8]) -> Result<Written, Status> {
        let mut request = Batch::read(request, MAX_BATCH)?;
        let mut fields = Fields::default();
        let account = fields.account("account", request.account);
        let account = fields.done(account)?;
        let at = self.read_at(request.consistency.as_ref())?;
        Service::check_batch_size(request.count)?;
        let given: Vec<Option<Attributes>> =
            request.items.iter().map(|item| item.attributes.as_ref().map(attributes)).collect();
        // Items that cannot be read are errors of their own; the others are asked together.
        let mut items: Vec<BatchItem<'_>> = Vec::with_capacity(request.items.len());
        for (item, given) in request.items.iter_mut().zip(&given) {
            let subject = subject_name(account.as_str(), item.subject);
            items.push(match subject.zip(asked_name(item.permission, item.api_scope)) {
                Some((subject, asked)) => Ok(Asking {
                    subject,
                    asked,
                    place: PlaceName { resource: item.resource, facets: std::mem::take(&mut item.facets) },
                    attributes: given.as_ref().unwrap_or(&NO_ATTRIBUTES),
                }),
                None => Err(unreadable()),
            });
        }
        let (answers, revision) = self.service.batch_check(account.as_str(), &items, at).await?;
        let mut answer = Vec::with_capacity(8 * answers.len() + 64);
        for (each, item) in answers.into_iter().zip(&request.items) {
            let in_full = |error| {
                let malformed = malformed(request.account, item.subject, item.permission, item.api_scope);
                malformed.map_or(error, Box::new)
            };
            add_result(&mut answer, &item_result(each.map_err(in_full)));
        }
        add_text(&mut answer, 2, &self.tokens.write(revision));
        Ok(Written::of(answer))
    }
}
