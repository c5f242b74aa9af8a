//! Every provider through the same list of what one must do: those that can be started here for real, the others against
//! a stand-in that punishes what the original punishes.

mod addresses;
mod conform;
mod house;
mod particular;
mod person;
mod rig;
mod stands;
mod stands_of_addresses;
mod stands_of_servers;
mod stands_of_zones;
mod stands_without_lines;
mod texts;
mod year;

use stands::{DnsPodStand, TencentStand};
use stands_of_addresses::{DuckDnsStand, Dyndns2Stand};
use stands_of_servers::{BindStand, KnotStand, PowerDnsUpdateStand};
use stands_of_zones::{CloudflareStand, PowerDnsStand};
use stands_without_lines::{AlidnsStand, DesecStand};

conform::all!(dnspod, DnsPodStand);
conform::all!(tencent, TencentStand);
conform::all!(dyndns2, Dyndns2Stand);
conform::all!(duckdns, DuckDnsStand);
conform::all!(desec, DesecStand);
conform::all!(alidns, AlidnsStand);
conform::all!(cloudflare, CloudflareStand);
conform::all!(powerdns, PowerDnsStand);
conform::all!(rfc2136_at_knot, KnotStand);
conform::all!(rfc2136_at_bind, BindStand);
conform::all!(rfc2136_at_powerdns, PowerDnsUpdateStand);
