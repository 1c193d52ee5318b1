use super::{ItemError, ItemFlags};

/// The item type of the Transfer Length extension (section 8.4).
pub const TRANSFER_LENGTH: u16 = 0x0001;

/// Session or transfer extension items as they stand on the wire, without the length of their list (sections 4.8, 5.2.5).
///
/// A list longer than 2³² − 1 octets cannot be written: the length field then holds the low 32 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ItemList<'a>(pub &'a [u8]);

impl<'a> ItemList<'a> {
    /// A list without items.
    pub const EMPTY: Self = ItemList(&[]);

    /// The items in order. After an error there are no more.
    pub fn items(self) -> impl Iterator<Item = Result<ExtensionItem<'a>, ItemError>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let rest = self.0.get(at..).filter(|rest| !rest.is_empty())?;
            let item = read(rest, at);
            at = match &item {
                Ok(item) => at + ExtensionItem::HEAD + item.value.len(),
                Err(_) => self.0.len(),
            };
            Some(item)
        })
    }
}

fn read(rest: &[u8], at: usize) -> Result<ExtensionItem<'_>, ItemError> {
    let Some((&[flags, type_high, type_low, length_high, length_low], rest)) = rest.split_first_chunk() else {
        return Err(ItemError::Head { at, left: rest.len() });
    };
    let item_type = u16::from_be_bytes([type_high, type_low]);
    let claimed = u16::from_be_bytes([length_high, length_low]);
    let value = rest.get(..usize::from(claimed)).ok_or(ItemError::Value {
        at: at + ExtensionItem::HEAD,
        item_type,
        claimed,
        left: rest.len(),
    })?;
    Ok(ExtensionItem { flags: ItemFlags(flags), item_type, value })
}

/// One extension item (sections 4.8 and 5.2.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ExtensionItem<'a> {
    /// CRITICAL and reserved bits.
    pub flags: ItemFlags,
    /// What it is. Session and transfer extension items have separate registries.
    pub item_type: u16,
    /// Its value. Longer than 65,535 octets cannot be written: the length field then holds the low 16 bits.
    pub value: &'a [u8],
}

impl ExtensionItem<'_> {
    const HEAD: usize = 5;

    /// Appends the item.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.push(self.flags.0);
        out.extend_from_slice(&self.item_type.to_be_bytes());
        out.extend_from_slice(&(self.value.len() as u16).to_be_bytes());
        out.extend_from_slice(self.value);
    }

    /// The total length that a *transfer* extension item announces; `None` if it is of another type (section 5.2.5.1).
    ///
    /// # Errors
    /// The value does not have eight octets.
    pub fn transfer_length(&self) -> Result<Option<u64>, ItemError> {
        if self.item_type != TRANSFER_LENGTH {
            return Ok(None);
        }
        let octets = self.value.try_into().map_err(|_| ItemError::TransferLength { length: self.value.len() })?;
        Ok(Some(u64::from_be_bytes(octets)))
    }
}
