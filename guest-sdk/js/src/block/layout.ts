/** Numbers of the block layout (`block.md` of the contract), and what is wrong with one. */

/** `TBLK` as a little-endian u32. */
export const MAGIC = 0x4b4c_4254;
/** The version of the layout. */
export const VERSION = 1;
/** Bytes in front of the column table. */
export const HEADER = 32;
/** Bytes of a row of the column table. */
export const COLUMN_ENTRY = 16;
/** Bytes of one block at most. */
export const BYTES_MAX = 64 * 1024 * 1024;
/** Rows of one block at most. */
export const ROWS_MAX = 1_048_576;
/** Columns of one block at most. */
export const COLUMNS_MAX = 1_024;

/** The next multiple of eight. */
export const pad8 = (length: number): number => (length + 7) & ~7;

/** Bytes that are no block, or another block than the reader's. */
export class BlockError extends Error {
  override readonly name = "BlockError";
}
