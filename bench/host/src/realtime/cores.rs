//! Which cores are best for threads that must not be kept waiting.

use crate::Tree;
use crate::tree::cores;

/// Cores in the order in which threads of the data path should take them: those that the kernel keeps free of others first
/// (`isolcpus`), then whole ones before the second halves of cores that are taken, and the first core, which serves most
/// interrupts, after its like.
///
/// What the system does not tell of is not weighed. The answer has every core that is allowed, once.
pub fn best_cores(tree: &Tree, allowed: &[usize]) -> Vec<usize> {
    let read = |file: String| tree.read(file).ok().and_then(|text| cores(&text));
    let isolated = read("sys/devices/system/cpu/isolated".to_owned()).unwrap_or_default();
    // A core is whole as long as none of its siblings comes before it.
    let is_second_half = |core: usize| {
        read(format!("sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"))
            .is_some_and(|siblings| siblings.iter().any(|sibling| *sibling < core && allowed.contains(sibling)))
    };
    let mut best = allowed.to_vec();
    best.sort_unstable();
    best.dedup();
    best.sort_by_key(|core| (!isolated.contains(core), is_second_half(*core), *core == 0, *core));
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn isolated_cores_come_first_then_whole_ones_and_the_first_after_its_like() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("sys/devices/system/cpu");
        for (core, siblings) in ["0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7"].iter().enumerate() {
            let topology = folder.join(format!("cpu{core}/topology"));
            fs::create_dir_all(&topology).unwrap();
            fs::write(topology.join("thread_siblings_list"), siblings).unwrap();
        }
        let tree = Tree::at(root.path());
        assert_eq!(best_cores(&tree, &[0, 1, 2, 3, 4, 5, 6, 7]), [1, 2, 3, 0, 4, 5, 6, 7]);
        fs::write(folder.join("isolated"), "3,7\n").unwrap();
        assert_eq!(best_cores(&tree, &[0, 1, 2, 3, 4, 5, 6, 7]), [3, 7, 1, 2, 0, 4, 5, 6]);
        assert_eq!(best_cores(&tree, &[0, 4, 5]), [5, 0, 4], "5 is whole if 1 is not ours");
    }

    #[test]
    fn a_system_that_tells_nothing_has_its_first_core_last() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(best_cores(&Tree::at(root.path()), &[1, 0, 1, 2]), [1, 2, 0]);
    }
}
