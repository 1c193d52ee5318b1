//! SPICE kernels: those of the bodies, and those that trajectories name.
//!
//! All are read together, because the way of a spacecraft leads over bodies that other files place.

#[cfg(not(feature = "spice"))]
pub(super) use without::{KernelFiles, check};

#[cfg(feature = "spice")]
pub(super) use with::{KernelFiles, check};

#[cfg(not(feature = "spice"))]
mod without {
    use farlink_channel_models::Place;

    use crate::check::Notes;
    use crate::file::File;
    use crate::files::Folder;
    use crate::located::At;

    const MESSAGE: &str = "this build reads no SPICE kernels";

    pub(in crate::check) struct KernelFiles;

    pub(in crate::check) fn check(file: &File, _: &Folder<'_>, notes: &mut Notes) -> KernelFiles {
        if let Some(first) = file.kernels.first() {
            let help = "build with `--features spice`, or leave `kernels` out: the built-in series place the bodies";
            notes.error(first.position, MESSAGE, help);
        }
        KernelFiles
    }

    impl KernelFiles {
        pub(in crate::check) fn trajectory(
            &self,
            path: &At<String>,
            _: &Option<At<String>>,
            notes: &mut Notes,
        ) -> Option<Place> {
            notes.error(path.position, MESSAGE, "build with `--features spice`, or convert the trajectory to an OEM");
            None
        }
    }
}

#[cfg(feature = "spice")]
mod with {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use farlink_channel_models::{KernelError, KernelPath, Kernels, Place};

    use crate::check::Notes;
    use crate::file::File;
    use crate::files::Folder;
    use crate::located::At;
    use crate::names::one_of;

    /// As many NAIF numbers are told.
    const NUMBERS_TOLD: usize = 12;

    /// All kernels of a scenario; `read` is empty where one is wrong, or there is none.
    pub(in crate::check) struct KernelFiles {
        read: Option<Arc<Kernels>>,
        /// Whether they place the bodies, too.
        of_bodies: bool,
    }

    pub(in crate::check) fn check(file: &File, folder: &Folder<'_>, notes: &mut Notes) -> KernelFiles {
        let of_bodies = !file.kernels.is_empty();
        let trajectories = file.places.0.iter().filter_map(|(_, place)| place.trajectory.as_ref());
        let spks = trajectories.filter(|entry| entry.value.oem.is_none()).filter_map(|entry| entry.value.spk.as_ref());
        let mut seen = BTreeSet::new();
        let paths: Vec<&At<String>> = spks.chain(&file.kernels).filter(|path| seen.insert(&path.value)).collect();
        KernelFiles { read: read(&paths, folder, notes).map(Arc::new), of_bodies }
    }

    fn read(paths: &[&At<String>], folder: &Folder<'_>, notes: &mut Notes) -> Option<Kernels> {
        let first = paths.first()?;
        // Each by itself as well, so that what is wrong is said where the file is named.
        let alone = |bytes: &[u8]| {
            Kernels::new([("the file", bytes.to_vec())])?;
            Ok::<_, KernelError>(bytes.to_vec())
        };
        let files: Vec<_> =
            paths.iter().map(|path| Some((path.value.clone(), folder.read(path, notes, alone)?))).collect();
        let files = files.into_iter().collect::<Option<Vec<_>>>()?;
        match Kernels::new(files) {
            Ok(kernels) => Some(kernels),
            Err(error) => {
                let help = "each file can be read, but not all together: leave out those that are not needed";
                notes.error(first.position, error.to_string(), help);
                None
            }
        }
    }

    impl KernelFiles {
        /// What places the bodies.
        pub(in crate::check) fn of_bodies(&self) -> Option<Arc<Kernels>> {
            self.read.clone().filter(|_| self.of_bodies)
        }

        /// The way of the spacecraft with the NAIF number `object`.
        pub(in crate::check) fn trajectory(
            &self,
            path: &At<String>,
            object: &Option<At<String>>,
            notes: &mut Notes,
        ) -> Option<Place> {
            let kernels = self.read.as_ref()?;
            let told = || {
                let spacecraft = || kernels.targets().filter(|number| *number < 0);
                let numbers = spacecraft().take(NUMBERS_TOLD).map(|number| format!("\"{number}\"")).collect::<Vec<_>>();
                match (numbers.is_empty(), spacecraft().count().saturating_sub(NUMBERS_TOLD)) {
                    (true, _) => "the NAIF number of the spacecraft".to_owned(),
                    (false, 0) => one_of(numbers.iter().map(String::as_str)),
                    (false, more) => format!("{}, and {more} others", one_of(numbers.iter().map(String::as_str))),
                }
            };
            let Some(object) = object else {
                let help = format!("say which is meant with `object`: {}", told());
                notes.error(path.position, "nothing says whose trajectory this is", help);
                return None;
            };
            let Ok(number) = object.value.parse::<i32>() else {
                let message = format!("`{}` is no NAIF number", object.value);
                notes.error(object.position, message, format!("write {}", told()));
                return None;
            };
            match KernelPath::new(kernels.clone(), number) {
                Ok(way) => Some(Place::Kernel(way)),
                Err(error) => {
                    let help = "give the bodies that its segments count from in `kernels`, as `kernels: [de440s.bsp]`";
                    notes.error(object.position, error.to_string(), help);
                    None
                }
            }
        }
    }
}
