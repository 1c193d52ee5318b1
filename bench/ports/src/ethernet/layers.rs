//! Where in a frame its layers begin.

use pnet_packet::Packet;
use pnet_packet::ethernet::EthernetPacket;
use pnet_packet::vlan::VlanPacket;

/// The EtherTypes that a VLAN tag begins with: IEEE 802.1Q, 802.1ad, and the one used for stacked tags before that.
const TAGS: [u16; 3] = [0x8100, 0x88A8, 0x9100];

/// The length of a VLAN tag, in bytes.
pub(super) const TAG: usize = 4;

/// How far the two addresses at the front of a frame reach, in bytes: there a tag is put.
pub(super) const ADDRESSES: usize = 12;

/// What is known of a frame without looking into what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layers {
    /// The identifier in the outer VLAN tag, if there is a tag.
    pub(super) vlan: Option<u16>,
    /// The EtherType, or the length, after all tags.
    pub(super) ethertype: u16,
    /// Where the layer above begins, in bytes from the start of the frame.
    pub(super) content: usize,
}

impl Layers {
    /// `None` if the frame ends within its header.
    pub(super) fn of(frame: &[u8]) -> Option<Layers> {
        let ethernet = EthernetPacket::new(frame)?;
        let mut layers = Layers {
            vlan: None,
            ethertype: ethernet.get_ethertype().0,
            content: EthernetPacket::minimum_packet_size(),
        };
        while TAGS.contains(&layers.ethertype) {
            let tag = VlanPacket::new(frame.get(layers.content..)?)?;
            layers.vlan.get_or_insert(tag.get_vlan_identifier());
            layers.ethertype = tag.get_ethertype().0;
            layers.content = frame.len() - tag.payload().len();
        }
        Some(layers)
    }
}
