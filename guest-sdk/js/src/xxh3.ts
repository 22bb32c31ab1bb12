/**
 * XXH3-64 with seed 0: the id of a schema and the hash of a key, the same in every language.
 *
 * Written with BigInt, which is slow and plain: a job hashes a few short schemas when it starts and nothing afterwards.
 */

const SECRET = bytesOf(
  "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c" +
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364" +
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e",
);
const MASK = 0xffff_ffff_ffff_ffffn;
const P32_1 = 0x9e37_79b1n;
const P32_2 = 0x85eb_ca77n;
const P32_3 = 0xc2b2_ae3dn;
const P64_1 = 0x9e37_79b1_85eb_ca87n;
const P64_2 = 0xc2b2_ae3d_27d4_eb4fn;
const P64_3 = 0x1656_67b1_9e37_79f9n;
const P64_4 = 0x85eb_ca77_c2b2_ae63n;
const P64_5 = 0x27d4_eb2f_1656_67c5n;
/** Bytes that one step of the long form takes, and after how many steps it scrambles. */
const STRIPE = 64;
const STRIPES_PER_BLOCK = 16;

function bytesOf(hex: string): DataView {
  const view = new DataView(new ArrayBuffer(hex.length / 2));
  for (let i = 0; i < view.byteLength; i++) view.setUint8(i, Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
  return view;
}

const u32 = (view: DataView, at: number): bigint => BigInt(view.getUint32(at, true));
const u64 = (view: DataView, at: number): bigint => view.getBigUint64(at, true);
const rotate = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (64n - by))) & MASK;

function swap(x: bigint): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, x, true);
  return view.getBigUint64(0, false);
}

/** Both halves of the 128-bit product, folded. */
function fold(a: bigint, b: bigint): bigint {
  const product = a * b;
  return (product & MASK) ^ (product >> 64n);
}

function avalanche(hash: bigint): bigint {
  let h = hash & MASK;
  h ^= h >> 37n;
  h = (h * 0x1656_6791_9e37_79f9n) & MASK;
  return h ^ (h >> 32n);
}

function avalanche64(hash: bigint): bigint {
  let h = hash & MASK;
  h ^= h >> 33n;
  h = (h * P64_2) & MASK;
  h ^= h >> 29n;
  h = (h * P64_3) & MASK;
  return h ^ (h >> 32n);
}

/** The hash of some bytes. */
export function xxh3(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length <= 16) return short(view);
  if (bytes.length <= 240) return middle(view);
  return long(view);
}

function short(view: DataView): bigint {
  const length = view.byteLength;
  if (length > 8) {
    const low = u64(view, 0) ^ u64(SECRET, 24) ^ u64(SECRET, 32);
    const high = u64(view, length - 8) ^ u64(SECRET, 40) ^ u64(SECRET, 48);
    return avalanche(BigInt(length) + swap(low) + high + fold(low, high));
  }
  if (length > 3) {
    let h = (u32(view, length - 4) + (u32(view, 0) << 32n)) ^ u64(SECRET, 8) ^ u64(SECRET, 16);
    h ^= rotate(h, 49n) ^ rotate(h, 24n);
    h = (h * 0x9fb2_1c65_1e98_df25n) & MASK;
    h ^= (h >> 35n) + BigInt(length);
    h = (h * 0x9fb2_1c65_1e98_df25n) & MASK;
    return h ^ (h >> 28n);
  }
  if (length > 0) {
    const [first, mid, last] = [view.getUint8(0), view.getUint8(length >> 1), view.getUint8(length - 1)];
    const combined = BigInt(((first << 16) | (mid << 24) | last | (length << 8)) >>> 0);
    return avalanche64(combined ^ u32(SECRET, 0) ^ u32(SECRET, 4));
  }
  return avalanche64(u64(SECRET, 56) ^ u64(SECRET, 64));
}

function mix(view: DataView, at: number, secret: number): bigint {
  return fold(u64(view, at) ^ u64(SECRET, secret), u64(view, at + 8) ^ u64(SECRET, secret + 8));
}

function middle(view: DataView): bigint {
  const length = view.byteLength;
  let acc = BigInt(length) * P64_1;
  if (length <= 128) {
    for (let i = (length - 1) >> 5; i >= 0; i--) {
      acc += mix(view, 16 * i, 32 * i) + mix(view, length - 16 * (i + 1), 32 * i + 16);
    }
    return avalanche(acc);
  }
  for (let i = 0; i < 8; i++) acc += mix(view, 16 * i, 16 * i);
  acc = avalanche(acc);
  for (let i = 8; i < length >> 4; i++) acc += mix(view, 16 * i, 16 * (i - 8) + 3);
  return avalanche(acc + mix(view, length - 16, 136 - 17));
}

function long(view: DataView): bigint {
  const length = view.byteLength;
  const acc = [P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1];
  const block = STRIPE * STRIPES_PER_BLOCK;
  const blocks = Math.floor((length - 1) / block);
  for (let n = 0; n < blocks; n++) {
    for (let i = 0; i < STRIPES_PER_BLOCK; i++) accumulate(acc, view, n * block + i * STRIPE, 8 * i);
    for (let i = 0; i < 8; i++) acc[i] = ((acc[i]! ^ (acc[i]! >> 47n) ^ u64(SECRET, 128 + 8 * i)) * P32_1) & MASK;
  }
  const stripes = Math.floor((length - 1 - block * blocks) / STRIPE);
  for (let i = 0; i < stripes; i++) accumulate(acc, view, blocks * block + i * STRIPE, 8 * i);
  accumulate(acc, view, length - STRIPE, SECRET.byteLength - STRIPE - 7);
  let hash = BigInt(length) * P64_1;
  for (let i = 0; i < 4; i++) hash += fold(acc[2 * i]! ^ u64(SECRET, 11 + 16 * i), acc[2 * i + 1]! ^ u64(SECRET, 19 + 16 * i));
  return avalanche(hash);
}

function accumulate(acc: bigint[], view: DataView, at: number, secret: number): void {
  for (let i = 0; i < 8; i++) {
    const value = u64(view, at + 8 * i);
    const keyed = value ^ u64(SECRET, secret + 8 * i);
    acc[i ^ 1] = (acc[i ^ 1]! + value) & MASK;
    acc[i] = (acc[i]! + (keyed & 0xffff_ffffn) * (keyed >> 32n)) & MASK;
  }
}
