//! Parcels: what travels on a timely channel, blocks and marks in order.
//!
//! timely's progress tracking counts what a container holds, before and after a distributor has split it. A
//! block may be cut into pieces, coalesced with others or copied to every worker, so rows would not
//! balance. Instead every item leaves its producer with a **weight** of one unit per worker, and a
//! distributor shares that weight among the pieces it makes. Invariant: the weights of what comes
//! out of a distributor sum to the weights of what went in, and no item has weight 0.

use tidemill_core::TimeMs;
use tidemill_core::block::Block;
use timely::Accountable;
use timely::bytes::arc::Bytes;
use timely::dataflow::channels::ContainerBytes;

/// Something that happened at a sender, told to everyone behind it, in order with its blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// No more records at or before this event time.
    Watermark(TimeMs),
    /// The sender has nothing to say for the time being.
    Idle,
    /// Processing time has come to this.
    Clock(TimeMs),
}

/// A signal and who sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Worker index of the sender.
    pub(crate) sender: u32,
    /// What it says.
    pub(crate) signal: Signal,
}

/// A block or a mark.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Payload {
    /// Records.
    Block(Block),
    /// A signal.
    Mark(Mark),
}

/// A payload and its share of progress.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    /// See the module.
    pub(crate) weight: u32,
    /// What is carried.
    pub(crate) payload: Payload,
}

impl Item {
    /// Records carried.
    pub(crate) fn rows(&self) -> usize {
        match &self.payload {
            Payload::Block(block) => block.rows(),
            Payload::Mark(_) => 0,
        }
    }
}

/// The container of all our streams.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Parcel {
    /// In the order in which the sender produced them.
    pub(crate) items: Vec<Item>,
}

impl Accountable for Parcel {
    fn record_count(&self) -> i64 {
        self.items.iter().map(|i| i64::from(i.weight)).sum()
    }
}

const TAG_BLOCK: u32 = 0;
const TAG_WATERMARK: u32 = 1;
const TAG_IDLE: u32 = 2;
const TAG_CLOCK: u32 = 3;
/// Bytes before the payload: weight, tag, sender or 0, length of the block or 0.
const ITEM_HEADER: usize = 16;

impl ContainerBytes for Parcel {
    /// Only peers of the same release, over channels the host set up itself, send parcels.
    fn from_bytes(bytes: Bytes) -> Parcel {
        let mut items = Vec::new();
        let mut rest: &[u8] = &bytes;
        while rest.len() >= ITEM_HEADER {
            let word = |i: usize| u32::from_le_bytes(rest[4 * i..4 * i + 4].try_into().expect("four bytes"));
            let (weight, tag, sender, len) = (word(0), word(1), word(2), word(3) as usize);
            rest = &rest[ITEM_HEADER..];
            let (body, tail) = rest.split_at(len);
            rest = tail;
            let time = || TimeMs::from_le_bytes(body.try_into().expect("eight bytes of time"));
            let payload = match tag {
                TAG_BLOCK => Payload::Block(Block::from_peer(body.to_vec())),
                TAG_WATERMARK => Payload::Mark(Mark { sender, signal: Signal::Watermark(time()) }),
                TAG_IDLE => Payload::Mark(Mark { sender, signal: Signal::Idle }),
                _ => Payload::Mark(Mark { sender, signal: Signal::Clock(time()) }),
            };
            items.push(Item { weight, payload });
        }
        Parcel { items }
    }

    fn length_in_bytes(&self) -> usize {
        self.items.iter().map(|i| ITEM_HEADER + body(&i.payload).1).sum()
    }

    fn into_bytes<W: std::io::Write>(&self, writer: &mut W) {
        for item in &self.items {
            let (tag, len) = body(&item.payload);
            let (sender, time) = match &item.payload {
                Payload::Block(_) => (0, None),
                Payload::Mark(mark) => (
                    mark.sender,
                    match mark.signal {
                        Signal::Watermark(t) | Signal::Clock(t) => Some(t),
                        Signal::Idle => None,
                    },
                ),
            };
            let mut write = |bytes: &[u8]| writer.write_all(bytes).expect("timely sizes the buffer by length_in_bytes");
            for word in [item.weight, tag, sender, len as u32] {
                write(&word.to_le_bytes());
            }
            if let Payload::Block(block) = &item.payload {
                write(block.as_bytes());
            }
            if let Some(time) = time {
                write(&time.to_le_bytes());
            }
        }
    }
}

/// The tag of a payload and the length of its body, a multiple of 8.
fn body(payload: &Payload) -> (u32, usize) {
    match payload {
        Payload::Block(block) => (TAG_BLOCK, block.as_bytes().len()),
        Payload::Mark(Mark { signal: Signal::Watermark(_), .. }) => (TAG_WATERMARK, 8),
        Payload::Mark(Mark { signal: Signal::Idle, .. }) => (TAG_IDLE, 0),
        Payload::Mark(Mark { signal: Signal::Clock(_), .. }) => (TAG_CLOCK, 8),
    }
}
