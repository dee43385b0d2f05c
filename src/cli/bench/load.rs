//! Who asks: threads with connections, and on each connection callers that make one call after the other.
//!
//! A thread shares nothing with another but the questions, so that none waits for another. Start with [`run`], then
//! `Thread::next`, where a caller gets its next call.

use std::{
    cell::RefCell,
    hint,
    rc::Rc,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::{
    sync::{Mutex, Notify, oneshot},
    task::{JoinSet, LocalSet},
};
use tonic::{Code, Status, transport::Channel};

use super::{
    super::{
        Exit, Failure,
        client::{Client, ClientSettings},
    },
    pace::{Arrivals, Call, Next, Window},
    questions::{Answers, Draw, Question, Questions},
    tally::Tally,
};
use crate::proto::authorization_service_client::AuthorizationServiceClient;

/// In a closed loop, after a call that found no server: otherwise all would only be busy with finding none.
const PAUSE: Duration = Duration::from_millis(10);
/// By how much Linux lets a thread sleep longer than it asked to, so that it can wake several at once.
const SLACK: Duration = Duration::from_micros(50);
/// How often the bar moves.
const TICK: Duration = Duration::from_millis(100);

/// How much is asked.
#[derive(Clone, Debug)]
pub struct Load {
    /// Calls a second that become due, more than 0; none: the next as soon as one has ended.
    pub rate: Option<u64>,
    /// Calls under way at a time, at most; no fewer than connections.
    pub in_flight: usize,
    /// Connections; no fewer than threads.
    pub connections: usize,
    /// Threads, more than 0.
    pub threads: usize,
    /// What comes before the measured time.
    pub warmup: Duration,
    /// How long is measured, more than 0.
    pub duration: Duration,
}

/// What one of several gets of a whole that is shared as evenly as can be.
fn share(whole: usize, index: usize, of: usize) -> usize {
    whole / of + usize::from(index < whole % of)
}

/// What the main thread has of another one.
struct Worker {
    connected: oneshot::Receiver<()>,
    begin: oneshot::Sender<Instant>,
    ended: oneshot::Receiver<Result<Tally, Failure>>,
}

/// Asks all that is to be asked, and adds up what came of it.
///
/// # Errors
/// That a connection cannot be made. A call that fails is counted.
pub async fn run(
    settings: &ClientSettings,
    load: &Load,
    questions: &Arc<Questions>,
    seed: u64,
) -> Result<Tally, Failure> {
    let mut begins = Vec::with_capacity(load.threads);
    let mut results = Vec::with_capacity(load.threads);
    let workers = (0..load.threads).map(|index| start(settings, load, questions, seed, index));
    for worker in workers.collect::<Result<Vec<_>, _>>()? {
        if worker.connected.await.is_err() {
            return Err(ended(worker.ended).await.err().unwrap_or_else(stopped));
        }
        begins.push(worker.begin);
        results.push(worker.ended);
    }
    let begin = Instant::now();
    for each in begins {
        // One that has ended says so when it is asked for its result.
        let _ = each.send(begin);
    }
    let window = load.window(begin);
    show_progress(begin, window).await;
    let mut tally = Tally::new(window)?;
    for result in results {
        tally.add(ended(result).await?)?;
    }
    Ok(tally)
}

async fn ended(result: oneshot::Receiver<Result<Tally, Failure>>) -> Result<Tally, Failure> {
    result.await.unwrap_or_else(|_| Err(stopped()))
}

fn stopped() -> Failure {
    Failure::new(Exit::Internal, "a thread of this command has stopped")
}

/// On a terminal only. Until nothing is sent any more.
async fn show_progress(begin: Instant, window: Window) {
    let whole = window.until.saturating_duration_since(begin);
    let style = ProgressStyle::with_template("{bar:40} {msg}, {eta} left");
    let milliseconds = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
    let bar = ProgressBar::with_draw_target(Some(milliseconds), ProgressDrawTarget::stderr());
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    loop {
        let now = Instant::now();
        let left = window.until.saturating_duration_since(now);
        if left.is_zero() {
            break;
        }
        bar.set_message(if now < window.from { "warming up" } else { "measuring" });
        bar.set_position(u64::try_from((whole - left.min(whole)).as_millis()).unwrap_or(u64::MAX));
        tokio::time::sleep(left.min(TICK)).await;
    }
    bar.finish_and_clear();
}

impl Load {
    fn window(&self, begin: Instant) -> Window {
        let from = begin + self.warmup;
        Window { from, until: from + self.duration }
    }
}

/// Starts one thread.
fn start(
    settings: &ClientSettings,
    load: &Load,
    questions: &Arc<Questions>,
    seed: u64,
    index: usize,
) -> Result<Worker, Failure> {
    let cannot = |error| Failure::new(Exit::Internal, format!("cannot start: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
    let (settings, load, questions) = (settings.clone(), load.clone(), Arc::clone(questions));
    let (is_connected, connected) = oneshot::channel();
    let (begin, began) = oneshot::channel();
    let (result, ended) = oneshot::channel();
    let work = move || {
        let work = async {
            let draw = Draw::new(questions, seed, index as u64)?;
            let mut clients = Vec::new();
            for _ in 0..share(load.connections, index, load.threads) {
                clients.push(Rc::new(Client::connect(&settings).await?));
            }
            // Whoever waits for this has gone if another thread could not connect, and then there is no beginning.
            let _ = is_connected.send(());
            let begin = began.await.map_err(|_| stopped())?;
            Thread::new(&settings, &load, index, begin, draw)?.run(&clients).await
        };
        let _ = result.send(LocalSet::new().block_on(&runtime, work));
    };
    thread::Builder::new().name(format!("bench-{index}")).spawn(work).map_err(cannot)?;
    Ok(Worker { connected, begin, ended })
}

/// What the callers of one thread share.
struct Thread {
    window: Window,
    /// How long a call may take.
    limit: Duration,
    callers: usize,
    pace: Pace,
    draw: RefCell<Draw>,
    tally: RefCell<Tally>,
}

/// Who says when the next call is made.
enum Pace {
    /// The call before.
    Closed,
    /// The time. One caller at a time waits for the next call, the others wait for their turn in the order in which
    /// they came.
    Open { turn: Mutex<Arrivals>, alarm: Alarm },
}

impl Thread {
    fn new(settings: &ClientSettings, load: &Load, index: usize, begin: Instant, draw: Draw) -> Result<Self, Failure> {
        let window = load.window(begin);
        let pace = match load.rate {
            None => Pace::Closed,
            Some(rate) => {
                let arrivals = Arrivals::new(begin, window, rate, index as u64, load.threads as u64);
                Pace::Open { turn: Mutex::new(arrivals), alarm: Alarm::start()? }
            }
        };
        Ok(Self {
            window,
            limit: settings.call_limit(),
            callers: share(load.in_flight, index, load.threads),
            pace,
            draw: RefCell::new(draw),
            tally: RefCell::new(Tally::new(window)?),
        })
    }

    /// Until all calls have ended that were sent.
    async fn run(self, clients: &[Rc<Client>]) -> Result<Tally, Failure> {
        let thread = Rc::new(self);
        let mut callers = JoinSet::new();
        for client in clients.iter().cycle().take(thread.callers) {
            callers.spawn_local(Rc::clone(&thread).call(Rc::clone(client)));
        }
        while let Some(ended) = callers.join_next().await {
            ended.map_err(|_| stopped())?;
        }
        let thread = Rc::into_inner(thread).ok_or_else(stopped)?;
        let mut tally = thread.tally.into_inner();
        if let Pace::Open { turn, .. } = thread.pace {
            turn.into_inner().left_over().for_each(|due| tally.note_unsent(due));
        }
        Ok(tally)
    }

    /// Makes one call after the other.
    async fn call(self: Rc<Self>, client: Rc<Client>) {
        let mut service = client.authorization();
        loop {
            // Before its time runs.
            let question = self.draw.borrow_mut().question();
            let came = Instant::now();
            let Some(call) = self.next().await else { return };
            let answer = self.ask(question, &client, &mut service).await;
            let is_gone = answer.as_ref().is_err_and(|status| status.code() == Code::Unavailable);
            self.tally.borrow_mut().note(call, came <= call.due, Instant::now(), answer);
            if is_gone && matches!(self.pace, Pace::Closed) {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Waits for what is to be sent next; none: it is over.
    async fn next(&self) -> Option<Call> {
        match &self.pace {
            Pace::Closed => {
                let now = Instant::now();
                (now < self.window.until).then(|| Call::at_once(now))
            }
            Pace::Open { turn, alarm } => {
                let mut arrivals = turn.lock().await;
                loop {
                    match arrivals.take(Instant::now()) {
                        Next::Send(call) => return Some(call),
                        Next::Wait(due) => alarm.wait(due).await,
                        Next::Over => return None,
                    }
                }
            }
        }
    }

    async fn ask(
        &self,
        question: Question,
        client: &Client,
        service: &mut AuthorizationServiceClient<Channel>,
    ) -> Result<Answers, Status> {
        let late = || Status::deadline_exceeded(format!("the server did not answer within {:?}", self.limit));
        // The transport keeps this time too, but only from when it has a connection.
        match tokio::time::timeout(self.limit, question.ask(client, service)).await {
            Err(_) => Err(late()),
            // It says CANCELLED when the time is over.
            Ok(Err(status)) if Client::is_late(&status) => Err(late()),
            Ok(answer) => answer,
        }
    }
}

/// Sleeps until an instant, to some microseconds: it asks to be woken as much earlier as it would be woken too late.
/// Where there is no time for that it does not try, for it would be awake all the time.
fn sleep_until(instant: Instant) {
    let left = instant.saturating_duration_since(Instant::now());
    thread::sleep(left.checked_sub(SLACK).unwrap_or(left));
    while Instant::now() < instant {
        hint::spin_loop();
    }
}

/// Wakes a thread at an instant, to some ten microseconds. The timers of the runtime count milliseconds, and a server
/// would be charged for the rest of them.
struct Alarm {
    set: mpsc::Sender<Instant>,
    rings: Arc<Notify>,
}

impl Alarm {
    /// It ends when it is dropped.
    fn start() -> Result<Self, Failure> {
        let (set, instants) = mpsc::channel::<Instant>();
        let rings = Arc::new(Notify::new());
        let bell = Arc::clone(&rings);
        let ring = move || {
            for instant in instants {
                sleep_until(instant);
                bell.notify_one();
            }
        };
        let thread = thread::Builder::new().name("bench-alarm".to_owned()).spawn(ring);
        thread.map_err(|error| Failure::new(Exit::Internal, format!("cannot start: {error}")))?;
        Ok(Self { set, rings })
    }

    async fn wait(&self, until: Instant) {
        // Whoever comes too early comes again; if nobody listens, the runtime's own timer has to do.
        if self.set.send(until).is_ok() {
            self.rings.notified().await;
        } else {
            tokio::time::sleep_until(until.into()).await;
        }
    }
}
