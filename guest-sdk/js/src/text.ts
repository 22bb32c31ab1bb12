/**
 * UTF-8 to strings and back, a column at a time.
 *
 * The engine inside a component has no `TextDecoder`, and a loop over bytes costs it about 25 ns a byte. What it has in native
 * code is base64 and `atob`, by which bytes become a string of one character a byte at less than a nanosecond each; a column that
 * turns out to be ASCII is then cut by its offsets and decoded no further. Where there are `TextDecoder` and `TextEncoder`, as in
 * Node, they are used.
 */

/** What the languages of the two hosts offer beyond ES2022. */
interface Native {
  TextEncoder?: new () => { encode(text: string): Uint8Array };
  TextDecoder?: new (label: string, options: { fatal: boolean; ignoreBOM: boolean }) => { decode(bytes: Uint8Array): string };
  atob(text: string): string;
  btoa(text: string): string;
  escape(text: string): string;
  unescape(text: string): string;
}

/** Arrays of bytes with base64, which the engine in a component has. */
type Base64Array = Uint8Array & { toBase64(): string };
type Base64Constructor = typeof Uint8Array & { fromBase64(text: string): Uint8Array };

/** A way to convert; two of them, so that both can be tested in one engine. */
export interface TextCodec {
  /** The bytes of a text; a surrogate without its other half becomes U+FFFD. */
  encode(text: string): Uint8Array;
  /** The bytes of many texts in one heap. */
  encodeAll(texts: readonly string[]): Heap;
  /** The text of some bytes; throws when they are not UTF-8. */
  decode(bytes: Uint8Array): string;
  /** The text of bytes that are ASCII. */
  ascii(bytes: Uint8Array): string;
}

/** The texts of a column in one heap. */
export interface Heap {
  readonly bytes: Uint8Array;
  /** The length of each value in bytes; absent when it is the number of its characters. */
  readonly lengths?: readonly number[];
}

const native = globalThis as unknown as Native;

/** By `TextEncoder` and `TextDecoder`. */
export function standardCodec(): TextCodec {
  const encoder = new native.TextEncoder!();
  const decoder = new native.TextDecoder!("utf-8", { fatal: true, ignoreBOM: true });
  const decode = (bytes: Uint8Array): string => decoder.decode(bytes);
  const encodeAll = (texts: readonly string[]): Heap => {
    const joined = texts.join("");
    const bytes = encoder.encode(joined);
    // Every character beyond ASCII takes more bytes than units, so equal lengths mean that there is none.
    if (bytes.length === joined.length) return { bytes };
    // Each by itself: two halves of a surrogate pair that only meet where values are joined must not become one character.
    const parts = texts.map((text) => encoder.encode(text));
    const heap = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      heap.set(part, at);
      at += part.length;
    }
    return { bytes: heap, lengths: parts.map((part) => part.length) };
  };
  return { encode: (text) => encoder.encode(text), encodeAll, decode, ascii: decode };
}

/** By base64, `escape` and the functions for parts of a URI. */
export function base64Codec(): TextCodec {
  const ascii = (bytes: Uint8Array): string => native.atob((bytes as Base64Array).toBase64());
  const decode = (bytes: Uint8Array): string => (isAscii(bytes) ? ascii(bytes) : decodeURIComponent(native.escape(ascii(bytes))));
  const bytesOf = (units: string): Uint8Array => (Uint8Array as Base64Constructor).fromBase64(native.btoa(units));
  const encode = (text: string): Uint8Array => asciiBytes(text, bytesOf) ?? bytesOf(utf8Units(text));
  const encodeAll = (texts: readonly string[]): Heap => {
    const bytes = asciiBytes(texts.join(""), bytesOf);
    if (bytes !== undefined) return { bytes };
    const units = texts.map(utf8Units);
    return { bytes: bytesOf(units.join("")), lengths: units.map((part) => part.length) };
  };
  return { encode, encodeAll, decode, ascii };
}

/** The bytes of a text, if it is ASCII. `btoa` throws at the first character above 0xff. */
function asciiBytes(text: string, bytesOf: (units: string) => Uint8Array): Uint8Array | undefined {
  try {
    const bytes = bytesOf(text);
    return isAscii(bytes) ? bytes : undefined;
  } catch {
    return undefined;
  }
}

/** A string of one character for each byte that a text has in UTF-8. */
function utf8Units(text: string): string {
  try {
    return native.unescape(encodeURIComponent(text));
  } catch {
    const wellFormed = text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
    return native.unescape(encodeURIComponent(wellFormed));
  }
}

const codec = native.TextDecoder === undefined ? base64Codec() : standardCodec();

/** The bytes of a text. */
export function encodeText(text: string): Uint8Array {
  return codec.encode(text);
}

/** The text of some bytes; throws when they are not UTF-8. */
export function decodeText(bytes: Uint8Array): string {
  return codec.decode(bytes);
}

/** Encodes a column of texts. */
export function encodeTexts(texts: readonly string[]): Heap {
  return codec.encodeAll(texts);
}

/** Whether no byte is above 0x7f. Words are looked at rather than bytes, several in one step of the interpreter. */
export function isAscii(bytes: Uint8Array): boolean {
  const aligned = (bytes.byteOffset & 3) === 0;
  const words = aligned ? bytes.length >> 2 : 0;
  if (words > 0) {
    const view = new Int32Array(bytes.buffer, bytes.byteOffset, words);
    let all = 0;
    let i = 0;
    for (; i + 8 <= words; i += 8) {
      all |= view[i]! | view[i + 1]! | view[i + 2]! | view[i + 3]! | view[i + 4]! | view[i + 5]! | view[i + 6]! | view[i + 7]!;
    }
    for (; i < words; i++) all |= view[i]!;
    if ((all & 0x80808080) !== 0) return false;
  }
  for (let i = words << 2; i < bytes.length; i++) if (bytes[i]! > 0x7f) return false;
  return true;
}

/** A column of texts, opened: gives the text of a row. */
export type Texts = (row: number) => string;

/** Opens a column of texts by its heap and offsets. */
export function openTexts(heap: Uint8Array, offsets: Uint32Array, by: TextCodec = codec): Texts {
  if (isAscii(heap)) {
    const all = by.ascii(heap);
    return (row) => all.substring(offsets[row]!, offsets[row + 1]!);
  }
  return (row) => by.decode(heap.subarray(offsets[row]!, offsets[row + 1]!));
}
