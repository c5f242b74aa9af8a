//! The numbers of the messages that tell of a change: `MESSAGE_ID` in the journal, the same in every version.
//!
//! A message carries its number as the field `message_id`; the journal can be searched for it, and says more about it with
//! `journalctl --catalog` (packages/config/hearth.catalog). What stands here is never given another meaning.

/// The state of an agent as a whole, in the words of its LEDs.
pub const STATE: &str = "47eaa0992cb6416d86dc283cf0480ff9";
/// The public address of a node.
pub const ADDRESS: &str = "1509bb0a9bf143318a118783593942a4";
/// The source of a site.
pub const SOURCE: &str = "f5ec52ed0108447592e1bc7656670b14";
/// A mount that the agent looks after.
pub const MOUNT: &str = "59ba1b0d5c904158a909406c2e416788";
/// A DNS name that the node keeps.
pub const RECORD: &str = "5d32fe61985f44e7aa095ee82bb29976";
/// The line from a node to a watcher.
pub const WATCHER: &str = "9a1e40b458154a9999e2d15364c7a500";
/// A new picture of the site in memory.
pub const GENERATION: &str = "68b4aef73eaa4e179d8a4eace693ae2d";
/// A decision of a watcher that is to be written.
pub const DECISION: &str = "142c83647806457793e783e7eb04b39b";
/// Something that a watcher saw or did about a site.
pub const SITE: &str = "3b041641178844f2a60df25453fe2e85";

/// Every number, for whoever compares them with the catalogue.
pub const ALL: [&str; 9] = [STATE, ADDRESS, SOURCE, MOUNT, RECORD, WATCHER, GENERATION, DECISION, SITE];
