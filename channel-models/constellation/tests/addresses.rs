//! The addresses of draft-lhan-satellite-semantic-addressing-01, section 5.4, figures 5 to 7.

use std::net::Ipv6Addr;

use farlink_constellation::{
    FieldTooWide, Ipv6SatelliteAddress, MacSatelliteAddress, SatelliteIndex, ShortSatelliteAddress, Slot,
};
use proptest::prelude::*;

fn index(shell: u8, plane: u8, satellite: u8) -> SatelliteIndex {
    SatelliteIndex { shell, slot: Slot { plane, satellite } }
}

#[test]
fn each_field_stands_where_the_figures_put_it() {
    let v6 = Ipv6SatelliteAddress {
        prefix: [0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2],
        owner: 0xa1,
        satellite: index(0xb2, 0xc3, 0xd4),
        interface: 0xe5,
        reserved: 0x12_3456,
    };
    let address: Ipv6Addr = "2001:db8:1:2:a1b2:c3d4:e512:3456".parse().unwrap();
    assert_eq!(v6.encode(), Ok(address));
    assert_eq!(Ipv6SatelliteAddress::decode(address), v6);

    let mac = MacSatelliteAddress { oui: [0x02, 0x5e, 0x7f], satellite: index(0xb, 0xc3, 0xd4), interface: 0xe };
    assert_eq!(mac.encode(), Ok([0x02, 0x5e, 0x7f, 0xbc, 0x3d, 0x4e]));
    assert_eq!(MacSatelliteAddress::decode([0x02, 0x5e, 0x7f, 0xbc, 0x3d, 0x4e]), mac);

    let short = ShortSatelliteAddress { owner: 0xa1, satellite: index(0xb2, 0xc3, 0xd4) };
    assert_eq!(short.encode(), 0xa1b2_c3d4);
    assert_eq!(ShortSatelliteAddress::decode(0xa1b2_c3d4), short);
}

#[test]
fn all_interfaces_of_all_satellites_come_back_from_a_mac_address() {
    // All 2²⁴ values of the part that is the satellite's.
    for specific in 0..1_u32 << 24 {
        let [_, a, b, c] = specific.to_be_bytes();
        let decoded = MacSatelliteAddress::decode([2, 0, 1, a, b, c]);
        assert_eq!(decoded.encode(), Ok([2, 0, 1, a, b, c]));
    }
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let mac = |shell, interface| MacSatelliteAddress { oui: [0; 3], satellite: index(shell, 0, 0), interface }.encode();
    assert_eq!(mac(15, 15), Ok([0, 0, 0, 0xf0, 0, 0x0f]));
    assert_eq!(mac(16, 0), Err(FieldTooWide { format: "MAC address", field: "shell", value: 16, max: 15 }));
    assert_eq!(mac(0, 255), Err(FieldTooWide { format: "MAC address", field: "interface", value: 255, max: 15 }));
    assert_eq!(mac(16, 0).unwrap_err().to_string(), "the shell 16 does not fit into the MAC address: the most is 15");

    let v6 =
        Ipv6SatelliteAddress { prefix: [0; 8], owner: 0, satellite: index(0, 0, 0), interface: 0, reserved: 1 << 24 };
    assert_eq!(v6.encode().unwrap_err().field, "reserved field");

    assert_eq!(SatelliteIndex::new(255, 0, 71), Ok(index(255, 0, 71)));
    for (wide, field) in [((256, 0, 0), "shell"), ((0, 1000, 0), "plane"), ((0, 0, u32::MAX), "satellite")] {
        assert_eq!(SatelliteIndex::new(wide.0, wide.1, wide.2).unwrap_err().field, field);
    }
}

proptest! {
    #[test]
    fn any_ipv6_address_comes_back(bits: u128) {
        let address = Ipv6Addr::from_bits(bits);
        prop_assert_eq!(Ipv6SatelliteAddress::decode(address).encode(), Ok(address));
    }

    #[test]
    fn any_32_bits_come_back(bits: u32) {
        prop_assert_eq!(ShortSatelliteAddress::decode(bits).encode(), bits);
    }

    #[test]
    fn one_satellite_is_the_same_in_all_formats(
        owner: u8, shell in 0..16_u8, plane: u8, satellite: u8, interface in 0..16_u8, prefix: [u8; 8], oui: [u8; 3]
    ) {
        let satellite = index(shell, plane, satellite);
        let v6 = Ipv6SatelliteAddress { prefix, owner, satellite, interface, reserved: 0 };
        let back = Ipv6SatelliteAddress::decode(v6.encode().unwrap());
        prop_assert_eq!(back, v6);
        let mac = MacSatelliteAddress { oui, satellite: back.satellite, interface: back.interface };
        let back = MacSatelliteAddress::decode(mac.encode().unwrap());
        prop_assert_eq!(back, mac);
        let short = ShortSatelliteAddress { owner, satellite: back.satellite };
        // The same 32 bits stand in the IPv6 address.
        prop_assert_eq!(u128::from(short.encode()), v6.encode().unwrap().to_bits() >> 32 & 0xffff_ffff);
    }
}
