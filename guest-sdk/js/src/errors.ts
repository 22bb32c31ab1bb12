/** What a job says when something is wrong: with its arguments, or with a record. */

/**
 * Thrown inside a function, refuses the record in hand: what the function did for it is undone, and the operator's error policy
 * (`onError`) decides whether the job fails, skips it, or sends it to the dead letters. Any other error is a bug: it ends the
 * instance, and the job fails with the record.
 */
export class Refusal extends Error {
  override readonly name: string = "Refusal";
}

/** Refuses the record in hand: throws a {@link Refusal}. */
export function refuse(message: string): never {
  throw new Refusal(message);
}

/** What is wrong with a job as it was built, or with its arguments. */
export class JobError extends Error {
  override readonly name: string = "JobError";
}
