/**
 * A component has no clock: two runs over the same input would differ. Without this, `Date.now()` would end the instance
 * without a word.
 */

const why = (what: string): never => {
  throw new Error(`${what}: a job has no clock of its own; a process function has ctx.now (processing time) and ctx.time (event time)`);
};

const RealDate = Date;

/** `Date` for given times only. */
function TimelessDate(this: unknown, ...args: unknown[]): Date {
  if (new.target === undefined) return why("Date()");
  if (args.length === 0) return why("new Date()");
  return Reflect.construct(RealDate, args, new.target === TimelessDate ? RealDate : new.target) as Date;
}

Object.defineProperties(TimelessDate, {
  name: { value: "Date" },
  prototype: { value: RealDate.prototype },
  UTC: { value: RealDate.UTC },
  parse: { value: RealDate.parse },
  now: { value: () => why("Date.now()") },
});
Object.defineProperty(RealDate.prototype, "constructor", { value: TimelessDate, writable: true, configurable: true });
Object.assign(globalThis, { Date: TimelessDate, performance: { now: () => why("performance.now()") } });
