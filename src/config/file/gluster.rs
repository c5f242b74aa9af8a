//! What is written about the volume that two nodes share: `[gluster]`.

use serde::Deserialize;
use toml::Spanned;

use crate::config::value::At;
use crate::gluster::{Host, Place, VolumeName};

/// `[gluster]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "the table [gluster]")]
pub(crate) struct Gluster {
    /// The name of the volume. Default: `gv0`.
    pub(crate) volume: Option<At<VolumeName>>,
    /// The directory of this node's copy; the same on every machine. Required.
    pub(crate) brick: At<Place>,
    /// Where the volume is mounted. Default: `/mnt/gluster1`.
    pub(crate) mount: Option<At<Place>>,
    /// The two nodes, by the names or addresses that both reach them by. Required.
    pub(crate) nodes: Spanned<Vec<At<Host>>>,
    /// A third machine, which holds names and attributes only and breaks ties. Default: none.
    pub(crate) arbiter: Option<At<Host>>,
}
