//! A visitor's resolver that asks without pause: what it sees between two states is what visitors see.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hickory_proto::rr::RecordType;

use super::name_server::ask;

/// Asks over UDP every millisecond until it is told to end.
pub(crate) struct Poller {
    ended: Arc<AtomicBool>,
    began: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Polled>,
}

#[derive(Default)]
struct Polled {
    answers: usize,
    empty: usize,
    seen: BTreeSet<Vec<String>>,
}

impl Poller {
    /// Starts to ask `server`.
    pub(crate) fn start(server: SocketAddr, name: &'static str, kind: RecordType) -> Self {
        let (ended, began) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (until, from) = (Arc::clone(&ended), Arc::clone(&began));
        let thread = std::thread::spawn(move || {
            let mut polled = Polled::default();
            while !until.load(Ordering::SeqCst) {
                let counts = from.load(Ordering::SeqCst);
                if let Some(answer) = ask(server, name, kind, Duration::from_secs(2)).filter(|_| counts) {
                    let data: Vec<String> = answer.answers.iter().map(|r| r.data.to_string()).collect();
                    polled.answers += 1;
                    polled.empty += usize::from(data.is_empty());
                    polled.seen.insert(data);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            polled
        });
        Self { ended, began, thread }
    }

    /// From now on there is something to see.
    pub(crate) fn began(&self) {
        self.began.store(true, Ordering::SeqCst);
    }

    /// Ends, and fails when an answer was empty or when there was nothing to see.
    #[track_caller]
    pub(crate) fn assert_never_empty(self) {
        self.ended.store(true, Ordering::SeqCst);
        let polled = self.thread.join().unwrap();
        assert!(polled.answers > 20 && polled.seen.len() > 1, "{} answers {:?}", polled.answers, polled.seen);
        assert_eq!(polled.empty, 0, "of {} answers", polled.answers);
    }
}
