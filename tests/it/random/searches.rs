//! The lists of who may do something, and where: held against the oracle's, and against Check.

use rolecall::{
    proto::{ListResourcesRequest, ListSubjectsRequest},
    service::ErrorReason,
};

use super::{
    super::oracle::{Holder, Question, Reason, Subject, What},
    Difference, Place, Worker,
    answers::error,
    expected::{code, reason_of},
    questions::texts,
    same,
    statements::attributes_sent,
    subject_text,
};

/// How a page size is chosen: often none is given.
const PAGE_SIZES: [i32; 5] = [0, 0, 0, 1, 2];

impl Worker {
    /// Everybody who may do what a question asks, in order; for all others Check has to say no.
    pub(super) async fn list_subjects(&mut self, place: &Place, question: &Question) -> Result<(), Difference> {
        self.done.lists += 1;
        let (permission, api_scope) = texts(question);
        let mut request = ListSubjectsRequest {
            account: place.name.clone(),
            permission,
            api_scope,
            resource: question.resource.clone().unwrap_or_default(),
            facets: question.facets.clone().into_iter().collect(),
            attributes: attributes_sent(&question.attributes),
            page_size: PAGE_SIZES[self.random.below(PAGE_SIZES.len())],
            ..Default::default()
        };
        let expected = self.oracle.list_subjects(&place.id, question, self.now);
        let what = format!("ListSubjects in {} at {}: {question:?}", place.id, self.now);
        let mut listed = Vec::new();
        loop {
            match self.wire.authorization.list_subjects(request.clone()).await {
                Ok(answer) => {
                    let answer = answer.into_inner();
                    listed.extend(answer.subjects);
                    request.page_token = answer.next_page_token;
                }
                Err(status) => {
                    let given = Err((status.code(), reason_of(&status).unwrap_or_default()));
                    return same(&what, &given, &expected.map_err(error));
                }
            }
            if request.page_token.is_empty() {
                break;
            }
        }
        let expected = expected.map_err(|unknown| format!("{what} is answered; the oracle says {unknown:?}"))?;
        let found = place.found.as_ref().unwrap();
        let mut expected: Vec<Subject> = expected.into_iter().collect();
        expected.sort_by_key(|subject| match subject {
            Subject::User(id) => (false, found.users[id].made),
            Subject::ServiceAccount(id) => (true, found.service_accounts[id].made),
        });
        let name = |subject: &Subject| format!("{}/{}", place.name, subject_text(subject));
        let names: Vec<String> = expected.iter().map(name).collect();
        let given: Vec<String> = listed.iter().map(|each| each.subject.clone()).collect();
        same(&what, &given, &names)?;
        self.compared("list of subjects");
        if request.api_scope.is_empty() && self.random.chance(30) {
            for (subject, given) in expected.iter().zip(&listed) {
                let expected = self.how(place, question, subject);
                same(
                    &format!("how {subject:?} comes to it in {what}"),
                    &(given.direct, given.teams.clone()),
                    &expected,
                )?;
                self.compared("list of subjects, with how they come to it");
            }
        }
        let of = |subject| Question { subject, ..question.clone() };
        let questions: Vec<Question> = found.subjects().into_iter().map(of).collect();
        self.batch(&place.id, &questions).await
    }

    /// Whether a subject who is allowed something has it by a grant of its own, and by which teams. For each the others'
    /// bindings are taken away: no deny of it is among those of somebody who is allowed it.
    fn how(&self, place: &Place, question: &Question, subject: &Subject) -> (bool, Vec<String>) {
        let question = Question { subject: subject.clone(), ..question.clone() };
        let mut alone = self.oracle.clone();
        let mut is_allowed = |team: Option<&String>| {
            let mut found = place.found.clone().unwrap();
            found.bindings.retain(|(holder, _, _), _| match holder {
                Holder::Team(id) => Some(id) == team,
                _ => team.is_none(),
            });
            if team.is_some() {
                found.exceptions.clear();
            }
            alone.accounts.insert(place.id.clone(), found);
            alone.check(&place.id, &question, self.now) == Ok(Reason::Allowed)
        };
        let direct = is_allowed(None);
        let teams = place.team_ids().into_iter().filter(|team| is_allowed(Some(team)));
        (direct, teams.map(|team| format!("{}/teams/{team}", place.name)).collect())
    }

    /// Every registered resource of a type on which a subject may do what a question asks; on all others Check has to
    /// say no.
    pub(super) async fn list_resources(&mut self, place: &Place, question: &Question) -> Result<(), Difference> {
        let What::Permission(permission) = &question.what else { return Ok(()) };
        self.done.lists += 1;
        let of_permission = place.catalog.permissions.get(permission).and_then(|each| each.resource_type.clone());
        let known = if self.random.chance(60) { of_permission } else { self.random.pick(place.types()) };
        let resource_type = known.unwrap_or_else(|| "site".into());
        let mut request = ListResourcesRequest {
            account: place.name.clone(),
            subject: subject_text(&question.subject),
            permission: permission.clone(),
            resource_type: resource_type.clone(),
            facets: question.facets.clone().into_iter().collect(),
            attributes: attributes_sent(&question.attributes),
            page_size: PAGE_SIZES[self.random.below(PAGE_SIZES.len())],
            ..Default::default()
        };
        let expected = self.oracle.list_resources(&place.id, question, &resource_type, self.now);
        let what = format!("ListResources of {resource_type} in {} at {}: {question:?}", place.id, self.now);
        let (mut listed, mut all) = (Vec::new(), None);
        loop {
            match self.wire.authorization.list_resources(request.clone()).await {
                Ok(answer) => {
                    let answer = answer.into_inner();
                    listed.extend(answer.resources);
                    all = all.or(Some(answer.all));
                    request.page_token = answer.next_page_token;
                }
                Err(status) => {
                    let given = (status.code(), reason_of(&status).unwrap_or_default());
                    let missing = ErrorReason::ResourceTypeNotFound;
                    let is_missing = !place.catalog.resource_types.contains_key(&resource_type);
                    if is_missing && given == (code(missing), missing.name().to_owned()) {
                        return Ok(());
                    }
                    return same(&what, &Err(given), &expected.map_err(error));
                }
            }
            if request.page_token.is_empty() {
                break;
            }
        }
        let expected = expected.map_err(|unknown| format!("{what} is answered; the oracle says {unknown:?}"))?;
        let expected = (expected.resources.into_iter().collect::<Vec<_>>(), Some(expected.all));
        same(&what, &(listed, all), &expected)?;
        self.compared("list of resources");
        let mut paths = place.paths();
        paths.retain(|path| place.catalog.type_of(path).as_ref() == Some(&resource_type));
        let of = |resource| Question { resource, ..question.clone() };
        let questions: Vec<Question> = paths.into_iter().map(Some).chain([None]).map(of).collect();
        self.batch(&place.id, &questions).await
    }
}
