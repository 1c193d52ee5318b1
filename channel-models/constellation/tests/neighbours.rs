//! Which neighbours stay, which change sides at the poles, which only pass: by index as in section 4.3 of
//! draft-lhan-satellite-semantic-addressing-01, and by geometry.

mod support;

use std::collections::BTreeSet;
use std::f64::consts::TAU;

use farlink_constellation::{Mesh, Motion, Pattern, Relation, Shell, Side, Slot};
use farlink_units::{Duration, Instant};
use support::{delta, shell, slot, star};

/// A revolution, in steps of five seconds.
fn instants(shell: &Shell) -> impl Iterator<Item = Instant> {
    let rates = shell.orbit(slot(0, 0)).unwrap().secular_rates();
    let period = TAU / (rates.mean_anomaly + rates.argument_of_periapsis);
    (0..(period / 5.0) as i64).map(|i| Instant::ZERO + Duration::from_secs(5 * i))
}

fn motion(shell: &Shell, one: Slot, other: Slot) -> Motion {
    shell.motion(one, other).unwrap()
}

/// When the second comes to be on the other side of the first, and at which latitude the second then is.
fn flips(shell: &Shell, motion: &Motion) -> Vec<(Instant, f64)> {
    let all: Vec<_> = instants(shell).collect();
    let changed = |pair: &&[Instant]| motion.side_of_second(pair[0]) != motion.side_of_second(pair[1]);
    all.windows(2).filter(changed).map(|pair| (pair[1], motion.latitudes_deg(pair[1])[1].abs())).collect()
}

#[test]
fn the_six_neighbours_of_figure_1_are_where_it_shows_them() {
    for shell in [delta(), star(), shell(Pattern::Delta, 1200.0, 70.0, [9, 7, 0])] {
        // A satellite that is not next to the seam, while it rises through the equator.
        let me = slot(2, 3);
        let own_latitude = |at| motion(&shell, me, me).latitudes_deg(at)[0];
        let rises = |at: &Instant| own_latitude(*at) < 0.0 && own_latitude(*at + Duration::from_secs(5)) >= 0.0;
        let rise = instants(&shell).find(rises).unwrap();
        let latitude = |other| motion(&shell, me, other).latitudes_deg(rise);
        let side = |other| motion(&shell, me, other).side_of_second(rise);
        let n = shell.neighbours(me).unwrap();
        let ([s3, s4], [s5, s6]) = (n.right.unwrap(), n.left.unwrap());
        // Rising, ahead is north; the level ones may be a little ahead on the right, behind on the left.
        let spacing = 360.0 / f64::from(shell.walker().satellites_per_plane);
        for (other, wanted, side_wanted) in [
            (n.front.unwrap(), 1.0, None),
            (n.back.unwrap(), -1.0, None),
            (s3, 0.0, Some(Side::Right)),
            (s4, -1.0, Some(Side::Right)),
            (s5, 1.0, Some(Side::Left)),
            (s6, 0.0, Some(Side::Left)),
        ] {
            assert_eq!(side(other), side_wanted, "{other:?}");
            let ahead = latitude(other)[1] - latitude(other)[0];
            if wanted != 0.0 {
                assert!(ahead * wanted > 0.0 && ahead.abs() <= spacing, "{other:?}: {ahead}");
            }
        }
        assert!(latitude(s3)[1] > latitude(s4)[1] && latitude(s5)[1] > latitude(s6)[1]);
    }
}

#[test]
fn neighbours_are_mutual_and_links_are_each_pair_once() {
    for (shell, four, six) in [
        (delta(), 2 * 1584, 3 * 1584),
        // A star has no steady links across its seam.
        (star(), 66 + 55, 66 + 110),
        (shell(Pattern::Delta, 550.0, 53.0, [72, 22, 40]), 2 * 1584, 3 * 1584),
        (shell(Pattern::Delta, 550.0, 53.0, [1, 5, 0]), 5, 5),
        (shell(Pattern::Delta, 550.0, 53.0, [1, 2, 0]), 1, 1),
        (shell(Pattern::Delta, 550.0, 53.0, [1, 1, 0]), 0, 0),
        (shell(Pattern::Delta, 550.0, 53.0, [3, 1, 1]), 3, 3),
    ] {
        for (mesh, count) in [(Mesh::PlusGrid, four), (Mesh::AllAdjacent, six)] {
            let links = shell.links(mesh);
            let pairs: BTreeSet<_> = links.iter().map(|l| (l.from.min(l.to), l.from.max(l.to))).collect();
            assert_eq!((links.len(), pairs.len()), (count, count), "{mesh:?} {:?}", shell.walker());
            for link in links {
                assert_eq!(shell.relation(link.from, link.to), Ok(link.relation));
            }
        }
        for one in shell.slots() {
            let n = shell.neighbours(one).unwrap();
            for right in n.right.into_iter().flatten() {
                assert!(shell.neighbours(right).unwrap().left.unwrap().contains(&one), "{one:?} {right:?}");
            }
            let back_of_front = n.front.map(|front| shell.neighbours(front).unwrap().back);
            assert!(back_of_front.is_none_or(|back| back == Some(one)));
        }
    }
}

#[test]
fn the_link_of_the_grid_is_to_the_nearer_one() {
    for phasing in [0, 17, 36, 37, 71] {
        let shell = shell(Pattern::Delta, 550.0, 53.0, [72, 22, phasing]);
        for link in shell.links(Mesh::PlusGrid).iter().filter(|l| l.relation == Relation::AdjacentPlane) {
            let other = shell.neighbours(link.from).unwrap().right.unwrap();
            // Distances are greatest about the equator, and that is what a link must reach.
            let greatest = |to| motion(&shell, link.from, to).range_bounds_km().1;
            let best = other.iter().map(|to| greatest(*to)).fold(f64::INFINITY, f64::min);
            assert!(greatest(link.to) <= best + 1e-6, "phasing {phasing}: {link:?}");
        }
    }
}

#[test]
fn neighbours_in_one_plane_are_the_steadiest() {
    for shell in [delta(), star()] {
        for link in shell.links(Mesh::PlusGrid).iter().filter(|l| l.relation == Relation::SamePlane) {
            let motion = motion(&shell, link.from, link.to);
            let (least, most) = motion.range_bounds_km();
            assert_eq!(least, most);
            let at = Instant::ZERO + Duration::from_secs(1000);
            assert!(motion.side_of_first(at).is_none() && motion.side_of_second(at).is_none());
            assert!(motion.same_direction(at) && motion.range_rate_km_s(at).abs() < 1e-12);
        }
    }
}

#[test]
fn neighbours_in_adjacent_planes_are_steady_but_change_sides_where_the_planes_cross() {
    for (shell, highest) in [(delta(), 53.0), (star(), 86.4)] {
        for link in shell.links(Mesh::AllAdjacent).iter().filter(|l| l.relation == Relation::AdjacentPlane).step_by(7) {
            let motion = motion(&shell, link.from, link.to);
            assert!(instants(&shell).all(|at| motion.same_direction(at)), "{link:?}");
            // Figure 2: to the right before, to the left after, and back at the other pole.
            let flips = flips(&shell, &motion);
            assert_eq!(flips.len(), 2, "{link:?}");
            for (_, latitude) in &flips {
                assert!(*latitude > highest - 3.0, "{link:?} flips at {latitude}");
            }
            let half = (flips[1].0 - flips[0].0).as_secs_f64() / instants(&shell).count() as f64 / 5.0;
            assert!((half - 0.5).abs() < 0.01, "{half}");
            // Far from the poles each has the other on the side that the indices say: the one to the right in the right
            // plane while it rises, to the left while it descends; and seen from there the other way round.
            for at in instants(&shell) {
                let latitudes = motion.latitudes_deg(at);
                if latitudes.iter().all(|l| l.abs() < highest - 20.0) {
                    assert_ne!(motion.side_of_first(at), motion.side_of_second(at), "{link:?} {at}");
                    let later = motion.latitudes_deg(at + Duration::from_secs(1));
                    let side = if later[0] > latitudes[0] { Side::Right } else { Side::Left };
                    assert_eq!(motion.side_of_second(at), Some(side), "{link:?} {at}");
                }
            }
        }
    }
}

#[test]
fn neighbours_across_the_seam_meet_head_on_and_only_pass() {
    let shell = star();
    let links = shell.seam_links();
    assert_eq!(links.len(), 11 * 11);
    // Neighbours in adjacent planes come no nearer than this at the equator.
    let near_km = 3500.0;
    for link in &links {
        assert_eq!(shell.relation(link.from, link.to), Ok(Relation::AcrossSeam));
        let motion = motion(&shell, link.from, link.to);
        let near: Vec<_> = instants(&shell).filter(|at| motion.range_km(*at) < near_km).collect();
        assert!(near.iter().all(|at| !motion.same_direction(*at)), "{link:?}");
        // Twice a revolution, for minutes: about 2 · 3,500 km at twice 7.5 km/s.
        assert!(near.len() * 5 < 2 * 500, "{link:?} is near for {} s", near.len() * 5);
    }
    // And at every instant some pair is near, though never the same one for long.
    for at in instants(&shell).step_by(12) {
        assert!(links.iter().any(|l| motion(&shell, l.from, l.to).range_km(at) < near_km));
    }
    assert!(delta().seam_links().is_empty());
    assert!(support::shell(Pattern::Star, 780.0, 90.0, [2, 11, 0]).seam_links().is_empty());
}

#[test]
fn relations_follow_from_the_indices() {
    let (delta, star) = (delta(), star());
    let relation = |shell: &Shell, a, b| (shell.relation(a, b).unwrap(), shell.relation(b, a).unwrap());
    for (shell, plane, expected) in [
        (&delta, 0, Relation::SamePlane),
        (&delta, 1, Relation::AdjacentPlane),
        (&delta, 2, Relation::DistantPlane),
        (&delta, 71, Relation::AdjacentPlane),
        (&star, 1, Relation::AdjacentPlane),
        (&star, 3, Relation::DistantPlane),
        (&star, 5, Relation::AcrossSeam),
    ] {
        assert_eq!(relation(shell, slot(0, 1), slot(plane, 9)), (expected, expected));
    }
}
