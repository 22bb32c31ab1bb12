//! `datagen:` sources: made-up records, the same ones for the same options on every machine.

pub mod nexmark;
pub(crate) mod rows;

/// The splitmix64 generator: a few instructions, and a state that can be made from any number.
#[derive(Clone, Debug)]
struct SplitMix(u64);

/// The increment of splitmix64.
const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

impl SplitMix {
    /// The stream of numbers that belongs to one record.
    fn of(seed: u64, record: u64) -> SplitMix {
        let mut random = SplitMix(seed ^ record.wrapping_mul(GAMMA));
        random.next();
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    /// A number in 0..1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}
