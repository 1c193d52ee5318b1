//! The channel of `sdr/channel` as the medium of a link.

use std::sync::Arc;

use farlink_iq_channel::channel::{Channel, ChannelConfig, ChannelCounts};
use num_complex::Complex32;

use crate::end::End;
use crate::link::MakeMedium;
use crate::medium::{Medium, MediumError};

/// A [`Channel`]: delay with Doppler, noise, oscillators, echoes, fading and what else its configuration says.
///
/// The Doppler of the carrier is that of the channel's `carrier_hz`, whatever the transmitter is tuned to: between frequencies of one band
/// that differ by a part in a thousand, so does it.
#[derive(Debug)]
pub struct ChannelMedium {
    channel: Channel,
    received: Vec<Complex32>,
}

impl ChannelMedium {
    /// A channel at its first sample.
    ///
    /// # Errors
    /// A field of the configuration that cannot be; a receiver's sample clock that is off, as both ends of a link have one clock.
    pub fn new(config: &ChannelConfig) -> Result<Self, MediumError> {
        let clock_ppm = config.delay.as_ref().map_or(0.0, |delay| delay.clock_ppm);
        if clock_ppm != 0.0 {
            return Err(MediumError(format!(
                "delay.clock_ppm is {clock_ppm}: both ends of an emulated link have one sample clock, and as many samples come out as go in; give \
                 0, and let the program at the receiving end resample what it gets"
            )));
        }
        let channel = Channel::new(config).map_err(|error| MediumError(error.to_string()))?;
        Ok(ChannelMedium { channel, received: Vec::new() })
    }

    /// Makes the medium of each direction, that from [`End::A`] first, at whatever rate the ends agree on: `configure` is told the direction
    /// by the end that sends, and the rate in Hz.
    pub fn maker(
        configure: impl Fn(End, f64) -> Result<ChannelConfig, MediumError> + Send + Sync + 'static,
    ) -> MakeMedium {
        Arc::new(move |from, rate_hz| {
            let config = configure(from, rate_hz)?;
            if config.rate_hz != rate_hz {
                let made_for = config.rate_hz;
                return Err(MediumError(format!(
                    "the channel is one of {made_for} Hz, and the link runs at {rate_hz} Hz"
                )));
            }
            Ok(Box::new(ChannelMedium::new(&config)?) as _)
        })
    }

    /// What the channel has done.
    pub fn counts(&self) -> ChannelCounts {
        self.channel.counts()
    }
}

impl Medium for ChannelMedium {
    fn carry(&mut self, samples: &mut [Complex32]) -> Result<(), MediumError> {
        self.received.clear();
        self.channel.process(samples, &mut self.received).map_err(|error| MediumError(error.to_string()))?;
        if self.received.len() != samples.len() {
            let (got, gave) = (self.received.len(), samples.len());
            return Err(MediumError(format!(
                "the channel made {got} samples of {gave}: its clock is not that of the link"
            )));
        }
        samples.copy_from_slice(&self.received);
        Ok(())
    }

    fn delay_samples(&self) -> u64 {
        self.channel.delay_samples()
    }
}

#[cfg(test)]
mod tests {
    use farlink_iq_channel::delay::DelayConfig;
    use farlink_iq_channel::law::DelayLaw;

    use super::*;

    fn delayed(law: DelayLaw, clock_ppm: f64) -> ChannelConfig {
        let delay = DelayConfig { law, carrier_hz: 2.2e9, clock_ppm, ring: Default::default() };
        ChannelConfig { delay: Some(delay), ..ChannelConfig::new(1e6, 1) }
    }

    #[test]
    fn a_clock_of_its_own_and_what_a_channel_refuses_are_told() {
        let error = ChannelMedium::new(&delayed(DelayLaw::Constant(1e-3), 2.5)).unwrap_err().to_string();
        assert!(error.contains("delay.clock_ppm is 2.5") && error.contains("one sample clock"), "{error}");
        let error = ChannelMedium::new(&delayed(DelayLaw::Constant(1e-7), 0.0)).unwrap_err().to_string();
        assert!(error.contains("delay.law is"), "{error}");
        let maker = ChannelMedium::maker(|_, _| Ok(ChannelConfig::new(1e6, 1)));
        assert!(maker(End::A, 1e6).is_ok());
        let error = maker(End::A, 2e6).err().unwrap().to_string();
        assert!(error.contains("1000000 Hz, and the link runs at 2000000 Hz"), "{error}");
    }

    #[test]
    fn the_delay_is_that_of_the_law_where_the_samples_have_got_to() {
        let law = DelayLaw::Polynomial { coefficients: vec![0.01, -1e-3], duration_s: 1.0 };
        let mut medium = ChannelMedium::new(&delayed(law, 0.0)).unwrap();
        assert_eq!(medium.delay_samples(), 10_000);
        let mut samples = vec![Complex32::ZERO; 100_000];
        samples.chunks_mut(4096).for_each(|part| medium.carry(part).unwrap());
        // A tenth of a second later the delay is 0.1 ms less.
        assert_eq!(medium.delay_samples(), 9_900);
        assert_eq!(ChannelMedium::new(&ChannelConfig::new(1e6, 1)).unwrap().delay_samples(), 0);
    }
}
