//! The LEDs: their words, the overlay, and lamps and a button on a real kernel in a virtual machine.

mod guest;
mod overlay;
mod settings;
mod vm;
mod words;
