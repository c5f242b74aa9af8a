//! Lamps on the header of a Raspberry Pi, by the registers themselves, through the crate rppal.
//!
//! A last resort: rppal is retired, works with kernels of the Raspberry Pi foundation only, and claims no line, so that
//! nobody sees what else drives the pin. It wants a character device as well, if only an old one, to know the board. On
//! processors that no Raspberry Pi has it is left out.

use super::Sink;
use crate::leds::settings::Pins;

/// Takes the pins over, dark.
///
/// # Errors
/// What rppal says, and on a processor without rppal that it is not there.
#[cfg(any(target_arch = "aarch64", target_arch = "arm"))]
pub fn open(pins: &Pins) -> Result<Box<dyn Sink>, String> {
    Ok(Box::new(registers::Registers::open(pins)?))
}

/// Takes the pins over, dark.
///
/// # Errors
/// What rppal says, and on a processor without rppal that it is not there.
#[cfg(not(any(target_arch = "aarch64", target_arch = "arm")))]
pub fn open(_pins: &Pins) -> Result<Box<dyn Sink>, String> {
    Err("rppal is for the processors of Raspberry Pis; take backend = \"gpiocdev\"".to_owned())
}

#[cfg(any(target_arch = "aarch64", target_arch = "arm"))]
mod registers {
    use std::io;
    use std::time::Duration;

    use rppal::gpio::{Gpio, OutputPin};

    use super::Sink;
    use crate::leds::Shown;
    use crate::leds::face::{Face, Wiring};
    use crate::leds::rhythm::Level;
    use crate::leds::settings::{Active, Pins};

    /// Lamps on pins. Dropped, the pins are what they were before; killed, they stay as they are.
    pub(super) struct Registers {
        wiring: Wiring,
        active: Active,
        lamps: Vec<Vec<OutputPin>>,
    }

    impl Registers {
        pub(super) fn open(pins: &Pins) -> Result<Self, String> {
            let gpio = Gpio::new().map_err(|error| format!("rppal finds no GPIO here: {error}"))?;
            let lamps = pins.lamps.iter().map(|lines| {
                lines.iter().map(|line| output(&gpio, *line, pins.active)).collect::<Result<Vec<_>, _>>()
            });
            Ok(Self { wiring: pins.wiring, active: pins.active, lamps: lamps.collect::<Result<_, _>>()? })
        }

        fn set(&mut self, levels: &[Level]) {
            for (level, pins) in levels.iter().zip(&mut self.lamps) {
                let high = (*level == Level::On) == (self.active == Active::High);
                pins.iter_mut().for_each(|pin| if high { pin.set_high() } else { pin.set_low() });
            }
        }
    }

    fn output(gpio: &Gpio, line: u32, active: Active) -> Result<OutputPin, String> {
        let number = u8::try_from(line).map_err(|_| format!("there is no GPIO {line}"))?;
        let pin = gpio.get(number).map_err(|error| format!("GPIO {line} cannot be had by rppal: {error}"))?;
        Ok(if active == Active::High { pin.into_output_low() } else { pin.into_output_high() })
    }

    impl Sink for Registers {
        fn show(&mut self, shown: Shown, elapsed: Duration) -> io::Result<Option<Duration>> {
            let face = Face::of(shown, self.wiring);
            self.set(&face.levels_at(elapsed));
            Ok(face.until_next(elapsed))
        }

        fn dark(&mut self, _why: &str) -> io::Result<()> {
            self.set(&vec![Level::Off; self.lamps.len()]);
            Ok(())
        }
    }

    impl Drop for Registers {
        fn drop(&mut self) {
            self.set(&vec![Level::Off; self.lamps.len()]);
        }
    }
}
