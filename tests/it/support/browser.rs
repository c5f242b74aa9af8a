//! A real browser, without a window.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::wait_until;

/// On a busy machine it takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with a home of its own, which ends with this value.
pub(crate) struct Browser {
    home: tempfile::TempDir,
    more: Vec<String>,
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), more: Vec::new() }
    }

    /// Asks at `to` for everything of `host`.
    pub(crate) fn finding(mut self, host: &str, to: std::net::SocketAddr) -> Self {
        self.more.push(format!("--host-resolver-rules=MAP {host} {to}"));
        self
    }

    /// Trusts this authority as well, as a person who imported it does.
    pub(crate) fn trusting(self, root: &Path) -> Self {
        let database = self.home.path().join(".pki/nssdb");
        std::fs::create_dir_all(&database).unwrap();
        let name = format!("sql:{}", database.display());
        let root = root.to_str().unwrap();
        for words in [&["-N", "--empty-password"][..], &["-A", "-n", "test", "-t", "C,,", "-i", root]] {
            let output = Command::new("certutil").args(["-d", &name]).args(words).output();
            let output = output.expect("tests/run installs certutil");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        self
    }

    /// What it makes of a page: the document after so many virtual milliseconds, and what it had to say of it.
    pub(crate) fn shows(&self, url: &str, milliseconds: u32) -> (String, String) {
        let mut child = Command::new("chromium")
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"])
            .args([
                "--window-size=1200,900",
                "--disable-background-networking",
                "--no-first-run",
                "--dump-dom",
            ])
            .arg(format!("--virtual-time-budget={milliseconds}"))
            .arg(format!("--user-data-dir={}", self.home.path().join("profile").display()))
            .args(&self.more)
            .arg(url)
            .env("HOME", self.home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tests/run installs chromium");
        let (shown, said) = (read(child.stdout.take().unwrap()), read(child.stderr.take().unwrap()));
        let status = wait_until("the browser ends", PATIENCE, || child.try_wait().unwrap());
        let (shown, said) = (shown.join().unwrap(), said.join().unwrap());
        assert!(status.success(), "{said}");
        (shown, said)
    }
}

/// Reads in a thread until the other side is done.
fn read(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = from.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    })
}
