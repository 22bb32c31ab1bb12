//! Named things as a store or a disk keeps them: some durable and some not yet, some damaged, some deleted but still to be seen.

use std::collections::BTreeMap;

use crate::rng::Rng;

/// A thing on the shelf.
#[derive(Clone, Debug)]
pub struct Kept<V> {
    /// The thing.
    pub value: V,
    /// It survives a loss of power.
    pub synced: bool,
    /// Its bytes are not what was written.
    pub damaged: bool,
    /// When it came.
    since: u32,
}

/// A shelf of things with names.
#[derive(Clone, Debug)]
pub struct Shelf<K, V> {
    things: BTreeMap<K, Kept<V>>,
    /// Deleted, with when: a lagging listing may still show it, and a loss of power brings it back if it is marked as durable here,
    /// which says that it was and that its deletion is not.
    gone: Vec<(K, Kept<V>, u32)>,
}

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Shelf<K, V> {
        Shelf { things: BTreeMap::new(), gone: Vec::new() }
    }
}

impl<K: Ord + Clone, V> Shelf<K, V> {
    /// The thing of a name.
    pub fn get(&self, name: &K) -> Option<&Kept<V>> {
        self.things.get(name)
    }

    /// Damages the thing of a name, or mends it.
    pub fn damage(&mut self, name: &K, damaged: bool) {
        if let Some(kept) = self.things.get_mut(name) {
            kept.damaged = damaged;
        }
    }

    /// Puts a thing there, in place of any other.
    pub fn put(&mut self, name: K, value: V, synced: bool, now: u32) {
        self.things.insert(name, Kept { value, synced, damaged: false, since: now });
    }

    /// Takes a thing away. The deletion is durable or may be undone by a loss of power.
    pub fn delete(&mut self, name: &K, durably: bool, now: u32) -> Option<&Kept<V>> {
        let mut kept = self.things.remove(name)?;
        kept.synced &= !durably;
        self.gone.push((name.clone(), kept, now));
        self.gone.last().map(|(_, kept, _)| kept)
    }

    /// Takes a thing away, to be put elsewhere.
    pub fn take(&mut self, name: &K) -> Option<Kept<V>> {
        self.things.remove(name)
    }

    /// Puts a thing there as it was elsewhere.
    pub fn give(&mut self, name: K, kept: Kept<V>) {
        self.things.insert(name, kept);
    }

    /// Every name, in order.
    pub fn names(&self) -> impl Iterator<Item = &K> {
        self.things.keys()
    }

    /// Everything, in order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Kept<V>)> {
        self.things.iter()
    }

    /// The names that a listing shows which lags by so much: things that came since are not there yet, and things that went since still are.
    pub fn listed(&self, now: u32, lag: u32) -> Vec<K> {
        let known = self.things.iter().filter(|(_, kept)| kept.since + lag <= now).map(|(name, _)| name.clone());
        let mut listed: Vec<K> = known.collect();
        if lag == 0 {
            return listed;
        }
        let ghosts = self.gone.iter().filter(|(_, kept, went)| went + lag > now && kept.since + lag <= now);
        listed.extend(ghosts.map(|(name, _, _)| name.clone()));
        listed
    }

    /// Everything becomes durable.
    pub fn flush(&mut self) {
        self.things.values_mut().for_each(|kept| kept.synced = true);
        self.gone.iter_mut().for_each(|(_, kept, _)| kept.synced = false);
    }

    /// The power fails: of what is not durable some is lost, some torn, and some deletions have not happened.
    pub fn lose_power(&mut self, rng: &mut Rng) {
        self.things.retain(|_, kept| {
            let luck = if kept.synced { 3 } else { rng.below(4) };
            kept.damaged |= luck == 2;
            luck >= 2
        });
        for (name, mut kept, _) in std::mem::take(&mut self.gone) {
            if kept.synced && rng.permille(500) {
                kept.since = 0;
                self.things.entry(name).or_insert(kept);
            }
        }
    }
}
