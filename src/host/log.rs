//! The log of a process: the journal under systemd, standard error everywhere else.
//!
//! Never writes a file, and never writes to standard output: that belongs to what a command was asked for.

use std::fmt::{self, Debug};
use std::io::{self, IsTerminal};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// The variable that says what is logged, as levels of modules: `debug`, `hearth::dns=trace,info`.
pub const VARIABLE: &str = "HEARTH_LOG";

/// What libraries say below this level is of no use to somebody who runs a site.
const QUIET: &str =
    "hyper=warn,hyper_util=warn,h2=warn,rustls=warn,reqwest=warn,hickory_proto=warn,hickory_server=warn";

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The variable does not parse.
    #[error(
        "{VARIABLE}=`{text}` is not a filter: {source}; write for example `debug` or `hearth::dns=trace,info`"
    )]
    Filter {
        /// What it holds.
        text: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Somebody else has started a log in this process.
    #[error("the log was started twice: {0}")]
    Twice(#[from] TryInitError),
}

/// Starts the log. `level` holds when [`VARIABLE`] is not set.
///
/// # Errors
/// When the variable is not a filter, or a log was started before.
pub fn start(level: LevelFilter) -> Result<(), LogError> {
    let filter = filter(level, written())?;
    let registry = tracing_subscriber::registry().with(filter);
    match journal() {
        Some(journal) => registry.with(journal).try_init()?,
        None => {
            let colours = io::stderr().is_terminal();
            let stderr = tracing_subscriber::fmt::layer()
                .with_writer(io::stderr)
                .with_ansi(colours)
                .fmt_fields(WithoutNumber);
            registry.with(stderr).try_init()?;
        }
    }
    Ok(())
}

fn filter(level: LevelFilter, written: Option<String>) -> Result<Targets, LogError> {
    let text = written.unwrap_or_else(|| format!("{level},{QUIET}"));
    text.parse().map_err(|source| LogError::Filter { text, source })
}

#[expect(clippy::disallowed_methods, reason = "the log comes before the configuration")]
fn written() -> Option<String> {
    std::env::var(VARIABLE).ok().filter(|text| !text.trim().is_empty())
}

/// The journal, when standard error leads there. None where it does not, or where no journald answers.
fn journal() -> Option<tracing_journald::Layer> {
    if !stderr_is_journal() {
        return None;
    }
    let layer = tracing_journald::layer().ok()?;
    let layer = layer.with_syslog_identifier("hearth".to_owned()).with_priority_mappings(priorities());
    // Without a prefix, so that `message_id` is the journal's own MESSAGE_ID.
    Some(layer.with_field_prefix(None))
}

/// Writes a message and its fields, but not its number: only the journal has a use for that.
struct WithoutNumber;

impl<'w> FormatFields<'w> for WithoutNumber {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line { writer, begun: false, written: Ok(()) };
        fields.record(&mut line);
        line.written
    }
}

/// The fields of one message, as they are written.
struct Line<'w> {
    writer: Writer<'w>,
    begun: bool,
    written: fmt::Result,
}

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message_id" || self.written.is_err() {
            return;
        }
        let space = if self.begun { " " } else { "" };
        self.begun = true;
        self.written = match field.name() {
            "message" => write!(self.writer, "{space}{value:?}"),
            name => write!(self.writer, "{space}{name}={value:?}"),
        };
    }
}

/// INFO is the ordinary course of things (6), not Notice (5), which the crate would say.
fn priorities() -> PriorityMappings {
    PriorityMappings {
        error: Priority::Error,
        warn: Priority::Warning,
        info: Priority::Informational,
        debug: Priority::Debug,
        trace: Priority::Debug,
    }
}

/// Whether `JOURNAL_STREAM` names the very file that standard error is (systemd.exec(5)): the variable alone is
/// inherited by children whose standard error was redirected.
#[expect(clippy::disallowed_methods, reason = "the service manager speaks through the environment")]
fn stderr_is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(io::stderr()).is_ok_and(|stat| names(&stream, stat.st_dev, stat.st_ino))
}

/// Whether `stream` is `device:inode` of that file.
fn names(stream: &str, device: u64, inode: u64) -> bool {
    stream.split_once(':').is_some_and(|(d, i)| d.parse() == Ok(device) && i.parse() == Ok(inode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_stream_is_the_journal() {
        assert!(names("8:4711", 8, 4711));
        for other in ["8:4712", "9:4711", "", "8", "8:", ":4711", "8:4711:1", "x:y"] {
            assert!(!names(other, 8, 4711), "{other}");
        }
    }

    #[test]
    fn a_filter_that_does_not_parse_is_shown_with_the_way_to_write_one() {
        let error = filter(LevelFilter::INFO, Some("hearth=louder".to_owned())).unwrap_err().to_string();
        assert!(
            error.contains("HEARTH_LOG=`hearth=louder`") && error.contains("write for example"),
            "{error}"
        );
    }

    #[test]
    fn the_level_holds_where_nothing_is_written() {
        let by_default = filter(LevelFilter::INFO, None).unwrap().to_string();
        assert!(by_default.contains("info") && by_default.contains("hyper=warn"), "{by_default}");
        assert_eq!(filter(LevelFilter::INFO, Some("trace".to_owned())).unwrap().to_string(), "trace");
    }
}
