//! What `gluster --xml` answers, read into values.
//!
//! PURE. The form is that of GlusterFS 10.3; the files in `fixtures/` are what it printed.

use std::collections::BTreeMap;

use roxmltree::{Document, Node};

/// Why an answer says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// There is no answer in the form that was asked for; the daemon is away.
    #[error("glusterd does not answer on this machine ({0}); start it: systemctl enable --now glusterd")]
    NoDaemon(String),
    /// It refuses.
    #[error("gluster refuses: {0}")]
    Refused(String),
    /// The answer is another than this version knows.
    #[error("the answer of gluster has no <{0}>; is it of a very old or very new version?")]
    Strange(&'static str),
}

/// How a machine of the pool is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// It belongs to the pool, and its daemon is connected.
    Connected,
    /// It belongs to the pool, and its daemon is not connected.
    Away,
    /// It does not belong to the pool yet, or is refused by it; gluster's words.
    Unsettled(String),
}

/// Another machine of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The names that it is known by.
    pub names: Vec<String>,
    /// How it is reached.
    pub link: Link,
}

/// Whether a volume is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// Its bricks are to run.
    Started,
    /// It was just created, or stopped.
    Stopped,
}

/// A volume, as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Whether it is served.
    pub started: Started,
    /// Its bricks, as `host:/directory`.
    pub bricks: Vec<String>,
    /// How many bricks hold each file, an arbiter included.
    pub replicas: u32,
    /// How many of these are arbiters.
    pub arbiters: u32,
    /// The options that were set.
    pub options: BTreeMap<String, String>,
}

/// Whether a brick's process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// It does.
    Runs,
    /// It does not.
    Away,
}

/// How a brick stands with healing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Healing {
    /// The brick, as `host:/directory`.
    pub brick: String,
    /// Why it was not reached; None when it was.
    pub unreachable: Option<String>,
    /// What it knows the other brick lacks: paths on the volume.
    pub entries: Vec<String>,
}

/// The machines that `peer status` knows.
///
/// # Errors
/// [`AnswerError`].
pub fn peers(xml: &str) -> Result<Vec<Peer>, AnswerError> {
    let document = document(xml)?;
    accepted(&document)?;
    let status = find(&document, "peerStatus")?;
    Ok(children(status, "peer").map(peer).collect())
}

fn peer(node: Node<'_, '_>) -> Peer {
    let aliases = children(node, "hostnames").flat_map(|names| children(names, "hostname").filter_map(text));
    let names = text_of(node, "hostname").into_iter().chain(aliases).map(str::to_owned).collect();
    // 3 is GD_FRIEND_STATE_BEFRIENDED, in words "Peer in Cluster".
    let link = match (text_of(node, "state"), text_of(node, "connected")) {
        (Some("3"), Some("1")) => Link::Connected,
        (Some("3"), _) => Link::Away,
        _ => Link::Unsettled(text_of(node, "stateStr").unwrap_or("unknown").to_owned()),
    };
    Peer { names, link }
}

/// The volume that `volume info NAME` shows; None when there is none of this name.
///
/// # Errors
/// [`AnswerError`].
pub fn volume(xml: &str) -> Result<Option<Volume>, AnswerError> {
    /// `EG_NOVOL` of GlusterFS.
    const NO_SUCH_VOLUME: &str = "30806";
    let document = document(xml)?;
    if find(&document, "opErrno")?.text() == Some(NO_SUCH_VOLUME) {
        return Ok(None);
    }
    accepted(&document)?;
    let volume = find(&document, "volume")?;
    let option = |node| {
        Some((text_of(node, "name")?.to_owned(), text_of(node, "value").unwrap_or_default().to_owned()))
    };
    Ok(Some(Volume {
        started: match text_of(volume, "statusStr").ok_or(AnswerError::Strange("statusStr"))? {
            "Started" => Started::Started,
            _ => Started::Stopped,
        },
        bricks: descendants(volume, "brick").filter_map(|b| text_of(b, "name").map(str::to_owned)).collect(),
        replicas: number(volume, "replicaCount")?,
        arbiters: number(volume, "arbiterCount")?,
        options: descendants(volume, "option").filter_map(option).collect(),
    }))
}

/// The bricks that `volume status NAME` shows. Those of a machine that is away are not among them.
///
/// # Errors
/// [`AnswerError`].
pub fn processes(xml: &str) -> Result<BTreeMap<String, Process>, AnswerError> {
    let document = document(xml)?;
    accepted(&document)?;
    let volume = find(&document, "volume")?;
    let brick = |node| {
        // Daemons beside the bricks have a machine where a brick has its directory.
        let path = text_of(node, "path").filter(|path| path.starts_with('/'))?;
        let process = if text_of(node, "status") == Some("1") { Process::Runs } else { Process::Away };
        Some((format!("{}:{path}", text_of(node, "hostname")?), process))
    };
    Ok(children(volume, "node").filter_map(brick).collect())
}

/// The bricks of `volume heal NAME info`, with what waits to be healed, or of `… info split-brain`.
///
/// # Errors
/// [`AnswerError`].
pub fn healing(xml: &str) -> Result<Vec<Healing>, AnswerError> {
    let document = document(xml)?;
    accepted(&document)?;
    let info = find(&document, "healInfo")?;
    let brick = |node| Healing {
        brick: text_of(node, "name").unwrap_or_default().to_owned(),
        unreachable: text_of(node, "status").filter(|status| *status != "Connected").map(str::to_owned),
        entries: children(node, "file").filter_map(text).map(str::to_owned).collect(),
    };
    Ok(descendants(info, "brick").map(brick).collect())
}

fn document(xml: &str) -> Result<Document<'_>, AnswerError> {
    let first = || xml.lines().next().unwrap_or("no answer").to_owned();
    Document::parse(xml).map_err(|_| AnswerError::NoDaemon(first()))
}

/// Whether the command did what it was asked for.
fn accepted(document: &Document<'_>) -> Result<(), AnswerError> {
    if find(document, "opRet")?.text() == Some("0") {
        return Ok(());
    }
    let why = find(document, "opErrstr").ok().and_then(text);
    Err(AnswerError::Refused(why.unwrap_or("it does not say why").to_owned()))
}

fn find<'a, 'i>(document: &'a Document<'i>, name: &'static str) -> Result<Node<'a, 'i>, AnswerError> {
    descendants(document.root_element(), name).next().ok_or(AnswerError::Strange(name))
}

fn descendants<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.descendants().filter(move |node| node.has_tag_name(name))
}

fn children<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |node| node.has_tag_name(name))
}

fn text<'a>(node: Node<'a, '_>) -> Option<&'a str> {
    node.text().map(str::trim).filter(|text| !text.is_empty())
}

fn text_of<'a>(node: Node<'a, '_>, name: &'static str) -> Option<&'a str> {
    children(node, name).next().and_then(text)
}

fn number(node: Node<'_, '_>, name: &'static str) -> Result<u32, AnswerError> {
    text_of(node, name).and_then(|text| text.parse().ok()).ok_or(AnswerError::Strange(name))
}

#[cfg(test)]
mod tests;
