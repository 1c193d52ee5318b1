//! Who is next to whom, and which of them stay.

use std::collections::BTreeSet;

use crate::shell::{NoSuchSlot, Pattern, Shell, Slot};

/// How two satellites stand to one another, as their indices tell (draft-lhan-satellite-semantic-addressing-01, section 4.3).
/// [`Motion`](crate::Motion) tells it from geometry, instant by instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// One plane: distance and direction never change. The steadiest link there is.
    SamePlane,
    /// Planes next to one another that move alike: steady about the equator. Where the planes cross, at the highest latitudes,
    /// the neighbour changes from one side to the other, twice in each revolution.
    AdjacentPlane,
    /// The two sides of the seam of a star: they meet head-on and are neighbours for moments only, never steady.
    AcrossSeam,
    /// Planes that are not next to one another.
    DistantPlane,
    /// Shells of different height or inclination drift apart.
    OtherShell,
}

/// The neighbours of a satellite within its shell: S1 to S6 of the draft's figure 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbours {
    /// The next in the plane (S1); `None` if the satellite is alone there.
    pub front: Option<Slot>,
    /// The one behind it in the plane (S2).
    pub back: Option<Slot>,
    /// In the next plane to the right, eastwards for one that rises: the one level or ahead, and the one behind it (S3, S4).
    pub right: Option<[Slot; 2]>,
    /// In the next plane to the left: the one ahead, and the one level or behind (S5, S6).
    pub left: Option<[Slot; 2]>,
}

/// Which neighbours are linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mesh {
    /// Four links each: front, back, and of the two on either side the one that stays nearer.
    PlusGrid,
    /// Six links each: all that [`Neighbours`] has.
    AllAdjacent,
}

/// Two satellites that are linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// One end.
    pub from: Slot,
    /// The other: in front of it in the plane, or to its right.
    pub to: Slot,
    /// How they stand to one another.
    pub relation: Relation,
}

impl Shell {
    /// How two satellites of the shell stand to one another.
    ///
    /// # Errors
    /// A slot that the shell does not have.
    pub fn relation(&self, one: Slot, other: Slot) -> Result<Relation, NoSuchSlot> {
        self.check(one)?;
        self.check(other)?;
        let planes = self.walker().planes;
        let apart = u16::from(one.plane.abs_diff(other.plane));
        let around = apart.min(planes - apart);
        Ok(match self.walker().pattern {
            _ if apart == 0 => Relation::SamePlane,
            _ if apart == 1 => Relation::AdjacentPlane,
            Pattern::Delta if around == 1 => Relation::AdjacentPlane,
            Pattern::Star if around == 1 => Relation::AcrossSeam,
            _ => Relation::DistantPlane,
        })
    }

    /// The neighbours of a satellite that stay its neighbours. Across the seam of a star there are none: see
    /// [`Shell::seam_links`].
    ///
    /// # Errors
    /// A slot that the shell does not have.
    pub fn neighbours(&self, slot: Slot) -> Result<Neighbours, NoSuchSlot> {
        self.check(slot)?;
        let alone = self.walker().satellites_per_plane == 1;
        let in_plane = |steps| (!alone).then(|| self.along(slot, steps));
        Ok(Neighbours {
            front: in_plane(1),
            back: in_plane(-1),
            right: self.right_of(slot).map(|level| [level, self.along(level, -1)]),
            left: self.left_of(slot).map(|level| [self.along(level, 1), level]),
        })
    }

    /// The links of the shell that always have the same ends, each once.
    pub fn links(&self, mesh: Mesh) -> Vec<Link> {
        let mut seen = BTreeSet::new();
        let mut links = Vec::new();
        let ahead = self.level_is_nearer();
        for from in self.slots() {
            let front = (self.walker().satellites_per_plane > 1).then(|| self.along(from, 1));
            for to in front.into_iter().chain(self.linked_to_the_right(from, mesh, ahead)) {
                // With two satellites in a plane, or two planes, one pair can be met from both ends.
                if from != to && seen.insert((from.min(to), from.max(to))) {
                    let relation = if from.plane == to.plane { Relation::SamePlane } else { Relation::AdjacentPlane };
                    links.push(Link { from, to, relation });
                }
            }
        }
        links
    }

    /// All pairs across the seam of a star: each satellite of the last plane with each of the first. Any of them is a
    /// neighbour only while they pass. A delta has none, nor has a star of two planes, whose one pair of planes moves alike.
    pub fn seam_links(&self) -> Vec<Link> {
        let w = self.walker();
        if w.pattern == Pattern::Delta || w.planes < 3 {
            return Vec::new();
        }
        let (last, satellites) = ((w.planes - 1) as u8, w.satellites_per_plane);
        let pair = |from: u16, to: u16| Link {
            from: Slot { plane: last, satellite: from as u8 },
            to: Slot { plane: 0, satellite: to as u8 },
            relation: Relation::AcrossSeam,
        };
        (0..satellites).flat_map(|from| (0..satellites).map(move |to| pair(from, to))).collect()
    }

    fn linked_to_the_right(&self, from: Slot, mesh: Mesh, level_is_nearer: bool) -> Vec<Slot> {
        let Some(level) = self.right_of(from) else { return Vec::new() };
        let behind = self.along(level, -1);
        match mesh {
            Mesh::AllAdjacent => vec![level, behind],
            Mesh::PlusGrid if level_is_nearer => vec![level],
            Mesh::PlusGrid => vec![behind],
        }
    }

    /// Whether of the two to the right the one level or ahead stays nearer than the one behind: the same all over the shell.
    fn level_is_nearer(&self) -> bool {
        let first = Slot { plane: 0, satellite: 0 };
        let furthest = |other| self.motion(first, other).map_or(f64::INFINITY, |motion| motion.range_bounds_km().1);
        self.right_of(first).is_none_or(|level| furthest(level) <= furthest(self.along(level, -1)))
    }

    /// The satellite `steps` further along the plane.
    fn along(&self, slot: Slot, steps: i32) -> Slot {
        let count = i32::from(self.walker().satellites_per_plane);
        Slot { satellite: (i32::from(slot.satellite) + steps).rem_euclid(count) as u8, ..slot }
    }

    /// Level with `slot` or less than one satellite ahead of it, in the next plane to the right.
    fn right_of(&self, slot: Slot) -> Option<Slot> {
        let w = self.walker();
        match u16::from(slot.plane) + 1 {
            next if next < w.planes => Some(Slot { plane: next as u8, ..slot }),
            // Once around, the phasing adds up to F whole satellites.
            _ if w.pattern == Pattern::Delta && w.planes > 1 => {
                Some(self.along(Slot { plane: 0, ..slot }, i32::from(w.phasing)))
            }
            _ => None,
        }
    }

    /// Level with `slot` or less than one satellite behind it, in the next plane to the left.
    fn left_of(&self, slot: Slot) -> Option<Slot> {
        let w = self.walker();
        match slot.plane.checked_sub(1) {
            Some(plane) => Some(Slot { plane, ..slot }),
            None if w.pattern == Pattern::Delta && w.planes > 1 => {
                Some(self.along(Slot { plane: (w.planes - 1) as u8, ..slot }, -i32::from(w.phasing)))
            }
            None => None,
        }
    }
}
