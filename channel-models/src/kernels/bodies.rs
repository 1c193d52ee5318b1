//! Positions from kernels at the price of the built-in ones.

use std::sync::Arc;

use super::Kernels;
use crate::body::Body;
use crate::pieces::Pieces;
use crate::vector::Vector;

/// The bodies that kernels place, through the same pieces as the built-in ephemeris.
///
/// A piece is only made where the kernels cover all of it; near the ends of their spans they are asked themselves, which costs some
/// microseconds.
pub(crate) struct KernelBodies {
    kernels: Arc<Kernels>,
    /// From the barycentre; the Moon's stays empty.
    planets: [Pieces<8, 3, 12>; Body::COUNT],
    /// From the Earth.
    moon: Pieces<4, 3, 14>,
    sources: [Option<Source>; Body::COUNT],
}

/// Under which ID the kernels have a body, and when: nanoseconds of TDB after J2000.
struct Source {
    id: i32,
    spans: Vec<[i64; 2]>,
}

impl Source {
    fn covers(&self, [start, end]: [i64; 2]) -> bool {
        self.spans.iter().any(|span| span[0] <= start && end <= span[1])
    }
}

impl KernelBodies {
    pub(crate) fn new(kernels: Arc<Kernels>) -> Self {
        let ns = |s: f64| (s * 1e9) as i64;
        let sources = Body::ALL.map(|body| {
            let id = kernels.id_of(body)?;
            Some(Source { id, spans: kernels.spans(id).iter().map(|[a, b]| [ns(*a), ns(*b)]).collect() })
        });
        KernelBodies { kernels, planets: std::array::from_fn(|_| Pieces::new()), moon: Pieces::new(), sources }
    }

    /// Barycentric km on ICRF axes, `tdb_ns` nanoseconds after J2000; nothing where the kernels do not reach.
    pub(crate) fn position_km(&self, body: Body, tdb_ns: i64) -> Option<Vector> {
        let source = self.sources[body as usize].as_ref()?;
        if !source.covers([tdb_ns, tdb_ns]) {
            return None;
        }
        if body == Body::Moon {
            let earth = self.sources[Body::Earth as usize].as_ref();
            let piece = Pieces::<4, 3, 14>::span(tdb_ns);
            return match earth.filter(|earth| earth.covers(piece) && source.covers(piece)) {
                Some(earth) => {
                    let relative = |days| {
                        let [from, to] = [earth.id, source.id].map(|id| Vector(self.sample(id, days)));
                        (to - from).0
                    };
                    Some(self.position_km(Body::Earth, tdb_ns)? + Vector(self.moon.at(tdb_ns, relative)))
                }
                None => self.direct(source.id, tdb_ns),
            };
        }
        if source.covers(Pieces::<8, 3, 12>::span(tdb_ns)) {
            return Some(Vector(self.planets[body as usize].at(tdb_ns, |days| self.sample(source.id, days))));
        }
        self.direct(source.id, tdb_ns)
    }

    fn direct(&self, id: i32, tdb_ns: i64) -> Option<Vector> {
        self.kernels.position_km(id, tdb_ns as f64 / 1e9).ok().map(Vector)
    }

    fn sample(&self, id: i32, days: f64) -> [f64; 3] {
        // What is covered has been proved to be readable; should it not be, no number is better than a wrong one.
        self.kernels.position_km(id, days * 86_400.0).unwrap_or([f64::NAN; 3])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_say_what_the_kernels_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/golden/geometry/de421.bsp");
        let kernels = Arc::new(Kernels::new([("de421.bsp", std::fs::read(path).unwrap())]).unwrap());
        let bodies = KernelBodies::new(kernels.clone());
        let mut worst = [0.0_f64; 2];
        let all =
            [Body::Sun, Body::Mercury, Body::Venus, Body::Earth, Body::Moon, Body::Mars, Body::Jupiter, Body::Saturn];
        for body in all {
            let id = kernels.id_of(body).unwrap();
            let [begin, end] = kernels.spans(id)[0];
            for step in 0..1000 {
                // Whole seconds, which a number of seconds holds exactly; from the first instant to the last.
                let seconds = (begin + (end - begin) * f64::from(step) / 999.0).floor();
                let wanted = Vector(kernels.position_km(id, seconds).unwrap());
                let got = bodies.position_km(body, seconds as i64 * 1_000_000_000).unwrap();
                let moon = usize::from(body == Body::Moon);
                worst[moon] = worst[moon].max((got - wanted).length());
            }
            assert_eq!(bodies.position_km(body, (end as i64 + 1) * 1_000_000_000), None);
        }
        println!("worst: {:.3e} km, Moon {:.3e} km", worst[0], worst[1]);
        assert!(worst.iter().all(|w| *w < 1e-4), "{worst:?}");
    }
}
