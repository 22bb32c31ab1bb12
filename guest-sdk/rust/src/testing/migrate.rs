//! An operator goes on with what an earlier version of it has kept: what a restore does with state that the component migrates.

use super::engine::Engine;
use crate::plan::{Kind, Process, State};
use crate::runtime::is_stamp;
use crate::schema::{Column, Schema};

impl Engine {
    /// Takes over keys, state, timers and time of an operator of an earlier version.
    pub(super) fn migrate(&mut self, id: usize, earlier: &mut Engine, from: usize) {
        let (was, is) = (earlier.keyed(from), self.keyed(id));
        was.state.iter().for_each(|piece| fits(piece, &is.state));
        let (columns, names) = (columns(&was.state), |timer: u32| was.timers[timer as usize].name.clone());
        let number = |timer: u32| is.timers.iter().position(|t| t.name == names(timer)).map(|at| at as u32);

        let old = earlier.keeping[from].slots.all();
        let saved = earlier.instance.export_state(from as u32, &old).to_vec();
        let migrated = self.instance.migrate_state(id as u32, &columns.to_string(), &saved).map(<[u8]>::to_vec);
        let migrated = migrated.unwrap_or_else(|error| panic!("the state cannot be migrated: {error}"));

        let keeping = &mut self.keeping[id];
        let slots: Vec<u32> = earlier.keeping[from].slots.places().map(|place| keeping.slots.slot(place)).collect();
        keeping.timers.take_over(&earlier.keeping[from].timers, number);
        (self.watermarks[id], self.now) = (earlier.watermarks[from], earlier.now);
        let imported = self.instance.import_state(id as u32, &slots, &migrated);
        imported.unwrap_or_else(|error| panic!("the migrated state cannot be loaded: {error}"));
    }

    fn keyed(&self, id: usize) -> Process {
        match &self.plan(id).kind {
            Kind::Process(spec) => spec.clone(),
            _ => panic!("{:?} is no process function: it has no state that is migrated", self.plan(id).name),
        }
    }
}

/// A piece of state has to be what it was, or something that today's says it migrates.
fn fits(before: &State, now: &[State]) {
    let Some(today) = now.iter().find(|piece| piece.name == before.name) else { return };
    assert!(
        of(today) == of(before) || today.migrates.contains(&of(before)),
        "state {:?} was ({}) and is ({}): today's version does not migrate that",
        before.name,
        before.schema,
        today.schema
    );
}

/// The columns of a piece, without those that say when it was written: a time-to-live may come and go.
fn of(piece: &State) -> Schema {
    Schema { columns: piece.schema.columns.iter().filter(|column| !is_stamp(column)).cloned().collect() }
}

/// The columns of all pieces, as an export has them.
fn columns(pieces: &[State]) -> Schema {
    let of = |piece: &State| {
        let name = piece.name.clone();
        let columns = piece.schema.columns.clone().into_iter();
        columns.map(move |column| Column { name: format!("{name}.{}", column.name), optional: true, ..column })
    };
    Schema { columns: pieces.iter().flat_map(of).collect() }
}
