//! `datagen:nexmark`: the events of an online auction as JSON lines, after the public Nexmark benchmark.
//!
//! Of 50 events 1 is a person, 3 are auctions and 46 are bids; an event is about 217 bytes. One in ten arrives up to 3 s late.
//! The bytes depend on the options alone: published results were computed over exactly these lines.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;

use tidemill_core::connect::{Error, Polled, Reader, Source, SplitTime, Waker};
use tidemill_core::plan::Format;
use tidemill_core::{TIME_MIN, TimeMs};

use super::SplitMix;
use crate::decode::{Chunk, Decoder, Layout};
use crate::url::Url;

/// Events when the URL does not say how many.
const EVENTS: u64 = 100_000;
/// Events per second of event time when the URL does not say.
const EVENT_RATE: u64 = 1_000;
/// The seed when the URL gives none.
const SEED: u64 = 42;
/// Lines that one worker renders in a row: few enough that workers stay close in event time.
const RUN_LINES: u64 = 2_000;

/// 2015-07-15T00:00:00Z, the time of the first event.
const BASE_MS: u64 = 1_436_918_400_000;
/// The most an event is late.
const DELAY_US_MAX: u64 = 3_000_000;
/// Told from the seed of the events, so that lateness is independent of content.
const DELAY_SEED: u64 = 0xD15_0DE4;

const FIRST_NAMES: [&str; 11] = ["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"];
const LAST_NAMES: [&str; 9] = ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];
const CITIES: [&str; 10] =
    ["Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"];
const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];
const SYLLABLES: [&str; 22] =
    ["ba", "ko", "ri", "ne", "tu", "sa", "me", "lo", "vi", "da", "pe", "zu", "ha", "gi", "fo", "ny", "wa", "xe", "qu", "cy", "ju", "ol"];
/// Three-syllable words: 22 to the power of 3.
const WORDS: f64 = 10_648.0;

/// Writes the lines of `events` events at `rate` events per second of event time.
///
/// # Errors
/// Whatever `out` says, and an invalid input when `rate` is 0.
pub fn write(events: u64, rate: u64, seed: u64, out: &mut dyn io::Write) -> io::Result<()> {
    if rate == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the event rate must be above 0"));
    }
    let events = Events { events, rate, seed };
    let mut line = Vec::new();
    for id in events.arrivals() {
        line.clear();
        events.render(id, &mut line);
        out.write_all(&line)?;
    }
    Ok(())
}

/// All that the events depend on.
#[derive(Clone, Copy, Debug)]
struct Events {
    events: u64,
    rate: u64,
    seed: u64,
}

/// The ids of the events in the order in which they arrive.
#[derive(Debug)]
struct Arrivals {
    of: Events,
    /// The next event that has not been made.
    next: u64,
    /// Arrival in microseconds and id of events made but not arrived: at most [`DELAY_US_MAX`] of event time.
    waiting: BinaryHeap<Reverse<(u64, u64)>>,
}

impl Iterator for Arrivals {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        while self.next < self.of.events {
            let time = self.next * 1_000_000 / self.of.rate;
            if let Some(&Reverse((arrival, id))) = self.waiting.peek()
                && arrival < time
            {
                self.waiting.pop();
                return Some(id);
            }
            let mut random = SplitMix::of(self.of.seed ^ DELAY_SEED, self.next);
            let delay = if random.below(10) == 0 { random.below(DELAY_US_MAX) } else { 0 };
            self.waiting.push(Reverse((time + delay, self.next)));
            self.next += 1;
        }
        self.waiting.pop().map(|Reverse((_, id))| id)
    }
}

/// The id of the newest person when event `id` happens, counted from 0.
fn last_person(id: u64) -> u64 {
    id / 50
}

/// The id of the newest auction when event `id` happens, counted from 0.
fn last_auction(id: u64) -> u64 {
    match (id / 50, id % 50) {
        (0, 0) => 0,
        (epoch, 0) => (epoch - 1) * 3 + 2,
        (epoch, offset @ 1..4) => epoch * 3 + offset - 1,
        (epoch, _) => epoch * 3 + 2,
    }
}

/// One of the people who are active when event `id` happens.
fn some_person(random: &mut SplitMix, id: u64) -> u64 {
    let last = last_person(id);
    let active = (last + 1).min(1000);
    last + 1 - active + random.below(active + 10)
}

/// One of the auctions that are open when event `id` happens.
fn some_auction(random: &mut SplitMix, id: u64) -> u64 {
    let last = last_auction(id);
    let first = last.saturating_sub(100);
    first + random.below(last - first + 1 + 10)
}

fn price(random: &mut SplitMix) -> u64 {
    (10f64.powf(random.unit() * 6.0) * 100.0).round() as u64
}

fn pick<'a>(random: &mut SplitMix, from: &[&'a str]) -> &'a str {
    from[random.below(from.len() as u64) as usize]
}

fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn put_number(out: &mut Vec<u8>, key: &str, number: u64) {
    put(out, key);
    put(out, itoa::Buffer::new().format(number));
}

fn put_letters(out: &mut Vec<u8>, random: &mut SplitMix, count: usize) {
    for _ in 0..count {
        out.push(b'a' + random.below(26) as u8);
    }
}

fn put_words(out: &mut Vec<u8>, random: &mut SplitMix, count: usize) {
    for index in 0..count {
        if index > 0 {
            out.push(b' ');
        }
        let unit = random.unit();
        let word = (unit * unit * unit * WORDS) as usize;
        put(out, SYLLABLES[word % 22]);
        put(out, SYLLABLES[word / 22 % 22]);
        put(out, SYLLABLES[word / 484 % 22]);
    }
}

impl Events {
    fn arrivals(self) -> Arrivals {
        Arrivals { of: self, next: 0, waiting: BinaryHeap::new() }
    }

    /// Appends the line of an event.
    fn render(&self, id: u64, out: &mut Vec<u8>) {
        let mut random = SplitMix::of(self.seed, id);
        let time = BASE_MS + id * 1000 / self.rate;
        match id % 50 {
            0 => person(&mut random, id, time, out),
            1..4 => self.auction(&mut random, id, time, out),
            _ => bid(&mut random, id, time, out),
        }
    }

    fn auction(&self, random: &mut SplitMix, id: u64, time: u64, out: &mut Vec<u8>) {
        let hot = random.below(4) > 0;
        let seller = 1000 + if hot { last_person(id) / 100 * 100 } else { some_person(random, id) };
        let initial = price(random);
        // When about 100 further auctions will have been opened.
        let horizon = (100 * 50 / 3) * 1000 / self.rate;
        let expires = time + 1 + random.below((horizon * 2).max(1));
        put_number(out, "{\"type\":\"auction\",\"id\":", 1000 + last_auction(id));
        put(out, ",\"itemName\":\"");
        put_words(out, random, 3);
        put(out, "\",\"description\":\"");
        put_words(out, random, 12);
        put_number(out, "\",\"initialBid\":", initial);
        put_number(out, ",\"reserve\":", initial + price(random));
        put_number(out, ",\"dateTime\":", time);
        put_number(out, ",\"expires\":", expires);
        put_number(out, ",\"seller\":", seller);
        put_number(out, ",\"category\":", 10 + random.below(5));
        put(out, ",\"extra\":\"");
        put_words(out, random, 10);
        put(out, "\"}\n");
    }
}

fn person(random: &mut SplitMix, id: u64, time: u64, out: &mut Vec<u8>) {
    let state = pick(random, &STATES);
    put_number(out, "{\"type\":\"person\",\"id\":", 1000 + last_person(id));
    put(out, ",\"name\":\"");
    put(out, pick(random, &FIRST_NAMES));
    out.push(b' ');
    put(out, pick(random, &LAST_NAMES));
    put(out, "\",\"emailAddress\":\"");
    put_letters(out, random, 7);
    out.push(b'@');
    put_letters(out, random, 5);
    put(out, ".com\",\"creditCard\":\"");
    for group in 0..4 {
        if group > 0 {
            out.push(b' ');
        }
        let digits = random.below(10_000);
        out.extend([1000, 100, 10, 1].map(|place| b'0' + (digits / place % 10) as u8));
    }
    put(out, "\",\"city\":\"");
    put(out, pick(random, &CITIES));
    put(out, "\",\"state\":\"");
    put(out, state);
    put_number(out, "\",\"dateTime\":", time);
    put(out, ",\"extra\":\"");
    put_words(out, random, 8);
    put(out, "\"}\n");
}

fn bid(random: &mut SplitMix, id: u64, time: u64, out: &mut Vec<u8>) {
    let hot = random.below(2) > 0;
    let auction = 1000 + if hot { last_auction(id) / 100 * 100 } else { some_auction(random, id) };
    let hot = random.below(4) > 0;
    let bidder = 1000 + if hot { last_person(id) / 100 * 100 + 1 } else { some_person(random, id) };
    put_number(out, "{\"type\":\"bid\",\"auction\":", auction);
    put_number(out, ",\"bidder\":", bidder);
    put_number(out, ",\"price\":", price(random));
    put(out, ",\"channel\":\"");
    if random.below(2) > 0 {
        put(out, pick(random, &HOT_CHANNELS));
    } else {
        put_number(out, "channel-", random.below(10_000));
    }
    put(out, "\",\"url\":\"https://www.nexmark.com/");
    put_letters(out, random, 5);
    out.push(b'/');
    put_letters(out, random, 5);
    put_number(out, "/item.htm?query=1\",\"dateTime\":", time);
    put(out, ",\"extra\":\"");
    put_words(out, random, 4);
    put(out, "\"}\n");
}

struct NexmarkSource {
    events: Events,
    layout: Arc<Layout>,
}

/// The options beside those of every source.
pub(crate) const OPTIONS: [&str; 3] = ["events", "event-rate", "seed"];

pub(crate) fn open_source(url: &Url, layout: Arc<Layout>, format: Format) -> Result<Arc<dyn Source>, Error> {
    if format != Format::Json {
        return Err(url.wrong("nexmark events are JSON; add format=json or change the plan"));
    }
    let events = url.number("events")?.unwrap_or(EVENTS);
    let rate = url.positive("event-rate")?.unwrap_or(EVENT_RATE);
    let seed = url.number("seed")?.unwrap_or(SEED);
    if events > u64::MAX / 1_000_000 {
        return Err(url.wrong("so many events have no event time in 64 bits"));
    }
    Ok(Arc::new(NexmarkSource { events: Events { events, rate, seed }, layout }))
}

impl Source for NexmarkSource {
    fn reader(&self, worker: usize, peers: usize, _waker: Waker) -> Result<Box<dyn Reader>, Error> {
        Ok(Box::new(NexmarkReader {
            events: self.events,
            arrivals: self.events.arrivals(),
            run: 0,
            worker: worker as u64,
            peers: peers.max(1) as u64,
            decoder: Decoder::new(&self.layout, Format::Json),
            chunk: Chunk::default(),
            splits: [SplitTime { max_time: TIME_MIN, ended: false }],
        }))
    }

    fn bounded(&self) -> bool {
        true
    }
}

/// Follows the order of all events, which is cheap, and renders the runs whose turn is this worker's. All workers read one split:
/// what a worker renders later has arrived later.
struct NexmarkReader {
    events: Events,
    arrivals: Arrivals,
    /// The next run of [`RUN_LINES`].
    run: u64,
    worker: u64,
    peers: u64,
    decoder: Decoder,
    chunk: Chunk,
    splits: [SplitTime; 1],
}

impl NexmarkReader {
    /// Renders this worker's next run; nothing is left when the chunk stays empty.
    fn render(&mut self) {
        self.chunk.base += self.chunk.end as u64;
        (self.chunk.at, self.chunk.end) = (0, 0);
        self.chunk.bytes.clear();
        while self.run % self.peers != self.worker {
            self.run += 1;
            if self.arrivals.by_ref().take(RUN_LINES as usize).count() < RUN_LINES as usize {
                return;
            }
        }
        self.run += 1;
        for id in self.arrivals.by_ref().take(RUN_LINES as usize) {
            self.events.render(id, &mut self.chunk.bytes);
        }
        self.chunk.end = self.chunk.bytes.len();
        self.chunk.check();
    }
}

impl Reader for NexmarkReader {
    fn poll(&mut self, rows: usize) -> Result<Polled, Error> {
        if self.chunk.is_empty() {
            self.render();
        }
        if self.chunk.is_empty() {
            self.splits[0].ended = true;
            return Ok(Polled::Ended);
        }
        let input = "datagen:nexmark";
        self.decoder.decode(&mut self.chunk, rows).map_err(|bad| bad.error(input, None))?;
        let (batch, time) = self.decoder.take(0, input, |_| None);
        self.observe(0, time);
        Ok(Polled::Batch(batch))
    }

    fn splits(&self) -> &[SplitTime] {
        &self.splits
    }

    fn observe(&mut self, split: usize, max_time: TimeMs) {
        let known = &mut self.splits[split].max_time;
        *known = max_time.max(*known);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::testing;
    use proptest::prelude::*;
    use xxhash_rust::xxh3::xxh3_64;

    fn written(events: u64, rate: u64, seed: u64) -> Vec<u8> {
        let mut out = Vec::new();
        write(events, rate, seed, &mut out).unwrap();
        out
    }

    #[test]
    fn the_bytes_are_those_of_the_published_generator() {
        let digests = [(100_000, 1_000, 42), (200_000, 1_000_000, 7), (60, 1, 3)].map(|(n, rate, seed)| xxh3_64(&written(n, rate, seed)));
        assert_eq!(digests, [2_920_528_096_159_817_739, 10_283_655_634_158_173_415, 7_149_596_402_613_256_960]);
        let first = written(1, 1_000, 42);
        assert!(first.starts_with(br#"{"type":"person","id":1000,"name":"John Shultz","emailAddress":"wfuiqfm@nnrfc.com","#));
    }

    #[test]
    fn a_rate_of_nothing_is_refused() {
        assert_eq!(write(1, 0, 1, &mut Vec::new()).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Every event comes out once, and no worker is told of a time that a record of its own falls more than the delay behind.
        #[test]
        fn workers_share_the_events(events in 0u64..9_000, peers in 1usize..5, rows in 1usize..3_000, picks in proptest::collection::vec(0usize..4, 64)) {
            let operator = testing::source("url:string,dateTime:i64", "json", r#""tag":"type","time":"dateTime""#, "fail");
            let mut operator = operator;
            operator.outputs[0].variant = Some("bid".to_owned());
            let source = crate::open_source(&format!("datagen:nexmark?events={events}&event-rate=1000&seed=5"), &operator).unwrap();
            let mut readers: Vec<_> = (0..peers).map(|w| Some(source.reader(w, peers, Arc::new(|| {})).unwrap())).collect();
            let mut counts: HashMap<String, i32> = HashMap::new();
            let mut records = 0;
            let mut turn = picks.iter().cycle();
            while readers.iter().any(Option::is_some) {
                let worker = turn.next().unwrap() % peers;
                let worker = (worker..worker + peers).map(|w| w % peers).find(|&w| readers[w].is_some()).unwrap();
                let reader = readers[worker].as_mut().unwrap();
                let known = reader.splits()[0].max_time;
                match reader.poll(rows).unwrap() {
                    Polled::Batch(batch) => {
                        records += batch.records;
                        for (_, block) in &batch.blocks {
                            prop_assert!(block.times().iter().all(|t| t >= known.saturating_sub(DELAY_US_MAX as i64 / 1000)));
                            testing::lines(block).into_iter().for_each(|l| *counts.entry(l).or_default() += 1);
                        }
                    }
                    _ => {
                        prop_assert!(reader.splits()[0].ended);
                        readers[worker] = None;
                    }
                }
            }
            prop_assert_eq!(records, events);
            for line in written(events, 1_000, 5).split(|&b| b == b'\n').filter(|l| l.starts_with(b"{\"type\":\"bid\"")) {
                let bid: serde_json::Value = serde_json::from_slice(line).unwrap();
                *counts.entry(format!("{}|{}", bid["url"].as_str().unwrap(), bid["dateTime"])).or_default() -= 1;
            }
            prop_assert!(counts.values().all(|&n| n == 0));
        }
    }
}
