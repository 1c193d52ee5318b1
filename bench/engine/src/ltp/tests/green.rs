//! Green parts (§6.10, §7.2).

use super::*;

#[test]
fn a_green_part_follows_the_red_part_in_segments_of_its_own() {
    let mut pair = Pair::new();
    let block = Bytes::from(vec![9; 2000]);
    pair.earth.send(MARS, BUNDLE_PROTOCOL, block.into(), 1000).unwrap();
    pair.run();
    assert_eq!(pair.ladder[..2], ["0 earth→mars red CP EORP 0..1000", "0 earth→mars green EOB 1000..2000"]);
    assert!(pair.has(MARS, |n| matches!(n, Notice::GreenSegment { offset: 1000, is_end_of_block: true, .. })));
    assert!(
        pair.has(MARS, |n| matches!(n, Notice::RedPart { data, is_end_of_block: false, .. } if data.len() == 1000))
    );
    pair.assert_all_closed();
}
