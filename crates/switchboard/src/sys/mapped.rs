//! Numbers in memory that a process shares with those it forks off.
//!
//! A [`Row`] is some numbers, in memory of its own or in a row of a [`Table`], which is what is
//! shared. Who counts in one does not notice the difference.

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::io;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Some numbers; clones are the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Row<const N: usize> {
    numbers: NonNull<[AtomicU64; N]>,
    /// Keeps them where they are.
    _owner: Owner<N>,
}

#[derive(Clone, Debug)]
enum Owner<const N: usize> {
    Heap(#[expect(dead_code, reason = "it is held, not used")] Arc<[AtomicU64; N]>),
    Table(#[expect(dead_code, reason = "it is held, not used")] Arc<Mapping>),
}

// SAFETY: what it points to is atomic, and stays where it is as long as the owner, which any thread
// may have and drop.
#[expect(unsafe_code, reason = "a pointer is neither, whatever is behind it")]
unsafe impl<const N: usize> Send for Row<N> {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "a pointer is neither, whatever is behind it")]
unsafe impl<const N: usize> Sync for Row<N> {}

impl<const N: usize> Row<N> {
    /// Zeros, in memory of this process.
    pub(crate) fn new() -> Row<N> {
        let numbers = Arc::new([const { AtomicU64::new(0) }; N]);
        Row { numbers: NonNull::from(&*numbers), _owner: Owner::Heap(numbers) }
    }

    pub(crate) fn is_same(&self, other: &Row<N>) -> bool {
        self.numbers == other.numbers
    }
}

impl<const N: usize> Deref for Row<N> {
    type Target = [AtomicU64; N];

    #[expect(unsafe_code, reason = "one pointer for both owners costs a counter no branch")]
    fn deref(&self) -> &[AtomicU64; N] {
        // SAFETY: it points into what the owner owns, which does not move, and of which only
        // shared references are given.
        unsafe { self.numbers.as_ref() }
    }
}

/// Rows of numbers, shared with every process that is forked off from here on.
#[derive(Clone, Debug)]
pub(crate) struct Table<const N: usize> {
    mapping: Arc<Mapping>,
    rows: usize,
}

#[derive(Debug)]
struct Mapping {
    memory: NonNull<u8>,
    bytes: usize,
}

// SAFETY: it is memory, without a thread that it belongs to.
#[expect(unsafe_code, reason = "a pointer is neither, whatever is behind it")]
unsafe impl Send for Mapping {}
// SAFETY: as above; what lies there is only ever seen as atomic numbers.
#[expect(unsafe_code, reason = "a pointer is neither, whatever is behind it")]
unsafe impl Sync for Mapping {}

impl<const N: usize> Table<N> {
    /// Rows of zeros. Memory is taken as rows are used.
    ///
    /// # Errors
    /// There is no memory for so many.
    #[expect(unsafe_code, reason = "memory from the system is bare")]
    pub(crate) fn new(rows: usize) -> io::Result<Table<N>> {
        let too_large = || io::Error::from(io::ErrorKind::OutOfMemory);
        let bytes = size_of::<[AtomicU64; N]>().checked_mul(rows).ok_or_else(too_large)?.max(1);
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the system chooses the place, so no memory that is in use is replaced.
        let memory =
            unsafe { mmap_anonymous(std::ptr::null_mut(), bytes, protection, MapFlags::SHARED)? };
        let memory = NonNull::new(memory.cast()).ok_or_else(too_large)?;
        Ok(Table { mapping: Arc::new(Mapping { memory, bytes }), rows })
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// One of its rows.
    #[expect(unsafe_code, reason = "a row is found by where it lies")]
    pub(crate) fn row(&self, number: usize) -> Row<N> {
        assert!(number < self.rows, "row {number} of {}", self.rows);
        // SAFETY: the mapping has room for `rows` rows, begins at a page, so it is aligned for
        // them, and was zeros, which is a value for atomics. It lives as long as the owner.
        let numbers = unsafe { self.mapping.memory.cast::<[AtomicU64; N]>().add(number) };
        Row { numbers, _owner: Owner::Table(Arc::clone(&self.mapping)) }
    }
}

impl Drop for Mapping {
    #[expect(unsafe_code, reason = "memory is given back as it was taken")]
    fn drop(&mut self) {
        // SAFETY: it was mapped with this size, and no row is left that points into it: each holds
        // the mapping.
        let unmapped = unsafe { munmap(self.memory.as_ptr().cast(), self.bytes) };
        debug_assert!(unmapped.is_ok(), "what was mapped can be unmapped");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    #[test]
    fn a_row_outlives_its_table_and_is_shared_by_its_clones() {
        let table = Table::<3>::new(5).unwrap();
        let (row, again, other) = (table.row(4), table.row(4), table.row(3));
        assert!(row.is_same(&again) && !row.is_same(&other) && row.is_same(&row.clone()));
        drop(table);
        row[2].store(7, Ordering::Relaxed);
        assert_eq!(again[2].load(Ordering::Relaxed), 7);
        assert_eq!(other[2].load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_row_of_its_own_is_zeros() {
        let row = Row::<2>::new();
        let again = row.clone();
        row[1].store(1, Ordering::Relaxed);
        assert_eq!((again[0].load(Ordering::Relaxed), again[1].load(Ordering::Relaxed)), (0, 1));
    }
}
