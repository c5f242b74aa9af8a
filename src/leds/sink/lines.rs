//! Lamps and the button on lines of the kernel's GPIO character device.
//!
//! The lines are claimed under the name `hearth`, so that `gpioinfo` shows whose they are and nobody else gets them. A
//! mainline kernel makes them inputs again when this process ends, however it ends; one of the Raspberry Pi foundation
//! leaves them as they were, so they are driven dark first whenever there is time for it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gpiocdev::chip::Chip;
use gpiocdev::line::{Bias as LineBias, EdgeDetection, EdgeKind, Value, Values};
use gpiocdev::request::{Builder, Request};

use super::Sink;
use crate::leds::Shown;
use crate::leds::button::Press;
use crate::leds::face::{Face, Wiring};
use crate::leds::rhythm::Level;
use crate::leds::settings::{Active, Bias, ButtonPin, Pins};

/// What the kernel is told that the lines are used by.
const CONSUMER: &str = "hearth";

/// How long a contact must be quiet to count.
const DEBOUNCE: Duration = Duration::from_millis(30);

/// Why lines cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Somebody else has one.
    #[error(
        "GPIO {line} of {chip} is in use by `{holder}`: stop that, or switch off the bus or overlay that claims it in \
         config.txt, or take another pin"
    )]
    Taken {
        /// The line.
        line: u32,
        /// The chip.
        chip: String,
        /// Who says to have it.
        holder: String,
    },
    /// The chip has fewer lines.
    #[error("there is no GPIO {line} on {chip}, which has the lines 0 to {last}; take another pin")]
    Missing {
        /// The line.
        line: u32,
        /// The chip.
        chip: String,
        /// Its last line.
        last: u32,
    },
    /// The kernel refused.
    #[error("the GPIO lines of {path} cannot be claimed: {source}", path = path.display())]
    Refused {
        /// The device.
        path: PathBuf,
        /// What it said.
        source: gpiocdev::Error,
    },
}

/// Lamps on lines.
#[derive(Debug)]
pub struct Lines {
    request: Request,
    wiring: Wiring,
    lamps: Vec<Vec<u32>>,
}

impl Lines {
    /// Claims the lines, dark.
    ///
    /// # Errors
    /// [`LineError`]
    pub fn open(device: &Path, pins: &Pins) -> Result<Self, LineError> {
        let offsets: Vec<u32> = pins.lamps.iter().flatten().copied().collect();
        check(device, &offsets)?;
        let mut builder = Request::builder();
        builder.on_chip(device).with_consumer(CONSUMER).with_lines(&offsets);
        if pins.active == Active::Low {
            builder.as_active_low();
        }
        let request = claim(builder.as_output(Value::Inactive), device, &offsets)?;
        Ok(Self { request, wiring: pins.wiring, lamps: pins.lamps.clone() })
    }

    fn set(&self, levels: &[Level]) -> io::Result<()> {
        let mut values = Values::default();
        for (level, lines) in levels.iter().zip(&self.lamps) {
            for line in lines {
                values.set(*line, if *level == Level::On { Value::Active } else { Value::Inactive });
            }
        }
        self.request.set_values(&values).map_err(io::Error::other)
    }
}

impl Sink for Lines {
    fn show(&mut self, shown: Shown, elapsed: Duration) -> io::Result<Option<Duration>> {
        let face = Face::of(shown, self.wiring);
        self.set(&face.levels_at(elapsed))?;
        Ok(face.until_next(elapsed))
    }

    fn dark(&mut self, _why: &str) -> io::Result<()> {
        self.set(&vec![Level::Off; self.lamps.len()])
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // The kernel takes the lines back in any case.
        let _ = self.dark("");
    }
}

/// A button on a line.
#[derive(Debug)]
pub struct ButtonLine(Request);

impl ButtonLine {
    /// Claims the line.
    ///
    /// # Errors
    /// [`LineError`]
    pub fn open(device: &Path, button: &ButtonPin) -> Result<Self, LineError> {
        check(device, &[button.pin])?;
        let bias = match button.bias {
            Bias::PullUp => LineBias::PullUp,
            Bias::PullDown => LineBias::PullDown,
            Bias::Off => LineBias::Disabled,
        };
        let mut builder = Request::builder();
        builder.on_chip(device).with_consumer(CONSUMER).with_line(button.pin).as_input();
        builder.with_bias(bias).with_edge_detection(EdgeDetection::BothEdges).with_debounce_period(DEBOUNCE);
        if button.active == Active::Low {
            builder.as_active_low();
        }
        claim(&mut builder, device, &[button.pin]).map(Self)
    }

    /// Waits for the next change.
    ///
    /// # Errors
    /// When the line is gone.
    pub fn wait(&self) -> io::Result<Press> {
        let event = self.0.read_edge_event().map_err(io::Error::other)?;
        Ok(match event.kind {
            EdgeKind::Rising => Press::Down,
            EdgeKind::Falling => Press::Up,
        })
    }
}

/// Names the line that cannot be had, before the kernel refuses all of them together.
fn check(device: &Path, offsets: &[u32]) -> Result<(), LineError> {
    let refused = |source| LineError::Refused { path: device.to_owned(), source };
    let chip = Chip::from_path(device).map_err(refused)?;
    let info = chip.info().map_err(refused)?;
    for &line in offsets {
        if line >= info.num_lines {
            let last = info.num_lines.saturating_sub(1);
            return Err(LineError::Missing { line, chip: info.label, last });
        }
        let line_info = chip.line_info(line).map_err(refused)?;
        if line_info.used {
            return Err(LineError::Taken { line, chip: info.label, holder: line_info.consumer });
        }
    }
    Ok(())
}

/// Claims lines that were free a moment ago; whoever was quicker is named.
fn claim(builder: &mut Builder, device: &Path, offsets: &[u32]) -> Result<Request, LineError> {
    builder.request().or_else(|source| {
        check(device, offsets)?;
        Err(LineError::Refused { path: device.to_owned(), source })
    })
}
