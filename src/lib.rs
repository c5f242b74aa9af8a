//! hearth keeps a website that lives on Raspberry Pis at home reachable.
//!
//! One binary, two long-running roles. The **agent** runs on each Pi: it serves the site from memory, keeps the Pi's
//! own DNS name pointed at its public address, beats to the watcher and shows its state on LEDs. The **watcher** runs
//! elsewhere: it takes the beats, looks at every Pi from outside and writes the site's DNS record, to the Pis that are
//! up or, when none is, to GitHub Pages; and back.
//!
//! # The way data travels
//!
//! ```text
//! Pi       source -> Observation -> agreement -> plan -> provider -> read back
//!          mount -> Generation -> replies            (request tasks see only the current generation)
//!          everything -> Status -> seal -> send;  Status -> rhythm -> LEDs
//! watcher  receive -> verify -> window -> liveness <- probe
//!          liveness of all -> failover -> plan -> provider -> read back -> ask every name server
//!          every event and effect -> journal -> status page
//! ```
//!
//! # What must always hold
//!
//! 1. The published set is never empty, at any instant, whatever crashes, times out or answers 429.
//! 2. One writer per RRset: a node's own name by its agent alone, a site's name by the watcher alone.
//! 3. No foreign record is ever changed.
//! 4. Nothing is switched on the word of a watcher that is itself cut off.
//! 5. No switch to a fallback that is not known to be good.
//! 6. At most 2R+1 landed changes per hour and name with one node, 2R+n with n: only returns are rate-limited.
//! 7. A request is never answered by waiting for the mount.
//! 8. A write whose outcome is unknown is read back before it is repeated.
//! 9. LEDs tell the truth or go dark.
//! 10. Secrets appear in no log, error, status page, `Debug` output or process argument.
//!
//! # Modules, in reading order
//!
//! PURE modules know no tokio, files, sockets, environment, clock or logging: values in, values out, `now` as an
//! argument. `tests/it/tidy.rs` keeps their list and fails when one of them names something it must not. Arrows point
//! down only: `main -> cmd -> drivers -> rooms`; drivers do not know each other; an IO room knows its own words and
//! [`host`]; [`config`] depends on the policy types that rooms define, never the other way.
//!
//! Without the feature `io` only the words and the decisions of the watcher are built: that is all that its simulator
//! needs, and it wants them optimised.

// Words and decisions.
#[cfg(feature = "io")]
pub mod acme;
pub mod address;
#[cfg(feature = "io")]
pub mod appliance;
pub mod dns;
pub mod failover;
#[cfg(feature = "io")]
pub mod gluster;
pub mod heartbeat;
#[cfg(feature = "io")]
pub mod hook;
#[cfg(feature = "io")]
pub mod leds;
pub mod liveness;
pub mod moment;
#[cfg(feature = "io")]
pub mod mount;
pub mod notify;
pub mod policy;
pub mod secret;
#[cfg(feature = "io")]
pub mod site;
#[cfg(feature = "io")]
pub mod status;
#[cfg(feature = "io")]
pub mod tls;

// The world.
#[cfg(feature = "io")]
pub mod host;
#[cfg(feature = "io")]
pub mod probe;
/// What a look from outside saw.
#[cfg(not(feature = "io"))]
pub mod probe {
    pub mod outcome;
    pub mod page;

    pub use outcome::{Failure, Outcome};
    pub use page::{PageCheck, Scheme};
}

// What is written in the file, and what it means.
#[cfg(feature = "io")]
pub mod config;

// The drivers: own time and tasks, feed the pure rooms, publish status.
#[cfg(feature = "io")]
pub mod agent;
#[cfg(feature = "io")]
pub mod watcher;

// The command line.
#[cfg(feature = "io")]
pub mod cli;
#[cfg(feature = "io")]
pub mod cmd;
#[cfg(feature = "io")]
pub mod demo;
