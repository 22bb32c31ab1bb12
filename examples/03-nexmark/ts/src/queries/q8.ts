/** q8, monitor new users: persons who opened an auction in the ten seconds in which they came, as `id,name,windowStart`. */

import {
  bool,
  i64,
  optional,
  record,
  seconds,
  string,
  tumbling,
  type Aggregate,
  type Infer,
  type Job,
} from "tidemill";

import { events, lines } from "../events.js";

const Person = record({ id: i64, name: string });

const Auction = record({ seller: i64 });

/** That a person came, with their name, or that they opened an auction, without. */
const Sign = record({ person: i64, name: optional(string) });
type Sign = Infer<typeof Sign>;

const NewSeller = record(
  { id: i64, name: string, windowStart: i64 },
  { columns: "snake_case" },
);

/** What a window knows of a person. */
const Signs = record({ name: optional(string), sells: bool });
type Signs = Infer<typeof Signs>;

/** Both signs of a person in a window: the name of who came and sells. */
const both: Aggregate<Sign, Signs, string | null> = {
  acc: Signs,
  start: () => ({ name: null, sells: false }),
  add: (signs, { name }) => ({
    name: signs.name ?? name,
    sells: signs.sells || name === null,
  }),
  merge: (into, from) => ({
    name: into.name ?? from.name,
    sells: into.sells || from.sells,
  }),
  finish: ({ name, sells }) => (sells ? name : null),
};

export function q8(job: Job): void {
  const source = events(job);
  const came = source
    .variant("person", Person)
    .map("came", Sign, ({ id, name }) => ({ person: id, name }));
  const sells = source
    .variant("auction", Auction)
    .map("sells", Sign, ({ seller }) => ({ person: seller, name: null }));
  came
    .union("signs", sells)
    .keyBy("person")
    .window(tumbling(seconds(10)))
    .aggregateFlat("new-sellers", both, NewSeller, (window, name, out) => {
      if (name !== null)
        out.emit({ id: window.key, name, windowStart: window.start });
    })
    .sink("results", lines());
}
