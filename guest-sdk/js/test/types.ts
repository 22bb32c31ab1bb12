/** What the compiler accepts and what it refuses: each mistake is expected, and one that passed would be an error. Nothing here is run. */

import {
  aggregatingState,
  bigint64,
  count,
  defineJob,
  evictors,
  eventTimer,
  eventTtl,
  f64,
  generator,
  i64,
  jsonLines,
  listState,
  mapState,
  mean,
  minutes,
  monotonic,
  periodic,
  punctuated,
  record,
  reducingState,
  sessionBy,
  string,
  sum,
  triggers,
  tumbling,
  tuple,
  valueState,
  seconds,
  type Infer,
  type KeyedStream,
  type Source,
  type Stream,
} from "tidemill";

const Visit = record({ user: string, at: i64, big: bigint64, x: f64 });
type Visit = Infer<typeof Visit>;
const v: Visit = { user: "", at: 1, big: 1n, x: 1 };
// @ts-expect-error a field is missing
const w: Visit = { user: "", at: 1, big: 1n };
export default defineJob((job) => {
  const keyed = job.source("visits", Visit, jsonLines()).eventTime("at", monotonic()).keyBy("user");
  // @ts-expect-error not a time
  job.source("visits", Visit, jsonLines()).eventTime("user", monotonic());
  // @ts-expect-error not watermarks
  job.source("visits", Visit, jsonLines()).eventTime("at", 5);
  const p = keyed.process("count", {
    out: i64,
    state: {
      n: valueState(i64),
      l: listState(string),
      m: mapState(string, i64),
      since: valueState(i64, { ttl: eventTtl(minutes(1)) }),
      best: reducingState(Visit, (a, b) => (a.x > b.x ? a : b)),
      total: aggregatingState(Visit, sum("big")),
    },
    timers: { quiet: eventTimer() },
    sides: { bots: Visit },
    onRecord(ctx, visit) {
      const n: number | undefined = ctx.state.n.get();
      const s: string[] = ctx.state.l.get();
      const k: string = ctx.key;
      const m: number | undefined = ctx.state.m.get("a");
      const total: bigint | undefined = ctx.state.total.get();
      ctx.state.best.add(visit);
      // @ts-expect-error other record
      ctx.state.best.add(5);
      // @ts-expect-error other result
      const wrongTotal: number | undefined = ctx.state.total.get();
      const since: number | undefined = ctx.state.since.get();
      // @ts-expect-error wrong value
      ctx.state.n.set("x");
      // @ts-expect-error no such timer
      ctx.timers.loud.add(1);
      // @ts-expect-error no such state
      ctx.state.q.get();
      // @ts-expect-error wrong record
      ctx.emit("x");
      ctx.sides.bots.emit(visit);
      // @ts-expect-error wrong record
      ctx.sides.bots.emit(5);
      void [n, s, k, m, since, total, wrongTotal];
    },
    onTimer(ctx, event) {
      const name: "quiet" = event.name;
      void name;
      ctx.emit(1);
    },
  });
  p.sideOutput("bots").map("x", string, (b) => b.user);
  // @ts-expect-error no such side
  p.sideOutput("nots");
  const win = keyed.window(tumbling(minutes(1)));
  win.aggregate("a", sum("big"), bigint64, (w, s) => {
    const b: bigint = s;
    const k: string = w.key;
    void k;
    return b;
  });
  win.aggregate("b", mean("x"), f64, (_, s) => {
    const b: number = s;
    return b;
  });
  win.aggregate("c", count(), f64, (_, s) => {
    const b: number = s;
    return b;
  });
  // @ts-expect-error text has no mean
  win.aggregate("d", mean("user"), f64, (_, s) => 1);
  // @ts-expect-error other result
  win.aggregate("e", mean("x"), string, (_, s) => s);
  keyed.sum("f", "big").map("g", bigint64, (r) => r.value);
  job
    .source("x", Visit, jsonLines())
    .keyBy("user", "at")
    .count("z")
    .map("zz", string, ({ key: [u, at], count }) => u + at + count);
  // @ts-expect-error other record
  job.source("x", Visit, jsonLines()).map("m", tuple(i64, string), () => [1, 2]);
  job
    .source("x", Visit, jsonLines())
    .map("m", tuple(i64, string), () => [1, "a"])
    .map("n", i64, ([n]) => n);
  keyed
    .window(tumbling(1))
    .fold(
      "o",
      { acc: tuple(f64, i64), start: () => [0, 0], add: ([x, n], r) => [x + r.x, n + 1], merge: ([x, n], [y, m]) => [x + y, n + m] },
      f64,
      (_, [x, n]) => x / n,
    );
  // @ts-expect-error a text has no mean
  aggregatingState(Visit, mean("user"));
  // @ts-expect-error a time-to-live has a domain
  valueState(i64, { ttl: minutes(1) });
  // @ts-expect-error no such field
  job.source("x", Visit, jsonLines()).keyBy("nope");
  keyed
    .window(sessionBy("at"))
    .trigger(triggers.any(triggers.atEnd(), triggers.everyRecords(3)))
    .count("p");
  // @ts-expect-error no such field
  keyed.window(sessionBy("nope"));
  // @ts-expect-error a text is no gap
  keyed.window(sessionBy("user"));
  win.evictor(evictors.differingBy("x", 1.5)).process("q", f64, (_, all) => all.map((visit) => visit.x));
  win.evictor(evictors.by((times: readonly number[], visits: readonly Visit[]) => visits.map((visit) => visit.at - times[0]!)));
  // @ts-expect-error a text differs by no number
  win.evictor(evictors.differingBy("user", 1.5));
  // @ts-expect-error other records
  win.evictor(evictors.by((_, visits: readonly string[]) => visits.map(() => 1)));
  // @ts-expect-error no trigger
  win.trigger("at-watermark");
  win.triggerFunction({
    state: record({ seen: i64 }),
    start: () => ({ seen: 0 }),
    onRecord(window, visit) {
      const at: number = visit.at;
      window.state.seen += at;
      // @ts-expect-error no such state
      window.state.nope = 1;
      window.atEventTime(window.end);
      return "fire";
    },
    merge: (into, from) => ({ seen: into.seen + from.seen }),
  });
  // @ts-expect-error no such action
  win.triggerFunction({ state: i64, start: () => 0, onRecord: () => "explode", merge: (into: number) => into });
  const source = job.source("watched", Visit, jsonLines());
  source.assignEventTime(
    "w",
    ({ at }) => at,
    punctuated((visit, at) => (visit.user === "" ? at : undefined)),
  );
  source.assignEventTime(
    "x",
    ({ at }) => at,
    periodic(seconds(1), {
      start: () => 0,
      see: (noted, visit, at) => Math.max(noted, visit.at, at),
      say: (noted, now) => Math.min(noted, now),
    }),
  );
  source.assignEventTime(
    "y",
    ({ at }) => at,
    generator(() => ({ onEvent: (visit) => visit.at }), { every: seconds(1) }),
  );
  const lengths = punctuated((line: string) => line.length);
  // @ts-expect-error other records
  source.assignEventTime("z", ({ at }) => at, lengths);
  // @ts-expect-error a text is no watermark
  punctuated(() => "noon");
  // @ts-expect-error a source has the host's rules only
  source.eventTime("at", lengths);
  // @ts-expect-error union of two types
  job.source("x", Visit, jsonLines()).union("u", job.source("y", i64, jsonLines()));
  void [v, w];
});

// A stream of records of one type is a stream of what these records are besides, whatever made it.
const Animal = record({ name: string });
type Animal = Infer<typeof Animal>;
const Dog = record({ name: string, age: i64 });
type Dog = Infer<typeof Dog>;
function animals(..._streams: Stream<Animal>[]): void {}
function animalsByName(..._streams: KeyedStream<string, Animal>[]): void {}
export function covariance(dogs: Stream<Dog>, source: Source<Dog>, byName: KeyedStream<string, Dog>, any: Stream<Animal>): void {
  const older = (a: Dog, b: Dog): Dog => (a.age > b.age ? a : b);
  const windows = tumbling(seconds(1));
  animals(dogs, source);
  animalsByName(byName, dogs.keyBy("name"));
  animals(byName.reduce("oldest", older), byName.window(windows).reduce("oldest-of-all", older));
  animals(byName.window(windows).reduce("late", older).late(), byName.window(windows).minBy("youngest", "age").late());
  animals(byName.side("a").join(byName.side("b")).latest("table").unmatched("a"));
  animals(byName.coGroup(byName, windows).process("both", Dog, () => []));
  // @ts-expect-error not every animal is a dog
  const wrong: Stream<Dog> = any;
  // @ts-expect-error nor behind a key
  const wrongByName: KeyedStream<string, Dog> = any.keyBy("name");
  // @ts-expect-error a key is still what it is
  const otherKey: KeyedStream<number, Dog> = byName;
  // @ts-expect-error also where fields make it
  const otherField: KeyedStream<string, Dog> = dogs.keyBy("age");
  void [wrong, wrongByName, otherKey, otherField];
}
