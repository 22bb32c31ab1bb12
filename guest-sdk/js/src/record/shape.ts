/** The shape of a record type: which values its columns make up. */

import type { CellKind } from "./cell.js";

/** A single value, an object of named parts, an array of parts, or one of these that may be absent as a whole. */
export type Shape = CellShape | ObjectShape | ArrayShape | MaybeShape;

/** A single value. */
export interface CellShape {
  readonly kind: "cell";
  readonly cell: CellKind;
  readonly optional: boolean;
}

/** An object. */
export interface ObjectShape {
  readonly kind: "object";
  readonly fields: readonly { readonly name: string; readonly shape: Shape }[];
}

/** An array; the empty one is `null`, the key of what has no key. */
export interface ArrayShape {
  readonly kind: "array";
  readonly items: readonly Shape[];
}

/** A shape whose value is `null` where all of its columns are absent. */
export interface MaybeShape {
  readonly kind: "maybe";
  readonly of: Shape;
}
