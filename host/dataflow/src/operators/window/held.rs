//! What windows are open, and what they wait for.
//!
//! Only those count that will fire without another record, or would with one: a window that has fired and is kept for late records
//! waits for nothing.

use tidemill_core::TimeMs;
use tidemill_core::explain::Held;
use tidemill_core::plan::Domain;

use super::triggered::{Decides, NEVER, Open, Triggered, place};
use super::{Kept, WindowOperator};

/// Windows that were looked at one by one, or so many of a kind at once.
#[derive(Default)]
pub(super) struct OpenWindows {
    held: Held,
}

impl OpenWindows {
    /// So many windows fire at this time in a domain, or at none.
    pub(super) fn add(&mut self, count: u64, domain: Domain, fires: Option<TimeMs>) {
        self.held.windows += count;
        let earliest = match domain {
            Domain::Event => &mut self.held.closes,
            Domain::Processing => &mut self.held.closes_by_clock,
        };
        match fires.filter(|_| count > 0) {
            Some(time) => *earliest = Some(earliest.map_or(time, |known| known.min(time))),
            None => self.held.untimed += count,
        }
    }
}

impl WindowOperator {
    /// See the module.
    pub(super) fn open_windows(&self) -> Held {
        let mut open = OpenWindows::default();
        // A window of processing time fires when the clock has left its last millisecond.
        let fires = |last: TimeMs| if self.domain == Domain::Event { last } else { last.saturating_add(1) };
        match &self.kept {
            Kept::Aligned(aligned) => aligned.each_open(|count, last| open.add(count, self.domain, Some(fires(last)))),
            Kept::Session(sessions) => sessions.each_open(|last| open.add(1, self.domain, Some(fires(last)))),
            Kept::Counted(counted) => counted.each_open(|domain, due| open.add(1, domain, due)),
            Kept::Triggered(triggered) => triggered.each_open(&mut open),
        }
        open.held
    }
}

impl Triggered {
    /// The windows that have records which they have not fired with, and those that fire at their end whatever comes.
    fn each_open(&self, open: &mut OpenWindows) {
        let windows = self.keys.iter().flat_map(|(.., windows)| windows).filter(|window| window.filled);
        windows.for_each(|window| {
            let [event, clock] = [Domain::Event, Domain::Processing].map(|domain| self.fires(window, domain));
            match (event, clock) {
                (None, _) if !window.fresh => {}
                (Some(_), Some(_)) => {
                    open.add(1, Domain::Event, event);
                    open.held.windows -= 1;
                    open.add(1, Domain::Processing, clock);
                }
                (Some(_), None) => open.add(1, Domain::Event, event),
                (None, clock) => open.add(1, Domain::Processing, clock),
            }
        });
    }

    /// When a window may fire next in a domain, without another record.
    fn fires(&self, window: &Open, domain: Domain) -> Option<TimeMs> {
        match &self.decides {
            Decides::Host { machine, .. } => machine.due(&window.marks, &window.window, domain),
            Decides::Guest => Some(window.marks[place(domain)]),
        }
        .filter(|due| *due != NEVER)
    }
}
