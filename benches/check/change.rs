//! What a change costs that many feel, beside the same change that one feels; when it is in force; and what the next
//! question of somebody who felt it takes.

use std::time::{Duration, Instant};

use rolecall::{model::Revision, service::Service};

use super::{
    accounts::user,
    many::{self, FEW, MANY, MEMBERS, Served, ask, median},
    pairs::{Figures, Window, report, rounds, window},
};

/// How many who felt a change are asked about after it.
const ASKED: usize = 100;
/// How many changes a round has, of which the middle one counts.
const CHANGES: u64 = 5;

/// A change that takes something away, and what undoes it.
#[derive(Clone, Copy)]
enum What {
    Role,
    Team,
    Feature,
    Catalog,
}

const ALL: [(What, &str); 4] = [
    (What::Role, "A role loses a permission"),
    (What::Team, "A team loses a role"),
    (What::Feature, "An account loses a feature"),
    (What::Catalog, "A catalog is replaced"),
];

/// What one change took, in nanoseconds.
struct Took {
    whole: f64,
    /// From when it was durable until it was published.
    published: f64,
    /// The next question of somebody who felt it.
    next: f64,
    /// The one after that.
    kept: f64,
}

/// When a revision was published, looked for without pause.
fn published(service: &Service, after: Revision) -> std::thread::JoinHandle<Instant> {
    let service = service.clone();
    let (begun, running) = std::sync::mpsc::channel();
    let looking = std::thread::spawn(move || {
        begun.send(()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while service.head().revision <= after {
            assert!(Instant::now() < deadline, "it was not published");
            std::hint::spin_loop();
        }
        Instant::now()
    });
    running.recv().unwrap();
    looking
}

/// Carries out one change, asks those who felt it, and undoes it.
async fn change(served: &Served, of: &'static str, what: What, number: u64, asked: &[String]) -> Took {
    let service = &served.service;
    let binding = match what {
        What::Role => service.write(many::edit(of, true)).await.map(|_| None).unwrap(),
        What::Team => service.write(many::give_team(of)).await.unwrap().value.first().map(|binding| binding.number),
        What::Feature | What::Catalog => None,
    };
    for user in asked {
        ask(service, of, user, true).await;
    }
    // One change at a time: what the state does with those before would take a core that who looks has taken too.
    served.settle();
    let looking = published(service, service.head().revision);
    let began = Instant::now();
    match what {
        What::Role => drop(service.write(many::edit(of, false)).await.unwrap()),
        What::Team => drop(service.write(many::take_from_team(of, binding.unwrap())).await.unwrap()),
        What::Feature => drop(service.write(many::entitlement(of, false)).await.unwrap()),
        What::Catalog => drop(service.write(many::new_catalog(of, number)).await.unwrap()),
    }
    let whole = began.elapsed().as_nanos() as f64;
    let durable = served.log.durable.lock().unwrap().unwrap();
    let published = looking.join().unwrap().saturating_duration_since(durable).as_nanos() as f64;
    let is_allowed = !matches!(what, What::Feature);
    let (mut next, mut kept) = (Vec::new(), Vec::new());
    for user in asked {
        next.push(ask(service, of, user, is_allowed).await);
    }
    for user in asked {
        kept.push(ask(service, of, user, is_allowed).await);
    }
    if matches!(what, What::Feature) {
        service.write(many::entitlement(of, true)).await.unwrap();
    }
    Took { whole, published, next: median(next), kept: median(kept) }
}

pub async fn measure(served: &Served) {
    let users: Vec<String> = (0..ASKED.min(many::users())).map(user).collect();
    let single = [user(0)];
    let runtime = tokio::runtime::Handle::current();
    let mut number = 0;
    let mut changes = |of: &'static str, what: What, asked: &[String]| -> Took {
        let took: Vec<Took> = (0..CHANGES)
            .map(|_| {
                number += 1;
                tokio::task::block_in_place(|| runtime.block_on(change(served, of, what, number, asked)))
            })
            .collect();
        let middle = |figure: fn(&Took) -> f64| median(took.iter().map(figure).collect());
        Took {
            whole: middle(|took| took.whole),
            published: middle(|took| took.published),
            next: middle(|took| took.next),
            kept: middle(|took| took.kept),
        }
    };
    for (what, name) in ALL {
        let mut figures: [Figures; 6] = Default::default();
        for round in 0..rounds() {
            let mut took = [None, None];
            let clean = window(|| {
                for which in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
                    let (of, asked) = [(MANY, &users[..]), (FEW, &single[..])][which];
                    took[which] = Some(changes(of, what, asked));
                }
                0.0
            });
            let [Some(many), Some(one)] = &took else { continue };
            let all = [many.whole, one.whole, many.published, 10_000.0, many.next, many.kept + 3_000.0];
            for (figures, figure) in figures.iter_mut().zip(all) {
                figures.push(Window { figure, ..clean });
            }
        }
        let [whole, one, published, limit, next, kept] = figures;
        let felt = match what {
            What::Team => MEMBERS.min(many::users()),
            _ => many::users(),
        };
        report(&format!("{name}, felt by {felt}"), "ns", "felt by one", &(whole, one));
        report(&format!("{name}: in force after it was durable"), "ns", "ten microseconds", &(published, limit));
        report(&format!("{name}: the next Check of who felt it"), "ns", "a kept one, and 3 us", &(next, kept));
    }
}
