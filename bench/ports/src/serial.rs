//! Serial lines: `serial:/dev/ttyUSB0,baud=115200,framing=slip`.
//!
//! The line is opened, locked and set by tokio-serial, and read and written in a small tokio runtime on a thread of its
//! own, which stamps what arrives. A UART has no time stamps: a frame's arrival is when the read that brought its end
//! returned. What lies between the last bit and that is the receiver's own delay, such as a UART's FIFO timeout or the
//! latency timer of a USB adapter (16 ms on many unless `setserial … low_latency` or its `latency_timer` says otherwise).
//!
//! A UART sends at its own rate; a pseudo-terminal behind the same name takes octets as fast as they are read. On either,
//! what has been taken for sending waits in at most some 4 KiB here and in what the kernel keeps.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_serial::{ClearBuffer, SerialPort as _, SerialPortBuilderExt, SerialStream};

use crate::framing::{self, Framing};
use crate::octets::{Line, OctetPort, Opener, StartError};
use crate::port::{Interest, Notice, Port, Received, Sent};
use crate::text::{Form, Key, Parts, PortTextError};
use crate::timebase::Timebase;

/// How far the rate that a UART can make may be from the one asked for, in percent. Two ends that differ by more misread
/// the last bits of an octet.
const RATE_TOLERANCE_PERCENT: u64 = 3;

/// How long after a line has gone it is tried again, and how long at most between two tries.
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(2);

/// The parity bit of each octet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Parity {
    /// None.
    #[default]
    None,
    /// The ones, with it, are odd in number.
    Odd,
    /// The ones, with it, are even in number.
    Even,
}

/// How many stop bits follow each octet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StopBits {
    /// One.
    #[default]
    One,
    /// Two.
    Two,
}

/// How the ends keep each other from sending too much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FlowControl {
    /// Not at all.
    #[default]
    None,
    /// By the lines RTS and CTS.
    Hardware,
    /// By the octets XON and XOFF, which then cannot be content: only HDLC escapes them.
    Software,
}

/// A serial line and how it is used: `serial:/dev/ttyUSB0,baud=115200,framing=slip[,parity=even][,stop=2][,flow=hardware]`.
///
/// Octets have 8 bits, since every framing needs them; `data=8` may be written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SerialConfig {
    /// The device.
    pub path: String,
    /// Bits a second on the line, start, parity and stop bits included; 1 or more, not only the usual ones.
    pub baud: u32,
    /// Parity.
    pub parity: Parity,
    /// Stop bits.
    pub stop_bits: StopBits,
    /// Flow control.
    pub flow_control: FlowControl,
    /// How frames lie on the line.
    pub framing: Framing,
}

pub(crate) const FORM: Form = Form {
    kind: "serial",
    place: Some("the path of a device, such as /dev/ttyUSB0"),
    keys: &{
        let [framing, port, fcs, length, asm] = framing::KEYS;
        [
            Key::value("baud", "the rate, a whole number of bits a second from 1 to 4294967295"),
            framing,
            port,
            fcs,
            length,
            asm,
            Key::value("data", "8, since frames are made of octets"),
            Key::value("parity", "none, odd or even"),
            Key::value("stop", "1 or 2"),
            Key::value("flow", "none, hardware or software"),
        ]
    },
    example: "serial:/dev/ttyUSB0,baud=115200,framing=slip",
};

impl FromStr for SerialConfig {
    type Err = PortTextError;
    fn from_str(text: &str) -> Result<Self, PortTextError> {
        let parts = Parts::read(text, &FORM)?;
        let path = parts.place(device_path)?.to_owned();
        let baud = parts.required("baud", |text| text.parse().ok().filter(|baud| *baud > 0))?;
        parts.choice("data", &[("8", ())])?;
        let parities = [("none", Parity::None), ("odd", Parity::Odd), ("even", Parity::Even)];
        let parity = parts.choice("parity", &parities)?.unwrap_or_default();
        let stop_bits = parts.choice("stop", &[("1", StopBits::One), ("2", StopBits::Two)])?.unwrap_or_default();
        let controls =
            [("none", FlowControl::None), ("hardware", FlowControl::Hardware), ("software", FlowControl::Software)];
        let flow_control = parts.choice("flow", &controls)?.unwrap_or_default();
        let framing = Framing::read(&parts)?;
        if flow_control == FlowControl::Software && !matches!(framing, Framing::Hdlc { .. }) {
            return Err(parts.refuse(format!(
                "software flow control takes octets out of the stream that `framing={framing}` leaves in frames: use \
                 `framing=hdlc`"
            )));
        }
        Ok(SerialConfig { path, baud, parity, stop_bits, flow_control, framing })
    }
}

/// A path; one with `=` in it is rather a key before which the path was left out.
pub(crate) fn device_path(place: &str) -> Option<&str> {
    Some(place).filter(|path| !path.contains('='))
}

impl fmt::Display for SerialConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "serial:{},baud={},framing={}", self.path, self.baud, self.framing)?;
        f.write_str(match self.parity {
            Parity::None => "",
            Parity::Odd => ",parity=odd",
            Parity::Even => ",parity=even",
        })?;
        f.write_str(match self.stop_bits {
            StopBits::One => "",
            StopBits::Two => ",stop=2",
        })?;
        f.write_str(match self.flow_control {
            FlowControl::None => "",
            FlowControl::Hardware => ",flow=hardware",
            FlowControl::Software => ",flow=software",
        })
    }
}

/// Why a serial line could not be opened.
#[derive(Debug, Error)]
pub enum SerialError {
    /// There is no such device.
    #[error("there is no {path}: is it plugged in? `ls /dev/serial/by-id /dev/tty*` shows what is there")]
    NoSuchDevice {
        /// Which.
        path: String,
    },
    /// This user may not.
    #[error(
        "no permission to open {path}: join the group that owns it, mostly `dialout` (`sudo usermod -aG dialout $USER`, then log in anew)"
    )]
    Permission {
        /// Which.
        path: String,
    },
    /// Another program has it.
    #[error("{path} is in use by another program: stop that one (`fuser -v {path}` names it)")]
    InUse {
        /// Which.
        path: String,
    },
    /// It is no serial line.
    #[error("{path} is no serial line or terminal: name a device such as /dev/ttyUSB0 or /dev/ttyS0")]
    NotALine {
        /// Which.
        path: String,
    },
    /// The UART cannot make this rate.
    #[error(
        "{path} cannot do {asked} baud: the nearest that it makes is {made}; choose a rate that both ends can make"
    )]
    Rate {
        /// Which.
        path: String,
        /// Baud asked for.
        asked: u32,
        /// Baud that it makes.
        made: u32,
    },
    /// Anything else.
    #[error("could not open {path}: {reason}")]
    Other {
        /// Which.
        path: String,
        /// What the system says.
        reason: String,
    },
}

impl SerialError {
    /// tokio-serial tells some errors of the system apart and others not; what is behind them is looked up in the device
    /// itself.
    fn new(path: &str, error: &tokio_serial::Error) -> Self {
        use tokio_serial::ErrorKind;
        let path = path.to_owned();
        match (error.kind(), fs::metadata(Path::new(&path))) {
            (ErrorKind::Io(io::ErrorKind::PermissionDenied), _) => SerialError::Permission { path },
            (ErrorKind::Io(io::ErrorKind::NotFound), _) => SerialError::NoSuchDevice { path },
            (_, Err(missing)) if missing.kind() == io::ErrorKind::NotFound => SerialError::NoSuchDevice { path },
            (_, Ok(what)) if !what.file_type().is_char_device() => SerialError::NotALine { path },
            // "No device" is how it says that the line is locked.
            (ErrorKind::NoDevice, _) => SerialError::InUse { path },
            // ENOTTY and ENXIO, ENODEV: a device of another kind; one whose hardware is not there.
            _ if error.description == "Not a typewriter" => SerialError::NotALine { path },
            _ => SerialError::Other { path, reason: error.description.clone() },
        }
    }
}

/// Opens the line, again and again.
struct SerialOpener(SerialConfig);

impl Opener for SerialOpener {
    type Line = SerialStream;
    type Error = SerialError;

    fn open(&mut self) -> Result<(SerialStream, String), SerialError> {
        let SerialConfig { path, baud, parity, stop_bits, flow_control, .. } = &self.0;
        let parity = match parity {
            Parity::None => tokio_serial::Parity::None,
            Parity::Odd => tokio_serial::Parity::Odd,
            Parity::Even => tokio_serial::Parity::Even,
        };
        let stop_bits = match stop_bits {
            StopBits::One => tokio_serial::StopBits::One,
            StopBits::Two => tokio_serial::StopBits::Two,
        };
        let flow_control = match flow_control {
            FlowControl::None => tokio_serial::FlowControl::None,
            FlowControl::Hardware => tokio_serial::FlowControl::Hardware,
            FlowControl::Software => tokio_serial::FlowControl::Software,
        };
        let open = || {
            let line = tokio_serial::new(path, *baud)
                .data_bits(tokio_serial::DataBits::Eight)
                .parity(parity)
                .stop_bits(stop_bits)
                .flow_control(flow_control)
                .open_native_async()?;
            // What came before the line was set has come at another rate.
            line.clear(ClearBuffer::Input)?;
            let made = line.baud_rate()?;
            Ok((line, made))
        };
        let (line, made) = open().map_err(|error| SerialError::new(path, &error))?;
        let off = u64::from(made.abs_diff(*baud));
        if off * 100 > u64::from(*baud) * RATE_TOLERANCE_PERCENT {
            return Err(SerialError::Rate { path: path.clone(), asked: *baud, made });
        }
        Ok((line, format!("{path} at {made} baud")))
    }

    fn is_absence(error: &SerialError) -> bool {
        matches!(error, SerialError::NoSuchDevice { .. })
    }

    async fn wait(&mut self, failures: u32) {
        tokio::time::sleep(retry_after(failures)).await;
    }

    fn close(&mut self, line: SerialStream, unwritten: bool) {
        if unwritten {
            // The kernel would wait up to 30 s for what flow control holds back. A line that has gone has nothing to clear.
            let _ = line.clear(ClearBuffer::Output);
        }
    }
}

/// How long to wait after so many failures to open a line.
fn retry_after(failures: u32) -> Duration {
    FIRST_RETRY.saturating_mul(1 << failures.min(10)).min(LAST_RETRY)
}

impl Line for SerialStream {
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(AsyncRead::poll_read(Pin::new(self), context, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn poll_write(&mut self, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(self), context, octets)
    }

    fn try_write(&mut self, octets: &[u8]) -> io::Result<usize> {
        Write::write(self, octets)
    }
}

/// A serial line as a port.
///
/// Nobody else may open the line meanwhile. Unplugged, it is [`Notice::Down`] and tried again, every two seconds at the
/// latest, until it is there again under the same name: name it by `/dev/serial/by-id` if that may change. Dropped, it
/// goes on writing for 0.2 s what it has taken.
#[derive(Debug)]
pub struct SerialPort {
    octets: OctetPort,
    config: SerialConfig,
}

impl SerialPort {
    /// Opens a line. Arrivals are stamped on `base`.
    ///
    /// # Errors
    /// The device is not there, not permitted, in use, no serial line, cannot do the rate, or the system refuses otherwise.
    pub fn open(config: SerialConfig, base: &Timebase) -> Result<Self, SerialError> {
        match OctetPort::start(SerialOpener(config.clone()), config.framing, base, true) {
            Ok(octets) => Ok(SerialPort { octets, config }),
            Err(StartError::Open(error)) => Err(error),
            Err(StartError::System(error)) => Err(SerialError::Other { path: config.path, reason: error.to_string() }),
        }
    }
}

impl Port for SerialPort {
    fn name(&self) -> String {
        self.config.to_string()
    }

    fn interest<'a>(&'a self, watch: &mut dyn FnMut(Interest<'a>)) {
        self.octets.interest(watch);
    }

    fn receive(&mut self, _base: &Timebase, frames: &mut Vec<Received>) -> io::Result<()> {
        self.octets.receive(frames)
    }

    fn send(&mut self, frames: &[Bytes]) -> Sent {
        self.octets.send(frames)
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.octets.poll_notice()
    }
}
