//! The body-fixed frames of binary PCK files.

use crate::body::Body;
use crate::vector::{Axes, Vector};

const ARCSEC: f64 = std::f64::consts::PI / 648_000.0;

/// A frame of a binary PCK that orients a body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FixedFrame {
    /// Its class ID, under which the file has it.
    pub(super) id: i32,
    /// The angles in arc seconds about x, y and z by which the axes for maps are turned from it.
    to_maps: [f64; 3],
}

/// The frames that can orient a body, the better first: the Earth's ITRF93; the Moon's principal axes of DE440 and DE421, from which
/// the mean-Earth axes are turned by constant angles (Park et al. 2021, "The JPL Planetary and Lunar Ephemerides DE440 and DE441",
/// section 3; Williams, Boggs & Folkner 2008).
pub(super) fn of(body: Body) -> &'static [FixedFrame] {
    match body {
        Body::Earth => &[FixedFrame { id: 3000, to_maps: [0.0; 3] }],
        Body::Moon => &[
            FixedFrame { id: 31008, to_maps: [-0.2785, -78.6944, -67.8526] },
            FixedFrame { id: 31006, to_maps: [-0.30, -78.56, -67.92] },
        ],
        _ => &[],
    }
}

impl FixedFrame {
    /// The axes for maps, from the frame's own.
    pub(super) fn maps(&self, own: Axes) -> Axes {
        let [x, y, z] = self.to_maps.map(|angle| angle * ARCSEC);
        let turned = own.turned_about_z(z);
        let turned = turned_about_y(turned, y);
        turned_about_x(turned, x)
    }
}

fn turned_about_x(axes: Axes, angle: f64) -> Axes {
    let (s, c) = angle.sin_cos();
    Axes { x: axes.x, y: axes.y * c + axes.z * s, z: axes.z * c - axes.y * s }
}

fn turned_about_y(axes: Axes, angle: f64) -> Axes {
    let (s, c) = angle.sin_cos();
    Axes { x: axes.x * c - axes.z * s, y: axes.y, z: axes.z * c + axes.x * s }
}

/// Axes written on those of the ecliptic of J2000, on ICRF's: SPICE's ECLIPJ2000, 84381.448″ from the equator.
pub(super) fn from_ecliptic(axes: Axes) -> Axes {
    let (s, c) = (84_381.448 * ARCSEC).sin_cos();
    let out = |Vector([x, y, z]): Vector| Vector([x, c * y - s * z, s * y + c * z]);
    Axes { x: out(axes.x), y: out(axes.y), z: out(axes.z) }
}
