//! Why no change that hearth may make leads to what is desired, and what a person can do about it.

use crate::dns::{Name, Owner, RecordType};

/// Why there is no way from what stands to what is desired.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// What was seen is another name.
    #[error("the plan is for {wanted}, but {seen} was read")]
    OtherName {
        /// The name of the plan.
        wanted: Name,
        /// The name that was read.
        seen: Name,
    },
    /// A set for the same type twice, or one that is also to go.
    #[error("{name}: {kind} is asked for twice; give each type one set")]
    Twice {
        /// The name.
        name: Name,
        /// The type.
        kind: RecordType,
    },
    /// A CNAME stands alone (RFC 2181 section 10.1).
    #[error("{0}: a CNAME cannot stand beside addresses (RFC 2181 section 10.1); ask for one or the other")]
    Mixed(Name),
    /// A CNAME has one member, so it cannot be shared.
    #[error(
        "{0}: a CNAME has one member and cannot be shared between writers; write addresses, or the whole name"
    )]
    SharedCname(Name),
    /// A CNAME stands where addresses are wanted.
    #[error(
        "{name} is a CNAME to {target}, so it can have no addresses; hearth does not exchange one for the other: \
         remove the CNAME by hand, or set `record = \"cname\"`"
    )]
    CnameInTheWay {
        /// The name.
        name: Name,
        /// Where the CNAME points.
        target: String,
    },
    /// Addresses stand where a CNAME is wanted.
    #[error(
        "{name} has {kind} records, so it can have no CNAME; hearth does not exchange one for the other: \
         remove them by hand, or set `record = \"address\"`"
    )]
    AddressesInTheWay {
        /// The name.
        name: Name,
        /// The type that stands there.
        kind: RecordType,
    },
    /// The provider has no lines.
    #[error("{0}: its provider has no GeoDNS lines; remove `lines`")]
    NoLines(Name),
    /// Nothing would be left at the name.
    #[error("{0}: removing a type is allowed only while another one stands; ask for a set that stays")]
    NothingLeft(Name),
    /// A later decision is already in force.
    #[error(
        "{name}: decision {seen} is in force, this is the older {ours}; another watcher is at work, or state was lost"
    )]
    Superseded {
        /// The name.
        name: Name,
        /// The epoch in force.
        seen: u64,
        /// This writer's.
        ours: u64,
    },
    /// Somebody else writes the whole name.
    #[error(
        "{name} is written by `{holder}`: one name has one writer; give this one another name, or remove the mark of \
         `{holder}` from the TXT records at _hearth.{name} if it no longer exists"
    )]
    HeldByOther {
        /// The name.
        name: Name,
        /// Who writes it.
        holder: Owner,
    },
}
