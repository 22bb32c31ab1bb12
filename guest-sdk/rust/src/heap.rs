//! The memory of a component: an allocator and a copy for short texts. The only module with `unsafe` code of ours.
//!
//! Records come and go by the million, and most of what they own is a short text. The allocator that Rust has for WebAssembly
//! takes some forty nanoseconds to make and free one; here a small block that is freed is kept on a **shelf** for the next one of its
//! size, which takes two or three. What a shelf keeps is bounded, and a block that finds no room goes back to the allocator behind,
//! so that memory does not stay divided as it once was used.

#![allow(unsafe_code)]
// Natively the allocator is that of the program around.
#![cfg_attr(not(any(target_arch = "wasm32", test)), allow(dead_code))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Sizes are rounded up to whole steps; a shelf holds blocks of one number of steps.
const STEP: usize = 16;
/// Shelves, and with them the largest block that is kept: 512 bytes.
const SHELVES: usize = 32;
/// Blocks on one shelf at most. All shelves together keep 2 MiB at most.
const KEPT_MAX: u32 = 256;
/// What the allocator behind gives without being asked; blocks of greater alignment are its own matter.
const ALIGN: usize = 8;

/// See the module. Of use where there is one thread.
pub(crate) struct Recycling {
    shelves: [Shelf; SHELVES],
}

/// Blocks of one size that wait for use, each holding the address of the next.
struct Shelf {
    first: Cell<*mut Kept>,
    count: Cell<u32>,
}

/// A block while it is on a shelf.
struct Kept {
    next: *mut Kept,
}

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: Recycling = Recycling::new();

// SAFETY: a component has one thread: the contract has no other and the host compiles without threads.
#[cfg(target_arch = "wasm32")]
unsafe impl Sync for Recycling {}

impl Recycling {
    pub(crate) const fn new() -> Recycling {
        Recycling { shelves: [const { Shelf { first: Cell::new(std::ptr::null_mut()), count: Cell::new(0) } }; SHELVES] }
    }
}

/// The shelf for blocks of this layout and the layout that all of them have; none for larger ones.
#[inline]
fn shelf(layout: Layout) -> Option<(usize, Layout)> {
    let steps = layout.size().div_ceil(STEP);
    if steps == 0 || steps > SHELVES || layout.align() > ALIGN {
        return None;
    }
    let whole = Layout::from_size_align(steps * STEP, ALIGN).ok()?;
    Some((steps - 1, whole))
}

// SAFETY: a block comes from `System` by the layout that `shelf` gives for it and goes back by the same one. Between the two it is
// with the caller or on one shelf, never both: `alloc` takes off the shelf what it gives, `dealloc` puts on it what the caller no longer uses.
unsafe impl GlobalAlloc for Recycling {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((index, whole)) = shelf(layout) else {
            // SAFETY: the caller's own promise about the layout.
            return unsafe { System.alloc(layout) };
        };
        let shelf = &self.shelves[index];
        let first = shelf.first.get();
        if first.is_null() {
            // SAFETY: `whole` is not empty.
            return unsafe { System.alloc(whole) };
        }
        // SAFETY: what is on a shelf is a block nobody uses, and `dealloc` has written a `Kept` into it.
        shelf.first.set(unsafe { (*first).next });
        shelf.count.set(shelf.count.get() - 1);
        first.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some((index, whole)) = shelf(layout) else {
            // SAFETY: such a block came from `System` by this layout.
            return unsafe { System.dealloc(block, layout) };
        };
        let shelf = &self.shelves[index];
        if shelf.count.get() == KEPT_MAX {
            // SAFETY: such a block came from `System` by `whole`.
            return unsafe { System.dealloc(block, whole) };
        }
        let kept: *mut Kept = block.cast();
        // SAFETY: the block is at least a step long, aligned to `ALIGN`, and the caller uses it no longer.
        unsafe { kept.write(Kept { next: shelf.first.get() }) };
        shelf.first.set(kept);
        shelf.count.set(shelf.count.get() + 1);
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size fits this alignment.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (shelf(layout), shelf(new)) {
            // SAFETY: both are `System`'s own.
            (None, None) => unsafe { System.realloc(block, layout, size) },
            (Some((old, _)), Some((new, _))) if old == new => block,
            _ => {
                // SAFETY: the caller's own promise about the layout.
                let moved = unsafe { self.alloc(new) };
                if !moved.is_null() {
                    // SAFETY: both blocks are that long, and a new block does not lie within another.
                    unsafe { std::ptr::copy_nonoverlapping(block, moved, layout.size().min(size)) };
                    // SAFETY: the caller gives the old block up when it gets a new one.
                    unsafe { self.dealloc(block, layout) };
                }
                moved
            }
        }
    }
}

/// Bytes up to which a copy is made here. A copy of a length that the compiler does not know is a call out of WebAssembly, which costs
/// more than copying a line of text does.
const SHORT: usize = 64;

/// Appends bytes.
#[inline]
pub(crate) fn append(out: &mut Vec<u8>, value: &[u8]) {
    let (from, count) = (value.as_ptr(), value.len());
    if count > SHORT {
        return out.extend_from_slice(value);
    }
    out.reserve(count);
    let old = out.len();
    // SAFETY: there is room for `count` bytes behind the old end, no part of the new vector is part of the value, and each arm reads and
    // writes inside of `count` bytes: the first and the last ones of a length that `count` is not below.
    unsafe {
        let to = out.as_mut_ptr().add(old);
        match count {
            33.. => both_ends::<32>(from, to, count),
            16.. => both_ends::<16>(from, to, count),
            8.. => both_ends::<8>(from, to, count),
            4.. => both_ends::<4>(from, to, count),
            2.. => both_ends::<2>(from, to, count),
            1 => to.write(from.read()),
            0 => {}
        }
        out.set_len(old + count);
    }
}

/// Copies the first and the last `N` bytes of `count`, which may be the same ones.
///
/// # Safety
/// `count` is `N` to `2 * N`, and so many bytes may be read at `from` and written at `to`.
#[inline]
unsafe fn both_ends<const N: usize>(from: *const u8, to: *mut u8, count: usize) {
    // SAFETY: the caller's own promise; a length known to the compiler makes this loads and stores.
    unsafe {
        let last = from.add(count - N).cast::<[u8; N]>().read();
        to.cast::<[u8; N]>().write(from.cast::<[u8; N]>().read());
        to.add(count - N).cast::<[u8; N]>().write(last);
    }
}

/// The text as a `String`, its bytes copied as [`append`] does.
#[inline]
pub(crate) fn owned(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    append(&mut bytes, text.as_bytes());
    // SAFETY: these are the bytes of a `str`.
    unsafe { String::from_utf8_unchecked(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its blocks back at the end, as a component's memory does by ending.
    impl Drop for Recycling {
        fn drop(&mut self) {
            for (index, shelf) in self.shelves.iter().enumerate() {
                let (_, whole) = super::shelf(Layout::from_size_align((index + 1) * STEP, 1).expect("a small layout")).expect("a shelf");
                while !shelf.first.get().is_null() {
                    // SAFETY: a block on this shelf is of this layout.
                    unsafe { System.dealloc(self.alloc(whole), whole) };
                }
            }
        }
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).expect("a layout")
    }

    #[test]
    fn a_freed_block_is_the_next_of_its_size() {
        let heap = Recycling::new();
        let (text, other) = (layout(17, 1), layout(33, 8));
        // SAFETY: every block is freed once by the layout it was made with.
        unsafe {
            let first = heap.alloc(text);
            heap.dealloc(first, text);
            let unlike = heap.alloc(other);
            assert_ne!(unlike, first);
            assert_eq!(heap.alloc(layout(32, 4)), first, "17 and 32 bytes are of one shelf");
            heap.dealloc(first, layout(32, 4));
            heap.dealloc(unlike, other);
        }
    }

    #[test]
    fn a_shelf_keeps_no_more_than_its_limit() {
        let heap = Recycling::new();
        let size = layout(STEP, 1);
        // SAFETY: as above.
        unsafe {
            let blocks: Vec<_> = (0..=KEPT_MAX).map(|_| heap.alloc(size)).collect();
            blocks.into_iter().for_each(|block| heap.dealloc(block, size));
        }
        assert_eq!(heap.shelves[0].count.get(), KEPT_MAX);
    }

    #[test]
    fn a_block_that_grows_and_shrinks_keeps_what_it_holds() {
        let heap = Recycling::new();
        let sizes = [1, 16, 17, 512, 513, 5_000, 600, 512, 40, 3];
        // SAFETY: the block is used by the size it has at the time.
        unsafe {
            let mut block = heap.alloc(layout(1, 1));
            block.write(42);
            for pair in sizes.windows(2) {
                block = heap.realloc(block, layout(pair[0], 1), pair[1]);
                assert_eq!(block.read(), 42, "{pair:?}");
                block.add(pair[1] - 1).write(if pair[1] == 1 { 42 } else { 7 });
            }
            heap.dealloc(block, layout(3, 1));
        }
    }

    #[test]
    fn large_and_aligned_blocks_are_not_kept() {
        assert!(shelf(layout(SHELVES * STEP, ALIGN)).is_some());
        assert!(shelf(layout(SHELVES * STEP + 1, 1)).is_none());
        assert!(shelf(layout(STEP, 2 * ALIGN)).is_none());
        assert!(shelf(layout(0, 1)).is_none());
    }

    #[test]
    fn what_is_appended_is_the_value() {
        let value: Vec<u8> = (1..=2 * SHORT as u8).collect();
        for count in 0..=value.len() {
            let mut out = vec![7];
            append(&mut out, &value[..count]);
            assert_eq!((out[0], &out[1..]), (7, &value[..count]), "{count} bytes");
        }
    }

    #[test]
    fn a_text_is_owned_whole() {
        for text in ["", "a", "water", "höher als gestern", &"ebb ".repeat(100)] {
            assert_eq!(owned(text), text);
        }
    }
}
