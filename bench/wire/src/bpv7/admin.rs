use super::cbor::{self, Reader};
use super::{BundleError, CreationTimestamp, Eid};

const STATUS_REPORT: u64 = 1;

/// A payload that the Bundle Protocol itself reads (section 6.1).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum AdministrativeRecord {
    /// Record type 1 (section 6.1.1).
    StatusReport(StatusReport),
    /// Any other record.
    Unknown {
        /// Record type code.
        record_type: u64,
        /// The content: one CBOR item.
        content: Vec<u8>,
    },
}

/// What has become of a bundle (section 6.1.1).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StatusReport {
    /// The reporting node received it.
    pub received: StatusItem,
    /// The reporting node forwarded it.
    pub forwarded: StatusItem,
    /// The reporting node delivered it.
    pub delivered: StatusItem,
    /// The reporting node deleted it.
    pub deleted: StatusItem,
    /// "At least four elements": assertions that later documents may add, which mean nothing here. None in reports of
    /// RFC 9171.
    pub further: Vec<StatusItem>,
    /// Why.
    pub reason: ReasonCode,
    /// The bundle's source node ID.
    pub source: Eid,
    /// The bundle's creation timestamp.
    pub creation: CreationTimestamp,
    /// Which fragment it was, if it was one.
    pub fragment: Option<FragmentExtent>,
}

/// One status assertion (section 6.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct StatusItem {
    /// Whether it is asserted.
    pub asserted: bool,
    /// DTN time of the event, if the bundle asked for status times. Only with an asserted status; emitting does not
    /// judge that.
    pub time_ms: Option<u64>,
}

/// The part of an application data unit that the reported fragment carried (section 6.1.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FragmentExtent {
    /// The fragment's offset.
    pub offset: u64,
    /// The length of its payload. (The primary block has the length of the whole unit instead.)
    pub length: u64,
}

/// Why a status is what it is (section 9.5; 12 to 16 from RFC 9172 section 11.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ReasonCode {
    /// 0.
    NoAdditionalInformation,
    /// 1.
    LifetimeExpired,
    /// 2.
    ForwardedOverUnidirectionalLink,
    /// 3.
    TransmissionCanceled,
    /// 4.
    DepletedStorage,
    /// 5.
    DestinationUnavailable,
    /// 6.
    NoKnownRoute,
    /// 7.
    NoTimelyContact,
    /// 8.
    BlockUnintelligible,
    /// 9.
    HopLimitExceeded,
    /// 10.
    TrafficPared,
    /// 11.
    BlockUnsupported,
    /// 12.
    MissingSecurityOperation,
    /// 13.
    UnknownSecurityOperation,
    /// 14.
    UnexpectedSecurityOperation,
    /// 15.
    FailedSecurityOperation,
    /// 16.
    ConflictingSecurityOperation,
    /// Unassigned (17 to 254), reserved (255) and beyond.
    Other(u64),
}

impl ReasonCode {
    /// The code.
    pub const fn code(self) -> u64 {
        match self {
            ReasonCode::NoAdditionalInformation => 0,
            ReasonCode::LifetimeExpired => 1,
            ReasonCode::ForwardedOverUnidirectionalLink => 2,
            ReasonCode::TransmissionCanceled => 3,
            ReasonCode::DepletedStorage => 4,
            ReasonCode::DestinationUnavailable => 5,
            ReasonCode::NoKnownRoute => 6,
            ReasonCode::NoTimelyContact => 7,
            ReasonCode::BlockUnintelligible => 8,
            ReasonCode::HopLimitExceeded => 9,
            ReasonCode::TrafficPared => 10,
            ReasonCode::BlockUnsupported => 11,
            ReasonCode::MissingSecurityOperation => 12,
            ReasonCode::UnknownSecurityOperation => 13,
            ReasonCode::UnexpectedSecurityOperation => 14,
            ReasonCode::FailedSecurityOperation => 15,
            ReasonCode::ConflictingSecurityOperation => 16,
            ReasonCode::Other(code) => code,
        }
    }

    /// The reason for a code.
    pub const fn from_code(code: u64) -> Self {
        match code {
            0 => ReasonCode::NoAdditionalInformation,
            1 => ReasonCode::LifetimeExpired,
            2 => ReasonCode::ForwardedOverUnidirectionalLink,
            3 => ReasonCode::TransmissionCanceled,
            4 => ReasonCode::DepletedStorage,
            5 => ReasonCode::DestinationUnavailable,
            6 => ReasonCode::NoKnownRoute,
            7 => ReasonCode::NoTimelyContact,
            8 => ReasonCode::BlockUnintelligible,
            9 => ReasonCode::HopLimitExceeded,
            10 => ReasonCode::TrafficPared,
            11 => ReasonCode::BlockUnsupported,
            12 => ReasonCode::MissingSecurityOperation,
            13 => ReasonCode::UnknownSecurityOperation,
            14 => ReasonCode::UnexpectedSecurityOperation,
            15 => ReasonCode::FailedSecurityOperation,
            16 => ReasonCode::ConflictingSecurityOperation,
            code => ReasonCode::Other(code),
        }
    }

    /// The meaning in the words of the registry.
    pub const fn as_str(self) -> &'static str {
        match self {
            ReasonCode::NoAdditionalInformation => "no additional information",
            ReasonCode::LifetimeExpired => "lifetime expired",
            ReasonCode::ForwardedOverUnidirectionalLink => "forwarded over unidirectional link",
            ReasonCode::TransmissionCanceled => "transmission canceled",
            ReasonCode::DepletedStorage => "depleted storage",
            ReasonCode::DestinationUnavailable => "destination endpoint ID unavailable",
            ReasonCode::NoKnownRoute => "no known route to destination from here",
            ReasonCode::NoTimelyContact => "no timely contact with next node on route",
            ReasonCode::BlockUnintelligible => "block unintelligible",
            ReasonCode::HopLimitExceeded => "hop limit exceeded",
            ReasonCode::TrafficPared => "traffic pared",
            ReasonCode::BlockUnsupported => "block unsupported",
            ReasonCode::MissingSecurityOperation => "missing security operation",
            ReasonCode::UnknownSecurityOperation => "unknown security operation",
            ReasonCode::UnexpectedSecurityOperation => "unexpected security operation",
            ReasonCode::FailedSecurityOperation => "failed security operation",
            ReasonCode::ConflictingSecurityOperation => "conflicting security operation",
            ReasonCode::Other(_) => "unassigned reason code",
        }
    }
}

impl AdministrativeRecord {
    /// Reads the payload of a bundle whose flags say [`IS_ADMIN_RECORD`](super::BundleFlags::IS_ADMIN_RECORD).
    ///
    /// # Errors
    /// What section 6.1 does not allow; see [`BundleError`].
    pub fn parse(payload: &[u8]) -> Result<Self, BundleError> {
        let mut reader = Reader::new(payload);
        reader.array_of(2, "administrative record")?;
        let record = match reader.unsigned("record type code")? {
            STATUS_REPORT => AdministrativeRecord::StatusReport(StatusReport::read(&mut reader)?),
            record_type => {
                AdministrativeRecord::Unknown { record_type, content: reader.skip_item("record content")?.to_vec() }
            }
        };
        reader.finish()?;
        Ok(record)
    }

    /// The payload's octets.
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        cbor::put_array(&mut out, 2);
        match self {
            AdministrativeRecord::StatusReport(report) => {
                cbor::put_unsigned(&mut out, STATUS_REPORT);
                report.put(&mut out);
            }
            AdministrativeRecord::Unknown { record_type, content } => {
                cbor::put_unsigned(&mut out, *record_type);
                out.extend_from_slice(content);
            }
        }
        out
    }
}

impl StatusReport {
    fn read(reader: &mut Reader<'_>) -> Result<Self, BundleError> {
        let at = reader.at;
        let elements = reader.array("bundle status report")?;
        if elements != 4 && elements != 6 {
            let (field, expected) = ("bundle status report", if elements < 4 { 4 } else { 6 });
            return Err(BundleError::ElementCount { at, field, expected, found: elements });
        }
        let at = reader.at;
        let items = reader.array("bundle status information")?;
        if items < 4 {
            let field = "bundle status information";
            return Err(BundleError::ElementCount { at, field, expected: 4, found: items });
        }
        let received = StatusItem::read(reader, "reception status")?;
        let forwarded = StatusItem::read(reader, "forwarding status")?;
        let delivered = StatusItem::read(reader, "delivery status")?;
        let deleted = StatusItem::read(reader, "deletion status")?;
        let further = (4..items).map(|_| StatusItem::read(reader, "further status")).collect::<Result<_, _>>()?;
        Ok(StatusReport {
            received,
            forwarded,
            delivered,
            deleted,
            further,
            reason: ReasonCode::from_code(reader.unsigned("status report reason code")?),
            source: Eid::read(reader, "subject source node ID")?,
            creation: CreationTimestamp::read(reader)?,
            fragment: match elements {
                6 => Some(FragmentExtent {
                    offset: reader.unsigned("subject fragment offset")?,
                    length: reader.unsigned("subject payload length")?,
                }),
                _ => None,
            },
        })
    }

    fn put(&self, out: &mut Vec<u8>) {
        cbor::put_array(out, if self.fragment.is_some() { 6 } else { 4 });
        cbor::put_array(out, 4 + self.further.len() as u64);
        for item in [self.received, self.forwarded, self.delivered, self.deleted].iter().chain(&self.further) {
            item.put(out);
        }
        cbor::put_unsigned(out, self.reason.code());
        self.source.put(out);
        self.creation.put(out);
        if let Some(extent) = self.fragment {
            cbor::put_unsigned(out, extent.offset);
            cbor::put_unsigned(out, extent.length);
        }
    }
}

impl StatusItem {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, BundleError> {
        let at = reader.at;
        let elements = reader.array(field)?;
        if elements != 1 && elements != 2 {
            return Err(BundleError::ElementCount { at, field, expected: 1, found: elements });
        }
        let asserted = reader.boolean(field)?;
        if elements == 1 {
            return Ok(StatusItem { asserted, time_ms: None });
        }
        if !asserted {
            return Err(BundleError::UnassertedTime { at, field });
        }
        Ok(StatusItem { asserted, time_ms: Some(reader.unsigned(field)?) })
    }

    fn put(self, out: &mut Vec<u8>) {
        cbor::put_array(out, if self.time_ms.is_some() { 2 } else { 1 });
        cbor::put_bool(out, self.asserted);
        if let Some(time_ms) = self.time_ms {
            cbor::put_unsigned(out, time_ms);
        }
    }
}
