//! The store of a node on disk: what outlives the process.
//!
//! One file, `bundles.redb`, in the folder that the user names. What [`BundleStore::apply`] has returned from is on the disk,
//! whatever happens to the process or the machine afterwards; what it has not returned from is there whole or not at all.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use farlink_engine::bp::{BundleId, Change, Handle, Record, Snapshot};
use farlink_wire::bpv7::{CreationTimestamp, Eid};
use farlink_wire::ltp::SessionId;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition};
use thiserror::Error;

/// Bundles by handle: arrival in milliseconds of DTN time, eight octets, big-endian; then the bundle.
const BUNDLES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("bundles");
/// Bundles that have been here, by name, and until when they are remembered, in milliseconds of DTN time.
const REMEMBERED: TableDefinition<'_, &str, u64> = TableDefinition::new("remembered");
/// The latest creation timestamp, under key 0.
const CREATED: TableDefinition<'_, u8, (u64, u64)> = TableDefinition::new("created");
/// LTP sessions of which this engine has claimed a part: originator and number, and the peer.
const RECEPTIONS: TableDefinition<'_, (u64, u64), u64> = TableDefinition::new("receptions");
/// The layout of the tables, under key 0.
const LAYOUT: TableDefinition<'_, u8, u64> = TableDefinition::new("layout");
const THIS_LAYOUT: u64 = 1;

const FILE: &str = "bundles.redb";
/// What becomes that file once it is whole: a database that is killed while it is made cannot be opened again.
const UNFINISHED: &str = "bundles.redb.part";
const ARRIVAL_OCTETS: usize = 8;

/// What a store cannot do.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Two nodes may not share a store.
    #[error("the store in {path} is in use by another process: stop that node, or name another folder")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The disk is full, or a quota is.
    #[error("no room left on the disk for the store in {path}: free some, or move the folder to another disk")]
    NoRoom {
        /// The folder.
        path: PathBuf,
    },
    /// The folder or the file cannot be used.
    #[error("cannot use the store in {path}: {reason}")]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// What is in the file is not what this program writes.
    #[error(
        "the store in {path} is damaged or not of this program ({reason}): move it away, and the node starts empty"
    )]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
}

/// What an LTP engine must know after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceptionChange {
    /// The engine is about to claim a part of a block.
    Claimed {
        /// The session.
        session: SessionId,
        /// Engine ID of the peer.
        peer: u64,
    },
    /// The session is over.
    Ended {
        /// The session.
        session: SessionId,
    },
}

/// What the store held.
#[derive(Debug, Default)]
pub struct Kept {
    /// For the agent.
    pub snapshot: Snapshot,
    /// Sessions that were being received, and their peers. The data that was claimed is gone with the process, so each must
    /// be cancelled: the sender then sends its block anew.
    pub receptions: Vec<(SessionId, u64)>,
}

/// The store of a node on disk.
#[derive(Debug)]
pub struct BundleStore {
    folder: PathBuf,
    database: Database,
}

impl BundleStore {
    /// Opens the store in a folder, and makes both where there is none.
    ///
    /// # Errors
    /// Another process has it, the folder cannot be written, the file is none of ours.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        if !path.try_exists().map_err(|error| of_io(folder, &error))? {
            make(folder, &path)?;
        }
        let store = Self::open_file(folder, &path)?;
        store.prepare()?;
        Ok(store)
    }

    fn open_file(folder: &Path, path: &Path) -> Result<Self, StoreError> {
        let database = Database::create(path).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => StoreError::InUse { path: folder.to_owned() },
            DatabaseError::Storage(error) => of_storage(folder, &error),
            other => StoreError::Damaged { path: folder.to_owned(), reason: other.to_string() },
        })?;
        Ok(BundleStore { folder: folder.to_owned(), database })
    }

    /// Makes the tables that are missing, and looks whether they are this program's.
    fn prepare(&self) -> Result<(), StoreError> {
        let found = self.write(|transaction| {
            let mut layout = transaction.open_table(LAYOUT)?;
            let found = layout.get(0)?.map(|found| found.value());
            if found.is_none() {
                layout.insert(0, THIS_LAYOUT)?;
            }
            transaction.open_table(BUNDLES)?;
            transaction.open_table(REMEMBERED)?;
            transaction.open_table(CREATED)?;
            transaction.open_table(RECEPTIONS)?;
            Ok(found)
        })?;
        match found {
            None | Some(THIS_LAYOUT) => Ok(()),
            Some(other) => Err(self.damaged(format!("its layout is number {other}, this program's is {THIS_LAYOUT}"))),
        }
    }

    /// Everything that it holds.
    ///
    /// # Errors
    /// The file cannot be read, or holds what this program has not written.
    pub fn load(&self) -> Result<Kept, StoreError> {
        self.read_all().map_err(|error| of_storage(&self.folder, &error.into_storage())).and_then(|kept| kept)
    }

    fn read_all(&self) -> Result<Result<Kept, StoreError>, Failed> {
        let transaction = self.database.begin_read()?;
        let mut kept = Kept::default();
        for row in transaction.open_table(BUNDLES)?.iter()? {
            let (handle, value) = row?;
            let Some((arrived, bundle)) = value.value().split_first_chunk::<ARRIVAL_OCTETS>() else {
                return Ok(Err(self.damaged(format!("bundle {} has no time of arrival", handle.value()))));
            };
            let bundle = Bytes::copy_from_slice(bundle).into();
            let record = Record { arrived_ms: u64::from_be_bytes(*arrived), bundle };
            kept.snapshot.bundles.push((Handle(handle.value()), record));
        }
        for row in transaction.open_table(REMEMBERED)?.iter()? {
            let (name, until) = row?;
            match id_of(name.value()) {
                Some(id) => kept.snapshot.remembered.push((id, until.value())),
                None => return Ok(Err(self.damaged(format!("`{}` names no bundle", name.value())))),
            }
        }
        let created = transaction.open_table(CREATED)?.get(0)?.map(|row| row.value());
        kept.snapshot.created = created.map(|(time_ms, sequence)| CreationTimestamp { time_ms, sequence });
        for row in transaction.open_table(RECEPTIONS)?.iter()? {
            let (session, peer) = row?;
            let (originator, number) = session.value();
            kept.receptions.push((SessionId { originator, number }, peer.value()));
        }
        Ok(Ok(kept))
    }

    /// Makes changes durable, all of them or none.
    ///
    /// # Errors
    /// The disk is full or fails. Nothing that depends on the changes may then leave the node.
    pub fn apply(&self, changes: &[Change], receptions: &[ReceptionChange]) -> Result<(), StoreError> {
        if changes.is_empty() && receptions.is_empty() {
            return Ok(());
        }
        self.write(|transaction| {
            let mut bundles = transaction.open_table(BUNDLES)?;
            let mut remembered = transaction.open_table(REMEMBERED)?;
            let mut created = transaction.open_table(CREATED)?;
            for change in changes {
                match change {
                    Change::Put { handle, record } => {
                        let length = usize::try_from(record.bundle.len()).unwrap_or(usize::MAX);
                        let mut value = bundles.insert_reserve(handle.0, ARRIVAL_OCTETS + length)?;
                        let (arrived, mut rest) = value.as_mut().split_at_mut(ARRIVAL_OCTETS);
                        arrived.copy_from_slice(&record.arrived_ms.to_be_bytes());
                        for piece in record.bundle.pieces() {
                            let (head, tail) = rest.split_at_mut(piece.len());
                            head.copy_from_slice(piece);
                            rest = tail;
                        }
                    }
                    Change::Remove { handle } => drop(bundles.remove(handle.0)?),
                    Change::Remember { id, until_ms } => drop(remembered.insert(name_of(id).as_str(), until_ms)?),
                    Change::Forget { id } => drop(remembered.remove(name_of(id).as_str())?),
                    Change::Created { creation } => drop(created.insert(0, (creation.time_ms, creation.sequence))?),
                }
            }
            let mut open = transaction.open_table(RECEPTIONS)?;
            for change in receptions {
                match change {
                    ReceptionChange::Claimed { session, peer } => {
                        drop(open.insert((session.originator, session.number), peer)?);
                    }
                    ReceptionChange::Ended { session } => drop(open.remove((session.originator, session.number))?),
                }
            }
            Ok(())
        })
    }

    fn write<T>(&self, work: impl FnOnce(&redb::WriteTransaction) -> Result<T, Failed>) -> Result<T, StoreError> {
        let done = || -> Result<T, Failed> {
            let transaction = self.database.begin_write()?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        done().map_err(|error| of_storage(&self.folder, &error.into_storage()))
    }

    /// What every use of a store is answered with after it has failed.
    pub(crate) fn failed_before(&self) -> StoreError {
        StoreError::Unusable {
            path: self.folder.clone(),
            reason: "it has failed before: start the node anew".to_owned(),
        }
    }

    fn damaged(&self, reason: String) -> StoreError {
        StoreError::Damaged { path: self.folder.clone(), reason }
    }
}

/// Makes an empty store, whole or not at all.
fn make(folder: &Path, path: &Path) -> Result<(), StoreError> {
    let unusable = |error: io::Error| of_io(folder, &error);
    fs::create_dir_all(folder).map_err(unusable)?;
    let held = File::open(folder).map_err(unusable)?;
    match held.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { path: folder.to_owned() }),
        // Some network file systems have no locks.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
        Err(TryLockError::Error(error)) => return Err(unusable(error)),
    }
    let unfinished = folder.join(UNFINISHED);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error)),
        _ => {}
    }
    BundleStore::open_file(folder, &unfinished)?.prepare()?;
    fs::rename(&unfinished, path).map_err(unusable)?;
    held.sync_all().map_err(unusable)
}

/// Any of the errors of the database, boxed: they are large, and rare.
struct Failed(Box<redb::Error>);

impl<E: Into<redb::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Failed(Box::new(error.into()))
    }
}

impl Failed {
    fn into_storage(self) -> StorageError {
        match *self.0 {
            redb::Error::Io(error) => StorageError::Io(error),
            other => StorageError::Corrupted(other.to_string()),
        }
    }
}

fn of_storage(folder: &Path, error: &StorageError) -> StoreError {
    match error {
        StorageError::Io(error) => of_io(folder, error),
        other => StoreError::Damaged { path: folder.to_owned(), reason: other.to_string() },
    }
}

fn of_io(folder: &Path, error: &io::Error) -> StoreError {
    let path = folder.to_owned();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::NoRoom { path },
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            StoreError::Damaged { path, reason: error.to_string() }
        }
        _ => StoreError::Unusable { path, reason: error.to_string() },
    }
}

/// `<creation time>-<sequence> <offset>+<length> <source>`, with `-` for the extent of what is no fragment.
fn name_of(id: &BundleId) -> String {
    let extent = id.extent.map_or_else(|| "-".to_owned(), |(offset, length)| format!("{offset}+{length}"));
    format!("{}-{} {extent} {}", id.creation.time_ms, id.creation.sequence, id.source)
}

fn id_of(name: &str) -> Option<BundleId> {
    let mut parts = name.splitn(3, ' ');
    let (time_ms, sequence) = parts.next()?.split_once('-')?;
    let extent = match parts.next()? {
        "-" => None,
        extent => {
            let (offset, length) = extent.split_once('+')?;
            Some((offset.parse().ok()?, length.parse().ok()?))
        }
    };
    let source: Eid = parts.next()?.parse().ok()?;
    let creation = CreationTimestamp { time_ms: time_ms.parse().ok()?, sequence: sequence.parse().ok()? };
    Some(BundleId { source, creation, extent })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(source: &str, extent: Option<(u64, u64)>) -> BundleId {
        let creation = CreationTimestamp { time_ms: 820_000_000_000, sequence: 7 };
        BundleId { source: source.parse().unwrap(), creation, extent }
    }

    fn put(handle: u64, pieces: &[&'static [u8]]) -> Change {
        let bundle = farlink_engine::ltp::Block::new(pieces.iter().map(|p| Bytes::from_static(p)));
        Change::Put { handle: Handle(handle), record: Record { arrived_ms: 5, bundle } }
    }

    #[test]
    fn what_was_applied_is_there_after_the_store_was_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let session = SessionId { originator: 10, number: u64::MAX };
        let ids =
            [id("ipn:10.1", None), id("dtn://a b/x".replace(' ', "%20").as_str(), Some((3, 4))), id("ipn:9.9", None)];
        {
            let store = BundleStore::open(folder.path()).unwrap();
            let remember = ids.iter().map(|id| Change::Remember { id: id.clone(), until_ms: 99 });
            let creation = CreationTimestamp { time_ms: 8, sequence: 1 };
            let changes: Vec<_> = [put(1, &[b"one"]), put(2, &[b"t", b"wo"]), Change::Created { creation }]
                .into_iter()
                .chain(remember)
                .collect();
            store.apply(&changes, &[ReceptionChange::Claimed { session, peer: 10 }]).unwrap();
            let gone = [Change::Remove { handle: Handle(1) }, Change::Forget { id: ids[2].clone() }];
            store.apply(&gone, &[]).unwrap();
        }
        let kept = BundleStore::open(folder.path()).unwrap().load().unwrap();
        let two = Record { arrived_ms: 5, bundle: Bytes::from_static(b"two").into() };
        assert_eq!(kept.snapshot.bundles, [(Handle(2), two)]);
        let mut remembered: Vec<_> = kept.snapshot.remembered.into_iter().map(|(id, _)| id).collect();
        remembered.sort();
        let mut expected = ids[..2].to_vec();
        expected.sort();
        assert_eq!(remembered, expected);
        assert_eq!(kept.snapshot.created.unwrap().time_ms, 8);
        assert_eq!(kept.receptions, [(session, 10)]);
    }

    #[test]
    fn a_store_in_use_a_foreign_file_and_a_folder_that_is_none_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let first = BundleStore::open(folder.path()).unwrap();
        let error = BundleStore::open(folder.path()).unwrap_err();
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
        drop(first);

        let other = tempfile::tempdir().unwrap();
        std::fs::write(other.path().join(FILE), "this is no database at all, but a text of some length").unwrap();
        let error = BundleStore::open(other.path()).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("move it away"));

        let error = BundleStore::open(&other.path().join(FILE)).unwrap_err();
        assert!(matches!(error, StoreError::Unusable { .. }), "{error}");
    }

    #[test]
    fn a_store_whose_making_was_broken_off_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        // As a kill leaves it: the database writes its magic number last.
        std::fs::write(folder.path().join(UNFINISHED), vec![0; 4096]).unwrap();
        let store = BundleStore::open(folder.path()).unwrap();
        store.apply(&[put(1, &[b"one"])], &[]).unwrap();
        drop(store);
        assert_eq!(BundleStore::open(folder.path()).unwrap().load().unwrap().snapshot.bundles.len(), 1);
        assert!(!folder.path().join(UNFINISHED).exists());
    }

    #[test]
    fn a_layout_of_another_program_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let store = BundleStore::open(folder.path()).unwrap();
        let foreign = |t: &redb::WriteTransaction| {
            t.open_table(LAYOUT)?.insert(0, 2)?;
            Ok(())
        };
        store.write(foreign).unwrap();
        drop(store);
        let error = BundleStore::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains("layout is number 2"), "{error}");
    }
}
