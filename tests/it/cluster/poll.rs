//! Visitors who ask without pause, on a connection of their own each time, and count what they get.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::house::Machine;
use super::site;

pub(super) const HOST: &str = "www.example.com";

/// How long a visitor waits. Longer than any gap that is measured, so that one who hangs is counted with all of it.
const WAITS: Duration = Duration::from_secs(100);

/// What visitors saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) asked: usize,
    pub(super) answered: usize,
    /// 200 with a body that no publisher wrote.
    pub(super) wrong: usize,
    /// Answers other than 200, by status; 0: no whole answer.
    pub(super) others: BTreeMap<u16, usize>,
    /// Between two good answers, or since the start.
    pub(super) longest_gap: Duration,
    /// The newest version of any page.
    pub(super) newest: u64,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "asked {}, answered {}, ", self.asked, self.answered)?;
        write!(f, "wrong or truncated {}, longest gap {:.2} s", self.wrong, self.longest_gap.as_secs_f64())?;
        if !self.others.is_empty() {
            write!(f, ", other answers {:?}", self.others)?;
        }
        Ok(())
    }
}

impl Seen {
    /// Every question was answered, with a whole page of the site, and never long after the one before.
    #[track_caller]
    pub(super) fn assert_all_answered(&self, what: &str) {
        println!("{what}: {self}");
        assert!(self.asked > 50, "{what}: there was hardly anything to see: {self}");
        assert_eq!((self.answered, self.wrong), (self.asked, 0), "{what}: {self}");
        assert!(self.longest_gap <= Duration::from_secs(1), "{what}: {self}");
    }
}

/// A visitor on a machine.
pub(super) struct Poller {
    ended: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Seen>,
}

impl Poller {
    /// Asks what listens on `port` of `machine`, from that machine, all pages in turn, every 20 ms.
    pub(super) fn start(machine: &Machine, port: u16) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&ended);
        let thread = machine.begin(move || poll(port, &until));
        Self { ended, thread }
    }

    /// Ends it; what it saw.
    pub(super) fn end(self) -> Seen {
        self.ended.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

fn poll(port: u16, until: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut last = Instant::now();
    while !until.load(Ordering::SeqCst) {
        let page = seen.asked % site::PAGES;
        seen.asked += 1;
        match ask(port, page) {
            Ok((200, body)) => match site::version(page, &body) {
                Some(version) => {
                    seen.answered += 1;
                    seen.newest = seen.newest.max(version);
                    seen.longest_gap = seen.longest_gap.max(last.elapsed());
                    last = Instant::now();
                }
                None => seen.wrong += 1,
            },
            Ok((status, _)) => *seen.others.entry(status).or_default() += 1,
            Err(_) => *seen.others.entry(0).or_default() += 1,
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    seen.longest_gap = seen.longest_gap.max(last.elapsed());
    seen
}

/// One request: the status and the body, which must be as long as its head says.
pub(super) fn ask(port: u16, page: usize) -> std::io::Result<(u16, Vec<u8>)> {
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&to, WAITS)?;
    stream.set_read_timeout(Some(WAITS))?;
    let target = site::target(page);
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    whole(&bytes).ok_or_else(|| std::io::Error::other("half an answer"))
}

fn whole(bytes: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?.to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    // A body of another length than it was announced with is a wrong one, not a missing one.
    let announced: usize = length.trim().parse().ok()?;
    let body = if bytes.len() - end - 4 == announced { bytes[end + 4..].to_vec() } else { Vec::new() };
    Some((status, body))
}
