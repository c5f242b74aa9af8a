//! The services that are asked over HTTPS, each through the same list of what a provider must do, against a stand-in that
//! punishes what the original punishes.

mod addresses;
mod conform;
mod house;
mod particular;
mod person;
mod rig;
mod stands;
mod stands_of_addresses;
mod stands_of_zones;
mod stands_without_lines;
mod year;

use stands::{DnsPodStand, TencentStand};
use stands_of_addresses::{DuckDnsStand, Dyndns2Stand};
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
