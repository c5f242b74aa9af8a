//! The services that are asked over HTTPS, each through the same list of what a provider must do, against a stand-in that
//! punishes what the original punishes.

mod conform;
mod rig;
mod stands;

use stands::{DnsPodStand, TencentStand};

conform::all!(dnspod, DnsPodStand);
conform::all!(tencent, TencentStand);
