/* Tidemill for C: the one source file. SPDX-License-Identifier: Apache-2.0
 *
 * Compile it together with the job; tidemill.h says what it offers. Natively (for tests) it needs nothing but C11 and a C library; in a
 * component it is also what answers the calls of the contract (section 14).
 *
 *    1 memory            buffers that grow, and the arena of the record in hand
 *    2 texts             UTF-8, words, comparing
 *    3 hashing           XXH3-64
 *    4 schemas           records as columns
 *    5 reading blocks    opening, checking, rows as structs
 *    6 writing blocks
 *    7 the job           nodes of the graph, arguments, what is wrong with them
 *    8 streams           the functions that add operators
 *    9 the plan          the graph as a document
 *   10 state             tables by slot, undoing, export
 *   11 calls             log, refusals, ports, chains
 *   12 context           what functions call: emitting, state, timers
 *   13 an instance       the calls of the contract
 *   14 the component     exports, imports, standard output, assert
 *
 * Promises: user code runs between begin_stage and end_stage, so that whatever it did for a refused record can be taken back; state
 * is plain structs at the index of its slot and becomes bytes only in an export.
 */
#include "tidemill.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "blocks are little-endian and read in place"
#endif

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* ==== 1 memory ================================================================================================ */

typedef struct buffer {
    uint8_t *at;
    size_t len, room;
} buffer;

static void *checked(void *memory) {
    if (!memory) tdm_abort("out of memory");
    return memory;
}

static void enlarge(buffer *b, size_t more) {
    size_t room = b->room ? b->room : 64;
    while (room - b->len < more) room *= 2;
    b->at = checked(realloc(b->at, room));
    b->room = room;
}

static inline uint8_t *reserve(buffer *b, size_t more) {
    if (!b->at || b->room - b->len < more) enlarge(b, more);
    return b->at + b->len;
}

/* memcpy for what is mostly short: a copy of a length that the compiler does not know is a call, which costs more in a component than
 * copying a line of text does. The ends of a piece may overlap, so that a few loads and stores do for all lengths of their class. */
static inline void copy(void *to, const void *from, size_t len) {
    uint8_t *t = to;
    const uint8_t *f = from;
#define ENDS(n) (void)(memcpy(t, f, n), memcpy(t + len - (n), f + len - (n), n))
    if (len > 64) memcpy(t, f, len);
    else if (len > 32) ENDS(32);
    else if (len >= 16) ENDS(16);
    else if (len >= 8) ENDS(8);
    else if (len >= 4) ENDS(4);
    else if (len >= 2) ENDS(2);
    else if (len) *t = *f;
#undef ENDS
}

/* The same for zeros; `to` is aligned as structs are, and so is the length. */
static inline void zero(void *to, size_t len) {
    uint64_t *t = to;
    if (len > 128 || len % 8) memset(to, 0, len);
    else
        for (size_t i = 0; i < len / 8; i++) t[i] = 0;
}

static void *append(buffer *b, const void *bytes, size_t len) {
    uint8_t *at = reserve(b, len);
    copy(at, bytes, len);
    b->len += len;
    return at;
}

static void append_zeros(buffer *b, size_t len) {
    memset(reserve(b, len), 0, len);
    b->len += len;
}

static inline void append_u32(buffer *b, uint32_t value) {
    memcpy(reserve(b, sizeof value), &value, sizeof value);
    b->len += sizeof value;
}

static void pad(buffer *b) { append_zeros(b, -b->len & 7); }

static void append_string(buffer *b, const char *string) { append(b, string, strlen(string)); }

/* printf into a buffer; the zero behind the text is not counted. */
static void append_list(buffer *b, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    if (len > 0) {
        vsnprintf((char *)reserve(b, (size_t)len + 1), (size_t)len + 1, format, again);
        b->len += (size_t)len;
    }
    va_end(again);
}

static void append_format(buffer *b, const char *format, ...) TDM_PRINTF_(2, 3);
static void append_format(buffer *b, const char *format, ...) {
    va_list args;
    va_start(args, format);
    append_list(b, format, args);
    va_end(args);
}

static void release(buffer *b) {
    free(b->at);
    *b = (buffer){NULL, 0, 0};
}

/* Memory that is given back in the reverse order of taking it, in chunks that are kept for the next record. */
typedef struct chunk {
    struct chunk *next;
    size_t room;
    _Alignas(16) uint8_t bytes[];
} chunk;

typedef struct arena {
    chunk *first, *now;
    size_t used;
} arena;

typedef struct arena_mark {
    chunk *now;
    size_t used;
} arena_mark;

#if defined(__SANITIZE_ADDRESS__)
#define TDM_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TDM_POISON 1
#endif
#endif
#ifdef TDM_POISON
/* A view that is kept beyond its record is found by the address sanitizer. */
void __asan_poison_memory_region(void const volatile *at, size_t size);
void __asan_unpoison_memory_region(void const volatile *at, size_t size);
#else
#define __asan_poison_memory_region(at, size) ((void)0)
#define __asan_unpoison_memory_region(at, size) ((void)0)
#endif

static void *arena_take(arena *a, size_t size) {
    size = (size + 15) & ~(size_t)15;
    while (!a->now || a->now->room - a->used < size) {
        chunk **link = a->now ? &a->now->next : &a->first;
        if (!*link || (*link)->room < size) {
            size_t room = a->now ? a->now->room * 2 : 4096;
            if (room > (1 << 20)) room = 1 << 20;
            if (room < size) room = size;
            chunk *made = checked(malloc(sizeof(chunk) + room));
            *made = (chunk){*link, room};
            __asan_poison_memory_region(made->bytes, room);
            *link = made;
        }
        a->now = *link;
        a->used = 0;
    }
    uint8_t *at = a->now->bytes + a->used;
    a->used += size;
    __asan_unpoison_memory_region(at, size);
    return at;
}

static void *arena_zeroed(arena *a, size_t size) { return memset(arena_take(a, size), 0, size); }

static void *arena_copy(arena *a, const void *bytes, size_t len) { return len ? memcpy(arena_take(a, len), bytes, len) : NULL; }

static char *arena_text(arena *a, const char *text, size_t len) {
    char *copy = arena_take(a, len + 1);
    if (len) memcpy(copy, text, len);
    copy[len] = 0;
    return copy;
}

static char *arena_string(arena *a, const char *string) { return arena_text(a, string, strlen(string)); }

static tdm_text arena_list(arena *a, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    size_t room = len > 0 ? (size_t)len : 0;
    char *at = arena_take(a, room + 1);
    vsnprintf(at, room + 1, format, again);
    va_end(again);
    return (tdm_text){at, room};
}

static arena_mark arena_here(const arena *a) { return (arena_mark){a->now, a->used}; }

static void arena_release(arena *a, arena_mark mark) {
#ifdef TDM_POISON
    for (chunk *c = mark.now ? mark.now : a->first; c; c = c->next) {
        size_t from = c == mark.now ? mark.used : 0;
        __asan_poison_memory_region(c->bytes + from, c->room - from);
    }
#endif
    a->now = mark.now;
    a->used = mark.used;
}

static void arena_free(arena *a) {
    for (chunk *c = a->first; c;) {
        chunk *next = c->next;
        __asan_unpoison_memory_region(c->bytes, c->room);
        free(c);
        c = next;
    }
    *a = (arena){NULL, NULL, 0};
}

/* ==== 2 texts ================================================================================================= */

tdm_text tdm_str(const char *string) { return (tdm_text){string, strlen(string)}; }

int tdm_compare(tdm_text a, tdm_text b) {
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.ptr, b.ptr, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

bool tdm_equal(tdm_text a, tdm_text b) { return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0); }

/* The length of the character at `at`, 0 when there is none; `code` is the character. */
static size_t character(const uint8_t *at, size_t len, uint32_t *code) {
    uint8_t first = at[0];
    if (first < 0x80) return *code = first, 1;
    size_t count = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (first < 0xC2 || first > 0xF4 || len < count) return 0;
    uint32_t value = first & (0x7Fu >> count);
    for (size_t i = 1; i < count; i++) {
        if ((at[i] & 0xC0) != 0x80) return 0;
        value = value << 6 | (at[i] & 0x3F);
    }
    if (value < least[count] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return 0;
    return *code = value, count;
}

bool tdm_is_utf8(const char *ptr, size_t len) {
    const uint8_t *at = (const uint8_t *)ptr, *end = at + len;
    while (at < end) {
        uint64_t eight;
        if (end - at >= 8 && (memcpy(&eight, at, 8), (eight & 0x8080808080808080u) == 0)) {
            at += 8;
            continue;
        }
        uint32_t code;
        size_t count = character(at, (size_t)(end - at), &code);
        if (!count) return false;
        at += count;
    }
    return true;
}

/* Puts a question mark for every byte that is no part of a character: what leaves the component as a text has to be one. */
static void scrub(char *text, size_t len) {
    if (tdm_is_utf8(text, len)) return;
    for (size_t at = 0; at < len;) {
        uint32_t code;
        size_t count = character((const uint8_t *)text + at, len - at, &code);
        if (!count) text[at] = '?';
        at += count ? count : 1;
    }
}

static bool is_space(uint32_t c) {
    return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
        c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool tdm_next_word(tdm_text *rest, tdm_text *word) {
    size_t at = 0, begin = 0;
    bool inside = false;
    while (at < rest->len) {
        uint32_t code = 0;
        size_t count = character((const uint8_t *)rest->ptr + at, rest->len - at, &code);
        bool space = count && is_space(code);
        if (space && inside) break;
        if (!space && !inside) begin = at, inside = true;
        at += count ? count : 1;
    }
    if (!inside) begin = at;
    *word = (tdm_text){rest->ptr + begin, at - begin};
    *rest = (tdm_text){rest->ptr + at, rest->len - at};
    return inside;
}

bool tdm_next_part(tdm_text *rest, char separator, tdm_text *part) {
    if (!rest->ptr) return false;
    const char *found = rest->len ? memchr(rest->ptr, separator, rest->len) : NULL;
    if (!found) {
        *part = *rest;
        *rest = (tdm_text){NULL, 0};
        return true;
    }
    *part = (tdm_text){rest->ptr, (size_t)(found - rest->ptr)};
    *rest = (tdm_text){found + 1, rest->len - part->len - 1};
    return true;
}

/* ==== 3 hashing =============================================================================================== */

/* XXH3-64 by Yann Collet, written after its specification for seed 0. */

static const uint8_t SECRET[192] = {0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c, 0xde,
    0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f, 0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5,
    0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21, 0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81,
    0x3a, 0x26, 0x4c, 0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3, 0x71, 0x64, 0x48,
    0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8, 0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9,
    0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d, 0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73,
    0x64, 0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb, 0x17, 0x0d, 0xdd, 0x51, 0xb7,
    0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e, 0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8,
    0xd1, 0x7a, 0xd0, 0x31, 0xce, 0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e};
static const uint64_t P32_1 = 0x9E3779B1u, P32_2 = 0x85EBCA77u, P32_3 = 0xC2B2AE3Du, P64_1 = 0x9E3779B185EBCA87u,
                      P64_2 = 0xC2B2AE3D27D4EB4Fu, P64_3 = 0x165667B19E3779F9u, P64_4 = 0x85EBCA77C2B2AE63u, P64_5 = 0x27D4EB2F165667C5u,
                      PMX1 = 0x165667919E3779F9u, PMX2 = 0x9FB21C651E98DF25u;

static uint64_t load64(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, 8);
    return value;
}

static uint32_t load32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, 4);
    return value;
}

/* The two halves of a product, folded into one. */
static uint64_t fold(uint64_t a, uint64_t b) {
    uint64_t ll = (a & 0xFFFFFFFF) * (b & 0xFFFFFFFF), hl = (a >> 32) * (b & 0xFFFFFFFF), lh = (a & 0xFFFFFFFF) * (b >> 32),
             hh = (a >> 32) * (b >> 32);
    uint64_t cross = (ll >> 32) + (hl & 0xFFFFFFFF) + lh;
    return ((hl >> 32) + (cross >> 32) + hh) ^ (cross << 32 | (ll & 0xFFFFFFFF));
}

static uint64_t avalanche3(uint64_t h) {
    h ^= h >> 37;
    h *= PMX1;
    return h ^ h >> 32;
}

static uint64_t avalanche64(uint64_t h) {
    h ^= h >> 33;
    h *= P64_2;
    h ^= h >> 29;
    h *= P64_3;
    return h ^ h >> 32;
}

static uint64_t rotated(uint64_t value, int by) { return value << by | value >> (64 - by); }

static uint64_t mix16(const uint8_t *at, const uint8_t *secret) {
    return fold(load64(at) ^ load64(secret), load64(at + 8) ^ load64(secret + 8));
}

static uint64_t hash_short(const uint8_t *at, size_t len) {
    if (len == 0) return avalanche64(load64(SECRET + 56) ^ load64(SECRET + 64));
    if (len < 4) {
        uint32_t all = (uint32_t)at[0] << 16 | (uint32_t)at[len >> 1] << 24 | at[len - 1] | (uint32_t)len << 8;
        return avalanche64(all ^ (uint64_t)(load32(SECRET) ^ load32(SECRET + 4)));
    }
    if (len <= 8) {
        uint64_t both = load32(at + len - 4) + ((uint64_t)load32(at) << 32);
        uint64_t h = both ^ (load64(SECRET + 8) ^ load64(SECRET + 16));
        h ^= rotated(h, 49) ^ rotated(h, 24);
        h *= PMX2;
        h ^= (h >> 35) + len;
        h *= PMX2;
        return h ^ h >> 28;
    }
    uint64_t low = load64(at) ^ load64(SECRET + 24) ^ load64(SECRET + 32),
             high = load64(at + len - 8) ^ load64(SECRET + 40) ^ load64(SECRET + 48);
    return avalanche3(len + __builtin_bswap64(low) + high + fold(low, high));
}

static uint64_t hash_middle(const uint8_t *at, size_t len) {
    uint64_t h = len * P64_1;
    if (len <= 128) {
        for (size_t i = (len - 1) / 32 + 1; i-- > 0;) {
            h += mix16(at + 16 * i, SECRET + 32 * i);
            h += mix16(at + len - 16 * (i + 1), SECRET + 32 * i + 16);
        }
        return avalanche3(h);
    }
    for (size_t i = 0; i < 8; i++) h += mix16(at + 16 * i, SECRET + 16 * i);
    h = avalanche3(h);
    for (size_t i = 8; i < len / 16; i++) h += mix16(at + 16 * i, SECRET + 16 * (i - 8) + 3);
    return avalanche3(h + mix16(at + len - 16, SECRET + 136 - 17));
}

static void accumulate(uint64_t acc[8], const uint8_t *at, const uint8_t *secret) {
    for (size_t i = 0; i < 8; i++) {
        uint64_t value = load64(at + 8 * i), key = value ^ load64(secret + 8 * i);
        acc[i ^ 1] += value;
        acc[i] += (key & 0xFFFFFFFF) * (key >> 32);
    }
}

static uint64_t hash_long(const uint8_t *at, size_t len) {
    uint64_t acc[8] = {P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1};
    enum { STRIPE = 64, STRIPES = (192 - 64) / 8 };
    size_t blocks = (len - 1) / (STRIPE * STRIPES);
    for (size_t b = 0; b < blocks; b++) {
        for (size_t s = 0; s < STRIPES; s++) accumulate(acc, at + (b * STRIPES + s) * STRIPE, SECRET + 8 * s);
        for (size_t i = 0; i < 8; i++) acc[i] = (acc[i] ^ acc[i] >> 47 ^ load64(SECRET + 128 + 8 * i)) * P32_1;
    }
    size_t stripes = (len - 1 - blocks * STRIPE * STRIPES) / STRIPE;
    for (size_t s = 0; s < stripes; s++) accumulate(acc, at + (blocks * STRIPES + s) * STRIPE, SECRET + 8 * s);
    accumulate(acc, at + len - STRIPE, SECRET + 192 - STRIPE - 7);
    uint64_t h = len * P64_1;
    for (size_t i = 0; i < 4; i++) h += fold(acc[2 * i] ^ load64(SECRET + 11 + 16 * i), acc[2 * i + 1] ^ load64(SECRET + 19 + 16 * i));
    return avalanche3(h);
}

uint64_t tdm_hash(const void *bytes, size_t len) {
    return len <= 16 ? hash_short(bytes, len) : len <= 240 ? hash_middle(bytes, len) : hash_long(bytes, len);
}

/* ==== 4 schemas =============================================================================================== */

enum { COLUMNS_MAX = 1024, ROWS_MAX = 1 << 20, BYTES_MAX = 64 << 20, HEADER = 32, ENTRY = 16, KEYS_MAX = 4 };

static const char *const TYPE_NAMES[] = {"?", "bool", "i32", "i64", "f64", "string", "bytes"};
/* Bytes of a value in a column; 0 for those with a heap. */
static const size_t WIDTHS[] = {0, 1, 4, 8, 8, 0, 0};
/* Where the value stands in an optional field. */
static const size_t VALUE_AT[] = {0, offsetof(tdm_opt_bool, value), offsetof(tdm_opt_i32, value), offsetof(tdm_opt_i64, value),
    offsetof(tdm_opt_f64, value), offsetof(tdm_opt_text, value), offsetof(tdm_opt_bytes, value)};

_Static_assert(offsetof(tdm_text, len) == offsetof(tdm_bytes, len), "a view of texts and bytes alike");

static int base(int type) { return type & (TDM_OPTIONAL - 1); }
static bool optional(int type) { return (type & TDM_OPTIONAL) != 0; }
static bool variable(int type) { return base(type) >= TDM_STRING; }

/* The value of a field's cell; NULL where it is absent. */
static const void *value_of(int type, const void *cell) {
    if (!optional(type)) return cell;
    return *(const bool *)cell ? (const uint8_t *)cell + VALUE_AT[base(type)] : NULL;
}

#define SINGLE(T, type) \
    static const tdm_field T##_single[] = {{"value", 0, type}}; \
    const tdm_record T##_record = {#T, sizeof(T), T##_single, 1}
/* bool is a macro, which pasting does not replace in TDM_RECORD but stringifying does here. */
static const tdm_field bool_single[] = {{"value", 0, TDM_BOOL}};
const tdm_record bool_record = {"bool", sizeof(bool), bool_single, 1};
SINGLE(int32_t, TDM_I32);
SINGLE(int64_t, TDM_I64);
SINGLE(double, TDM_F64);
SINGLE(tdm_text, TDM_STRING);
SINGLE(tdm_bytes, TDM_BYTES);
SINGLE(tdm_opt_bool, TDM_BOOL + TDM_OPTIONAL);
SINGLE(tdm_opt_i32, TDM_I32 + TDM_OPTIONAL);
SINGLE(tdm_opt_i64, TDM_I64 + TDM_OPTIONAL);
SINGLE(tdm_opt_f64, TDM_F64 + TDM_OPTIONAL);
SINGLE(tdm_opt_text, TDM_STRING + TDM_OPTIONAL);
SINGLE(tdm_opt_bytes, TDM_BYTES + TDM_OPTIONAL);

static const tdm_field dead_letter_fields[] = {
    TDM_FIELD(tdm_dead_letter, operator),
    TDM_FIELD(tdm_dead_letter, place),
    TDM_FIELD(tdm_dead_letter, reason),
    TDM_FIELD(tdm_dead_letter, record),
};
const tdm_record tdm_dead_letter_record = {"tdm_dead_letter", sizeof(tdm_dead_letter), dead_letter_fields, 4};

/* A record that is declared in a header has a description in every source file that includes it. */
static bool same_record(const tdm_record *a, const tdm_record *b) {
    if (a == b) return true;
    if (!a || !b || a->size != b->size || a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++) {
        const tdm_field *x = &a->fields[i], *y = &b->fields[i];
        if (x->offset != y->offset || x->type != y->type || strcmp(x->name, y->name) != 0) return false;
    }
    return true;
}

typedef struct schema {
    tdm_column *columns;
    size_t count;
} schema;

static void append_schema(buffer *b, const tdm_column *columns, size_t count) {
    for (size_t i = 0; i < count; i++) {
        append_format(
            b, "%s%s:%s%s", i ? "," : "", columns[i].name, TYPE_NAMES[base(columns[i].type)], optional(columns[i].type) ? "?" : "");
    }
}

static uint64_t schema_id(const tdm_column *columns, size_t count) {
    buffer text = {NULL, 0, 0};
    append_schema(&text, columns, count);
    uint64_t id = tdm_hash(text.at, text.len);
    release(&text);
    return id;
}

/* ==== 5 reading blocks ======================================================================================== */

typedef struct block {
    const uint8_t *at;
    size_t len;
    uint32_t rows, columns;
    /* May lie at any address, so it is read by load64. */
    const uint8_t *times;
} block;

typedef struct column {
    const uint8_t *validity, *data, *heap;
} column;

static char block_error[160];

static const char *wrong(const char *format, ...) TDM_PRINTF_(1, 2);
static const char *wrong(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(block_error, sizeof block_error, format, args);
    va_end(args);
    return block_error;
}

/* Reads the header; what is wrong with it, or NULL. */
static const char *open_block(block *b, tdm_bytes bytes) {
    if (bytes.len < HEADER) return wrong("a block of %zu bytes states a length of 0", bytes.len);
    if (memcmp(bytes.ptr, "TBLK\1\0", 6) != 0) return "not a block of version 1";
    uint32_t stated = load32(bytes.ptr + 12);
    if (stated != bytes.len || stated > BYTES_MAX || stated % 8 != 0) {
        return wrong("a block of %zu bytes states a length of %u (at most %d, a multiple of 8)", bytes.len, stated, BYTES_MAX);
    }
    *b = (block){bytes.ptr, bytes.len, load32(bytes.ptr + 8), (uint32_t)bytes.ptr[6] | (uint32_t)bytes.ptr[7] << 8, NULL};
    if (b->rows > ROWS_MAX) return wrong("%u rows are more than %d", b->rows, ROWS_MAX);
    size_t times = HEADER + ENTRY * (size_t)b->columns;
    if (times + 8 * (size_t)b->rows > b->len)
        return wrong("a block of %zu bytes states a length of more: it is shorter than its table", b->len);
    b->times = b->at + times;
    return NULL;
}

static int64_t time_of(const block *b, uint32_t row) { return (int64_t)load64(b->times + 8 * (size_t)row); }

static bool within(const block *b, uint64_t offset, uint64_t len) { return offset <= b->len && len <= b->len - offset; }

/* Opens a column of a type; what is wrong with it, or NULL. With `state` the column is optional whatever the type says. */
static const char *open_column(const block *b, size_t index, int type, bool state, column *c) {
    if (index >= b->columns) return wrong("there is no column %zu", index);
    const uint8_t *entry = b->at + HEADER + ENTRY * index;
    bool want = optional(type) || state;
    if (entry[0] != base(type) || (entry[1] != 0) != want) {
        return wrong("column %zu has type %s%u, not %s%s", index, entry[1] ? "optional " : "", entry[0], want ? "optional " : "",
            TYPE_NAMES[base(type)]);
    }
    uint32_t validity = load32(entry + 4), data = load32(entry + 8), heap = load32(entry + 12);
    size_t rows = b->rows, data_len = variable(type) ? 4 * (rows + 1) : WIDTHS[base(type)] * rows;
    bool fits = (!want || within(b, validity, (rows + 7) / 8)) && within(b, data, data_len);
    if (fits && variable(type)) fits = within(b, heap, load32(b->at + data + 4 * rows));
    if (!fits) return wrong("column %zu leaves the block", index);
    *c = (column){want ? b->at + validity : NULL, b->at + data, b->at + heap};
    return NULL;
}

static bool present(const column *c, uint32_t row) { return !c->validity || (c->validity[row / 8] >> row % 8 & 1); }

static tdm_text text_of(const column *c, uint32_t row) {
    uint32_t from = load32(c->data + 4 * (size_t)row), to = load32(c->data + 4 * (size_t)row + 4);
    return (tdm_text){(const char *)c->heap + from, to - from};
}

static void read_value(int type, const column *c, uint32_t row, void *out) {
    if (variable(type)) {
        *(tdm_text *)out = text_of(c, row);
        return;
    }
    switch (base(type)) {
    case TDM_BOOL: *(bool *)out = c->data[row] != 0; break;
    case TDM_I32: memcpy(out, c->data + 4 * (size_t)row, 4); break;
    default: memcpy(out, c->data + 8 * (size_t)row, 8); break;
    }
}

/* Reads one cell into the field of a struct. */
static void read_cell(int type, const column *c, uint32_t row, void *cell) {
    if (optional(type)) {
        *(bool *)cell = present(c, row);
        if (!*(bool *)cell) return;
        cell = (uint8_t *)cell + VALUE_AT[base(type)];
    }
    read_value(type, c, row, cell);
}

static void read_record(const tdm_record *type, const column *columns, uint32_t row, void *out) {
    for (size_t i = 0; i < type->count; i++) {
        const tdm_field *field = &type->fields[i];
        uint8_t *cell = (uint8_t *)out + field->offset;
        switch (field->type) {
        case TDM_I64:
        case TDM_F64: memcpy(cell, columns[i].data + 8 * (size_t)row, 8); break;
        case TDM_STRING:
        case TDM_BYTES: *(tdm_text *)(void *)cell = text_of(&columns[i], row); break;
        default: read_cell(field->type, &columns[i], row, cell); break;
        }
    }
}

/* Opens the columns of a record from `first` on. */
static const char *open_record(const block *b, const tdm_record *type, size_t first, bool state, column *columns) {
    for (size_t i = 0; i < type->count; i++) {
        const char *error = open_column(b, first + i, type->fields[i].type, state, &columns[i]);
        if (error) return error;
    }
    return NULL;
}

static bool all_zero(const uint8_t *at, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (at[i]) return false;
    }
    return true;
}

/* Offsets start at 0 and never fall; a text is UTF-8 and no offset splits a character. */
static const char *check_heap(size_t index, int type, const uint8_t *offsets, size_t rows, const uint8_t *heap, size_t heap_len) {
    uint32_t last = 0;
    for (size_t i = 0; i <= rows; i++) {
        uint32_t offset = load32(offsets + 4 * i);
        if (offset < last || (i == 0 && offset != 0) || offset > heap_len)
            return wrong("the offsets of column %zu fall or leave the block", index);
        if (base(type) == TDM_STRING && offset < heap_len && (heap[offset] & 0xC0) == 0x80)
            return wrong("column %zu holds a value that its type does not have", index);
        last = offset;
    }
    if (base(type) == TDM_STRING && !tdm_is_utf8((const char *)heap, heap_len))
        return wrong("column %zu holds a value that its type does not have", index);
    return NULL;
}

/* Absent values are zero or empty, and bits behind the last row are not set. */
static const char *check_absent(size_t index, int type, const uint8_t *bits, const uint8_t *data, size_t rows) {
    if (rows % 8 && bits[rows / 8] >> rows % 8) return "a validity bit behind the last row is not what the layout says";
    for (size_t row = 0; row < rows; row++) {
        if (bits[row / 8] >> row % 8 & 1) continue;
        size_t width = WIDTHS[base(type)];
        bool empty = variable(type) ? load32(data + 4 * row) == load32(data + 4 * row + 4) : all_zero(data + width * row, width);
        if (!empty) return wrong("column %zu holds a value that its type does not have", index);
    }
    return NULL;
}

/* Checks one part of a column, which must lie at *at, and moves on behind it. */
static const char *check_part(const block *b, size_t index, int slot, const char *name, size_t *at, size_t len) {
    uint32_t offset = load32(b->at + HEADER + ENTRY * index + slot);
    if (offset != *at || !within(b, *at, len)) return wrong("the %s of column %zu does not lie at byte %zu", name, index, *at);
    size_t end = *at + len, next = (end + 7) & ~(size_t)7;
    if (!within(b, end, next - end) || !all_zero(b->at + end, next - end))
        return "the gap behind a part of a column is not what the layout says";
    *at = next;
    return NULL;
}

static const char *check_column(const block *b, size_t index, int type, size_t *at) {
    const uint8_t *entry = b->at + HEADER + ENTRY * index;
    if (entry[2] || entry[3]) return "the reserved part of a column's entry is not what the layout says";
    const char *error = NULL;
    size_t rows = b->rows, zero = 0, validity = *at;
    if (optional(type)) error = check_part(b, index, 4, "validity", at, (rows + 7) / 8);
    else if (load32(entry + 4) != 0) error = wrong("the validity of column %zu does not lie at byte 0", index);
    if (error) return error;
    size_t data = *at;
    error = check_part(b, index, 8, "data", at, variable(type) ? 4 * (rows + 1) : WIDTHS[base(type)] * rows);
    if (!error && optional(type)) error = check_absent(index, type, b->at + validity, b->at + data, rows);
    if (error) return error;
    if (!variable(type)) {
        if (load32(entry + 12) != 0) return wrong("the heap of column %zu does not lie at byte %zu", index, zero);
        for (size_t row = 0; base(type) == TDM_BOOL && row < rows; row++) {
            if (b->at[data + row] > 1) return wrong("column %zu holds a value that its type does not have", index);
        }
        return NULL;
    }
    size_t heap = *at, heap_len = load32(b->at + data + 4 * rows);
    error = check_part(b, index, 12, "heap", at, heap_len);
    return error ? error : check_heap(index, type, b->at + data, rows, b->at + heap, heap_len);
}

const char *tdm_block_check(tdm_bytes bytes, const tdm_column *columns, size_t count) {
    block b;
    const char *error = open_block(&b, bytes);
    if (error) return error;
    for (size_t i = 0; i < (count > b.columns ? count : b.columns); i++) {
        const uint8_t *entry = b.at + HEADER + ENTRY * i;
        bool same = i < count && i < b.columns && entry[0] == base(columns[i].type) && entry[1] == optional(columns[i].type);
        if (!same) return wrong("column %zu is not the one that the schema has there", i);
    }
    uint64_t id = load64(b.at + 16);
    if (id && id != schema_id(columns, count)) return "the schema id is not what the layout says";
    if (load64(b.at + 24)) return "the reserved part of the header is not what the layout says";
    size_t at = HEADER + ENTRY * (size_t)b.columns + 8 * (size_t)b.rows;
    for (size_t i = 0; i < count; i++) {
        error = check_column(&b, i, columns[i].type, &at);
        if (error) return error;
    }
    return at == b.len ? NULL : wrong("a block of %zu bytes states a length of %zu", b.len, at);
}

/* ==== 6 writing blocks ======================================================================================== */

/* A column being written: its parts apart until the block is laid out. */
typedef struct writer {
    int type;
    buffer validity, data, heap;
} writer;

typedef struct builder {
    writer *writers;
    size_t count;
    uint32_t rows;
    size_t heap;
    uint64_t id;
    buffer times, out;
} builder;

static void start_builder(builder *b, size_t count, uint64_t id) {
    *b = (builder){count ? checked(calloc(count, sizeof(writer))) : NULL, count, 0, 0, id, {NULL, 0, 0}, {NULL, 0, 0}};
}

static void free_builder(builder *b) {
    for (size_t i = 0; i < b->count; i++) {
        release(&b->writers[i].validity);
        release(&b->writers[i].data);
        release(&b->writers[i].heap);
    }
    free(b->writers);
    release(&b->times);
    release(&b->out);
    *b = (builder){NULL, 0, 0, 0, 0, {NULL, 0, 0}, {NULL, 0, 0}};
}

static inline void write_fixed(writer *w, const void *value, size_t width) {
    uint8_t *at = reserve(&w->data, 8);
    if (width == 8) memcpy(at, value, 8);
    else if (width == 4) memcpy(at, value, 4);
    else *at = *(const uint8_t *)value;
    w->data.len += width;
}

static inline void write_text(builder *b, writer *w, const tdm_text *text) {
    if (text->len) {
        if (text->len > BYTES_MAX || b->heap + text->len > BYTES_MAX)
            tdm_abort("texts and bytes of more than %d bytes do not fit into a block: emit less at a time", BYTES_MAX);
        append(&w->heap, text->ptr, text->len);
        b->heap += text->len;
    }
    append_u32(&w->data, (uint32_t)w->heap.len);
}

/* Writes a value, or what an absent one looks like for NULL, into the row that end_row will end. */
static void write_value(builder *b, writer *w, const void *value) {
    static const tdm_text empty = {NULL, 0};
    static const uint64_t nothing = 0;
    if (optional(w->type)) {
        if (b->rows % 8 == 0) append_zeros(&w->validity, 1);
        if (value) w->validity.at[b->rows / 8] |= (uint8_t)(1u << b->rows % 8);
    }
    if (variable(w->type)) write_text(b, w, value ? value : &empty);
    else write_fixed(w, value ? value : &nothing, WIDTHS[base(w->type)]);
}

/* Writes a struct's fields into the columns from `first` on; NULL writes a row without any. */
static void write_record(builder *b, size_t first, const tdm_record *type, const void *record) {
    for (size_t i = 0; i < type->count; i++) {
        const tdm_field *field = &type->fields[i];
        writer *w = &b->writers[first + i];
        const void *cell = record ? (const uint8_t *)record + field->offset : NULL;
        /* In a block of state the column is optional although the field is not. */
        if (!cell || w->type != field->type) {
            write_value(b, w, cell ? value_of(field->type, cell) : NULL);
            continue;
        }
        switch (field->type) {
        case TDM_I64:
        case TDM_F64: write_fixed(w, cell, 8); break;
        case TDM_STRING:
        case TDM_BYTES: write_text(b, w, cell); break;
        default: write_value(b, w, value_of(field->type, cell)); break;
        }
    }
}

static void end_row(builder *b, int64_t time) {
    memcpy(reserve(&b->times, sizeof time), &time, sizeof time);
    b->times.len += sizeof time;
    b->rows++;
}

/* Takes back all rows from `rows` on. */
static void truncate_rows(builder *b, uint32_t rows) {
    if (rows >= b->rows) return;
    b->rows = rows;
    b->times.len = 8 * (size_t)rows;
    for (size_t i = 0; i < b->count; i++) {
        writer *w = &b->writers[i];
        if (optional(w->type)) {
            w->validity.len = (rows + 7) / 8;
            if (rows % 8) w->validity.at[rows / 8] &= (uint8_t)((1u << rows % 8) - 1);
        }
        w->data.len = (variable(w->type) ? 4 : WIDTHS[base(w->type)]) * (size_t)rows;
        if (!variable(w->type)) continue;
        size_t heap = rows ? load32(w->data.at + w->data.len - 4) : 0;
        b->heap -= w->heap.len - heap;
        w->heap.len = heap;
    }
}

static uint32_t append_part(buffer *out, buffer *part) {
    uint32_t at = (uint32_t)out->len;
    append(out, part->at, part->len);
    part->len = 0;
    pad(out);
    return at;
}

/* Lays the block out in b->out and forgets its rows. */
static tdm_bytes lay_out(builder *b) {
    buffer *out = &b->out;
    out->len = 0;
    uint16_t columns = (uint16_t)b->count;
    append(out, "TBLK\1\0", 6);
    append(out, &columns, 2);
    append_u32(out, b->rows);
    append_u32(out, 0);
    append(out, &b->id, 8);
    append_zeros(out, 8 + ENTRY * b->count);
    append(out, b->times.at, b->times.len);
    for (size_t i = 0; i < b->count; i++) {
        writer *w = &b->writers[i];
        uint32_t parts[3] = {0, 0, 0};
        if (optional(w->type)) parts[0] = append_part(out, &w->validity);
        parts[1] = (uint32_t)out->len;
        if (variable(w->type)) append_u32(out, 0);
        append_part(out, &w->data);
        if (variable(w->type)) parts[2] = append_part(out, &w->heap);
        uint8_t *entry = out->at + HEADER + ENTRY * i;
        entry[0] = (uint8_t)base(w->type);
        entry[1] = optional(w->type);
        memcpy(entry + 4, parts, sizeof parts);
    }
    if (out->len > BYTES_MAX)
        tdm_abort("a block of %zu bytes is larger than a block may be (%d bytes): emit less at a time", out->len, BYTES_MAX);
    uint32_t len = (uint32_t)out->len;
    memcpy(out->at + 12, &len, 4);
    b->rows = 0;
    b->heap = 0;
    b->times.len = 0;
    return (tdm_bytes){out->at, out->len};
}

static void set_types(builder *b, size_t first, const tdm_record *type, int flags) {
    for (size_t i = 0; i < type->count; i++) b->writers[first + i].type = type->fields[i].type | flags;
}

static uint64_t record_id(const tdm_record *type) {
    tdm_column *columns = checked(malloc((type->count + 1) * sizeof *columns));
    for (size_t i = 0; i < type->count; i++) columns[i] = (tdm_column){type->fields[i].name, type->fields[i].type};
    uint64_t id = schema_id(columns, type->count);
    free(columns);
    return id;
}

uint8_t *tdm_block_write(const tdm_record *type, const void *records, const int64_t *times, size_t count, bool id, size_t *len) {
    builder b;
    start_builder(&b, type->count, id ? record_id(type) : 0);
    set_types(&b, 0, type, 0);
    for (size_t i = 0; i < count; i++) {
        write_record(&b, 0, type, (const uint8_t *)records + i * type->size);
        end_row(&b, times ? times[i] : 0);
    }
    *len = lay_out(&b).len;
    uint8_t *out = b.out.at;
    b.out = (buffer){NULL, 0, 0};
    free_builder(&b);
    return out;
}

void *tdm_block_read(const tdm_record *type, tdm_bytes bytes, int64_t **times, size_t *count) {
    block b;
    column *columns = checked(calloc(type->count + 1, sizeof *columns));
    const char *error = open_block(&b, bytes);
    if (!error) error = open_record(&b, type, 0, false, columns);
    uint8_t *records = NULL;
    if (!error) {
        records = checked(calloc((size_t)b.rows + 1, type->size));
        if (times) *times = checked(calloc((size_t)b.rows + 1, sizeof **times));
        for (uint32_t row = 0; row < b.rows; row++) {
            read_record(type, columns, row, records + row * type->size);
            if (times) (*times)[row] = time_of(&b, row);
        }
        *count = b.rows;
    }
    free(columns);
    return records;
}

/* ==== 7 the job =============================================================================================== */

typedef enum kind {
    SOURCE,
    MAP,
    FILTER,
    FLAT_MAP,
    KEY_BY,
    TIMESTAMPS,
    PROCESS,
    WINDOW,
    ROLLING,
    UNION,
    SINK,
    WINDOW_JOIN,
    INTERVAL_JOIN,
    KEYED_JOIN,
    TEMPORAL_JOIN,
    CO_GROUP,
} kind;
static const char *const KIND_NAMES[] = {"source", "map", "filter", "flat-map", "key-by", "timestamps", "process", "window", "rolling",
    "union", "sink", "window-join", "interval-join", "keyed-join", "temporal-join", "co-group"};

enum { FORWARD, REBALANCE, SHUFFLE, RESCALE, BROADCAST, GLOBAL, CUSTOM };
static const char *const PARTITION_NAMES[] = {"forward", "rebalance", "shuffle", "rescale", "broadcast", "global"};

static const char MAIN[] = "out", LATE[] = "late", DEAD_LETTER[] = "dead-letter", ACC[] = "acc", NO_NAME[] = "";
/* What the names of ports of a join begin with; the name of the side follows. */
static const char LATE_SIDE[] = "late-", UNMATCHED[] = "unmatched-";

typedef struct input {
    uint32_t from;
    const char *port, *field;
    int partition;
} input;

typedef struct output {
    const char *name, *variant;
    schema schema;
    const tdm_record *record;
} output;

/* The fields of a key in one input. */
typedef struct key {
    size_t count;
    const char *names[KEYS_MAX];
    size_t columns[KEYS_MAX];
    int types[KEYS_MAX];
} key;

/* A side of a join. */
typedef struct side {
    const char *name;
    bool optional;
} side;

struct port;
struct table;

typedef struct node {
    const char *name;
    kind kind;
    uint32_t id, parallelism;
    tdm_on_error policy;
    /* NULL where it is as usual. */
    const char *chaining;
    input *inputs;
    size_t inputs_len;
    output *outputs;
    size_t outputs_len;
    /* Sources and sinks. */
    const char *format, *url, *tag, *time;
    tdm_watermarks watermarks;
    bool has_watermarks;
    /* What the generator of watermarks remembers of each split (split). */
    buffer splits;
    /* Operators with a key: one per input, but for a broadcast one behind them. */
    key *keys;
    size_t keys_len;
    /* Joins and co-groups: one per input. */
    side *sides;
    tdm_interval interval;
    const tdm_co_group_function *co_group;
    tdm_windows windows;
    /* The column that holds the gap of a session. */
    const char *gap_field;
    /* The field that an evictor compares. */
    const tdm_field *evict_field;
    /* Computed by the host where set. */
    const char *aggregate, *aggregate_field;
    /* Computed here. */
    const tdm_function *function;
    const tdm_process *process;
    const tdm_reduce_function *reduce;
    tdm_aggregator aggregator;
    const tdm_finish *finish;
    const tdm_record *in;
    struct port *ports;
    size_t ports_len;
    struct table *tables;
    size_t tables_len;
    /* What the record in hand did to its slot, and whether it may have to be undone. */
    uint8_t touched;
    bool undo;
    /* State that lives for a time, by domain (event time, processing time): which timer sweeps it, 0 where there is none (they stand
     * behind the job's, and are counted from 1); whether something was written for the record in hand; and which slots have such a timer,
     * as far as this instance has set it. */
    uint32_t sweepers[2];
    bool written[2];
    buffer swept[2];
} node;

struct tdm_job {
    tdm_instance *instance;
    const char *name;
    const tdm_argument *args;
    size_t args_len;
    /* Names of arguments that were asked for, each once (const char *). */
    buffer asked, errors;
};

struct chain;

struct tdm_instance {
    tdm_host host;
    /* What lives as long as the instance, and what lives as long as a record. */
    arena plan, scratch;
    node **nodes;
    size_t nodes_len, nodes_room;
    struct chain **chains;
    size_t chains_len;
    /* The call in progress. */
    tdm_moment at;
    uint32_t operator_id, row;
    bool has_row;
    /* A port is full, to be looked after when the record in hand is through. */
    bool attention;
    /* The function that returned something else than TDM_OK just now, where it is known. */
    const char *returned_from;
    buffer failures, messages, failure_list, timers, cleared, unchanged, seen;
    builder exported;
    bool has_exported;
    tdm_outcome outcome;
};

/* The instance that the host is in: there is one at a time. */
static tdm_instance *current;
/* What is left of the plan's text or error. */
static buffer plan_text;

static void note(tdm_job *job, const char *format, ...) TDM_PRINTF_(2, 3);
static void note(tdm_job *job, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (job->errors.len) append(&job->errors, "\n", 1);
    append_list(&job->errors, format, args);
    va_end(args);
}

tdm_status tdm_job_error(tdm_job *job, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (job->errors.len) append(&job->errors, "\n", 1);
    append_list(&job->errors, format, args);
    va_end(args);
    return TDM_REFUSED;
}

void tdm_job_name(tdm_job *job, const char *name) { job->name = arena_string(&job->instance->plan, name); }

static const char *find_arg(tdm_job *job, const char *name) {
    const char **asked = (const char **)job->asked.at;
    size_t count = job->asked.len / sizeof *asked;
    bool known = false;
    for (size_t i = 0; i < count; i++) known = known || strcmp(asked[i], name) == 0;
    if (!known) {
        const char *kept = arena_string(&job->instance->plan, name);
        append(&job->asked, &kept, sizeof kept);
    }
    for (size_t i = 0; i < job->args_len; i++) {
        const tdm_argument *arg = &job->args[i];
        if (!tdm_equal(arg->name, tdm_str(name))) continue;
        if (memchr(arg->value.ptr, 0, arg->value.len)) note(job, "argument %s holds a zero byte, which no text in C can", name);
        return arena_text(&job->instance->plan, arg->value.ptr, arg->value.len);
    }
    return NULL;
}

const char *tdm_arg_or(tdm_job *job, const char *name, const char *otherwise) {
    const char *value = find_arg(job, name);
    return value ? value : otherwise;
}

const char *tdm_arg(tdm_job *job, const char *name) {
    const char *value = find_arg(job, name);
    if (!value) note(job, "missing argument \"%s\": give it as --arg %s=VALUE", name, name);
    return value ? value : "";
}

static int64_t parse_i64(tdm_job *job, const char *name, const char *text) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*end || end == text || errno) note(job, "argument %s=\"%s\": not a whole number of 64 bits", name, text);
    return value;
}

static double parse_f64(tdm_job *job, const char *name, const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (*end || end == text) note(job, "argument %s=\"%s\": not a number", name, text);
    return value;
}

int64_t tdm_arg_i64(tdm_job *job, const char *name) {
    const char *text = find_arg(job, name);
    return text ? parse_i64(job, name, text) : (tdm_arg(job, name), 0);
}

int64_t tdm_arg_i64_or(tdm_job *job, const char *name, int64_t otherwise) {
    const char *text = find_arg(job, name);
    return text ? parse_i64(job, name, text) : otherwise;
}

double tdm_arg_f64(tdm_job *job, const char *name) {
    const char *text = find_arg(job, name);
    return text ? parse_f64(job, name, text) : (tdm_arg(job, name), 0);
}

double tdm_arg_f64_or(tdm_job *job, const char *name, double otherwise) {
    const char *text = find_arg(job, name);
    return text ? parse_f64(job, name, text) : otherwise;
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static void check_args(tdm_job *job) {
    const char **asked = (const char **)job->asked.at;
    size_t count = job->asked.len / sizeof *asked;
    if (count) qsort(asked, count, sizeof *asked, by_text);
    for (size_t i = 0; i < job->args_len; i++) {
        tdm_text name = job->args[i].name;
        bool known = false;
        for (size_t k = 0; k < count; k++) known = known || tdm_equal(name, tdm_str(asked[k]));
        if (known) continue;
        note(job, "unknown argument \"%.*s\": this job takes %s", TDM_ARG(name), count ? "" : "none");
        for (size_t k = 0; k < count; k++) append_format(&job->errors, "%s%s", k ? ", " : "", asked[k]);
    }
}

static void *plan_alloc(tdm_job *job, size_t size) { return arena_zeroed(&job->instance->plan, size); }

static schema record_schema(tdm_job *job, const tdm_record *type) {
    schema s = {plan_alloc(job, (type->count + 1) * sizeof(tdm_column)), type->count};
    for (size_t i = 0; i < type->count; i++) s.columns[i] = (tdm_column){type->fields[i].name, type->fields[i].type};
    return s;
}

static schema joined(tdm_job *job, schema a, schema b) {
    schema s = {plan_alloc(job, (a.count + b.count + 1) * sizeof(tdm_column)), a.count + b.count};
    for (size_t i = 0; i < s.count; i++) s.columns[i] = i < a.count ? a.columns[i] : b.columns[i - a.count];
    return s;
}

static node *node_of(tdm_stream stream) { return stream.job->instance->nodes[stream.operator_id]; }

static const output *output_of(const node *n, const char *port) {
    for (size_t i = 0; i < n->outputs_len; i++) {
        if (strcmp(n->outputs[i].name, port) == 0) return &n->outputs[i];
    }
    return NULL;
}

static schema input_schema(tdm_job *job, const node *n, size_t index);

/* The columns of a stream; implied ports included. */
static schema schema_of(tdm_stream stream) {
    const node *n = node_of(stream);
    const output *out = output_of(n, stream.port);
    if (out) return out->schema;
    if (strcmp(stream.port, DEAD_LETTER) == 0) return record_schema(stream.job, &tdm_dead_letter_record);
    if (strcmp(stream.port, LATE) == 0) return input_schema(stream.job, n, 0);
    for (size_t i = 0; n->sides && i < n->inputs_len; i++) {
        bool late = strncmp(stream.port, LATE_SIDE, strlen(LATE_SIDE)) == 0;
        if (late && strcmp(stream.port + strlen(LATE_SIDE), n->sides[i].name) == 0) return input_schema(stream.job, n, i);
    }
    return (schema){NULL, 0};
}

static schema input_schema(tdm_job *job, const node *n, size_t index) {
    const input *in = &n->inputs[index];
    return schema_of((tdm_stream){job, in->from, in->port, NULL, FORWARD, NULL});
}

static node *add_node(tdm_job *job, const char *name, kind kind, size_t inputs) {
    tdm_instance *instance = job->instance;
    if (instance->nodes_len == instance->nodes_room) {
        instance->nodes_room = instance->nodes_room ? 2 * instance->nodes_room : 16;
        instance->nodes = checked(realloc(instance->nodes, instance->nodes_room * sizeof *instance->nodes));
    }
    node *n = plan_alloc(job, sizeof *n);
    n->name = arena_string(&instance->plan, name ? name : NO_NAME);
    n->kind = kind;
    n->id = (uint32_t)instance->nodes_len;
    n->inputs = plan_alloc(job, inputs * sizeof *n->inputs + 1);
    n->inputs_len = inputs;
    instance->nodes[instance->nodes_len++] = n;
    if (!name) note(job, "a %s has no name: state, metrics and errors go by it", KIND_NAMES[kind]);
    return n;
}

static input read_by(tdm_stream stream, bool keyed) {
    return (input){stream.operator_id, stream.port, stream.field, keyed ? FORWARD : stream.partition};
}

static void add_output(tdm_job *job, node *n, const char *name, schema s, const tdm_record *record, const char *variant) {
    output *all = plan_alloc(job, (n->outputs_len + 1) * sizeof *all);
    if (n->outputs_len) memcpy(all, n->outputs, n->outputs_len * sizeof *all);
    all[n->outputs_len] = (output){arena_string(&job->instance->plan, name), variant, s, record};
    n->outputs = all;
    n->outputs_len++;
}

static tdm_stream stream_of(tdm_job *job, const node *n, const char *port, const tdm_record *record) {
    return (tdm_stream){job, n->id, port, record, FORWARD, NULL};
}

static tdm_stream main_stream(tdm_job *job, const node *n) {
    return stream_of(job, n, n->outputs_len ? n->outputs[0].name : MAIN, n->outputs_len ? n->outputs[0].record : NULL);
}

/* Notes where the columns of a stream cannot be read as a record: they are its fields, perhaps with hidden columns behind, and have
 * its names where a name is the job's. */
static bool check_reads(tdm_stream stream, const tdm_record *type, const char *who, const char *name) {
    schema s = schema_of(stream);
    bool fits = type->count <= s.count;
    for (size_t i = 0; fits && i < s.count; i++) {
        bool hidden = s.columns[i].name[0] == '$';
        if (i >= type->count) fits = hidden;
        else fits = s.columns[i].type == type->fields[i].type && (hidden || strcmp(s.columns[i].name, type->fields[i].name) == 0);
    }
    if (fits) return true;
    schema wanted = record_schema(stream.job, type);
    buffer text = {NULL, 0, 0};
    append_format(&text, "%s \"%s\" takes %s (", who, name, type->name);
    append_schema(&text, wanted.columns, wanted.count);
    append_format(&text, "), but \"%s\" gives it (", node_of(stream)->name);
    append_schema(&text, s.columns, s.count);
    append(&text, ")", 2);
    note(stream.job, "%s", (const char *)text.at);
    release(&text);
    return false;
}

/* The index of the field, or -1 after noting that it is none of the stream's. */
static int field_index(tdm_stream stream, tdm_field_of field, const char *what) {
    if (same_record(field.record, stream.record)) {
        for (size_t i = 0; i < field.record->count; i++) {
            if (field.record->fields[i].offset == field.offset) return (int)i;
        }
        note(stream.job, "%s of \"%s\" is a member of %s that is no field of the record", what, node_of(stream)->name, field.record->name);
        return -1;
    }
    note(stream.job, "%s of \"%s\" is a field of %s, but the records are %s", what, node_of(stream)->name,
        field.record ? field.record->name : "nothing", stream.record ? stream.record->name : "unknown");
    return -1;
}

/* ==== 8 streams =============================================================================================== */

static void start_ports(tdm_job *job, node *n);
static void start_tables(tdm_job *job, node *n, const tdm_state *const *pieces, size_t count);
static void share_tables(node *n, size_t first);
static void time_items(node *n);
static const tdm_record *record_of(const tdm_state *piece) { return piece->native ? piece->native->record : piece->record; }

tdm_windows tdm_tumbling(int64_t size) { return (tdm_windows){.assigner = TDM_TUMBLING, .size = size}; }
tdm_windows tdm_sliding(int64_t size, int64_t slide) { return (tdm_windows){.assigner = TDM_SLIDING, .size = size, .slide = slide}; }
tdm_windows tdm_session(int64_t gap) { return (tdm_windows){.assigner = TDM_SESSION, .gap = gap}; }
tdm_windows tdm_session_by(tdm_field_of gap) { return (tdm_windows){.assigner = TDM_SESSION_BY, .gap_of = gap}; }
tdm_windows tdm_calendar_days(const char *timezone) { return (tdm_windows){.assigner = TDM_DAYS, .timezone = timezone, .days = 1}; }
tdm_windows tdm_records(uint64_t count) { return (tdm_windows){.assigner = TDM_RECORDS, .records = count}; }
tdm_windows tdm_records_sliding(uint64_t count, uint64_t slide) {
    return (tdm_windows){.assigner = TDM_RECORDS, .records = count, .slide_records = slide};
}
tdm_windows tdm_global_window(void) { return (tdm_windows){.assigner = TDM_GLOBAL}; }

tdm_evictor tdm_all_but_last(uint64_t count) { return (tdm_evictor){.evict = TDM_ALL_BUT_LAST, .number = (int64_t)count}; }
tdm_evictor tdm_older_than(int64_t span) { return (tdm_evictor){.evict = TDM_OLDER_THAN, .number = span}; }
tdm_evictor tdm_differing_by(tdm_field_of field, double threshold) {
    return (tdm_evictor){.evict = TDM_DIFFERING_BY, .field = field, .threshold = threshold};
}

static tdm_trigger trigger_of(tdm_when when, int64_t number) { return (tdm_trigger){.words = {{when, false, number}}, .count = 1}; }

tdm_trigger tdm_at_end(void) { return trigger_of(TDM_AT_END, 0); }
tdm_trigger tdm_late_each(void) { return trigger_of(TDM_LATE_EACH, 0); }
tdm_trigger tdm_early_every(int64_t span) { return trigger_of(TDM_EARLY_EVERY, span); }
tdm_trigger tdm_after(int64_t span) { return trigger_of(TDM_AFTER, span); }
tdm_trigger tdm_every_records(uint64_t count) { return trigger_of(TDM_EVERY_RECORDS, (int64_t)count); }

tdm_trigger tdm_combined(tdm_when when, const tdm_trigger *triggers, size_t count) {
    tdm_trigger all = trigger_of(when, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        for (size_t w = 0; w < triggers[i].count; w++, all.count++) {
            if (all.count < TDM_DECLARED_MAX && w < TDM_DECLARED_MAX) all.words[all.count] = triggers[i].words[w];
        }
    }
    return all;
}

tdm_trigger tdm_by_event_time(tdm_trigger trigger) {
    trigger.words[0].event_time = true;
    return trigger;
}

tdm_trigger tdm_purging(tdm_trigger trigger) {
    trigger.purging = true;
    return trigger;
}

tdm_watermarks tdm_monotonic(void) { return (tdm_watermarks){.bounded = false}; }
tdm_watermarks tdm_out_of_order(int64_t bound) { return (tdm_watermarks){.bounded = true, .bound = bound}; }
tdm_watermarks tdm_generated_by(const tdm_generator *generator) { return (tdm_watermarks){.generator = generator}; }
tdm_watermarks tdm_generated_by_clock(const tdm_generator *generator, int64_t every) {
    return (tdm_watermarks){.generator = generator, .by_clock = true, .every = every};
}
tdm_format tdm_json(const char *url) { return (tdm_format){"json", url}; }
tdm_format tdm_csv(const char *url) { return (tdm_format){"csv", url}; }
tdm_format tdm_lines(const char *url) { return (tdm_format){"text", url}; }

static node *add_binding(tdm_job *job, const char *name, kind kind, size_t inputs, tdm_format format) {
    node *n = add_node(job, name, kind, inputs);
    n->format = format.name ? format.name : "json";
    n->url = format.url ? arena_string(&job->instance->plan, format.url) : NULL;
    return n;
}

tdm_stream tdm_add_source(tdm_job *job, const char *name, const tdm_record *record, tdm_format format) {
    node *n = add_binding(job, name, SOURCE, 0, format);
    add_output(job, n, MAIN, record_schema(job, record), record, NULL);
    return main_stream(job, n);
}

tdm_stream tdm_tagged_source(tdm_job *job, const char *name, const char *tag, tdm_format format) {
    node *n = add_binding(job, name, SOURCE, 0, format);
    n->tag = arena_string(&job->instance->plan, tag);
    return main_stream(job, n);
}

tdm_stream tdm_add_variant(tdm_stream source, const char *value, const tdm_record *record) {
    node *n = node_of(source);
    if (n->kind != SOURCE || !n->tag) note(source.job, "\"%s\" has no variants: only a tagged source has", n->name);
    if (output_of(n, value)) note(source.job, "variant \"%s\" is asked for twice: use one stream twice", value);
    const char *kept = arena_string(&source.job->instance->plan, value);
    add_output(source.job, n, kept, record_schema(source.job, record), record, kept);
    return stream_of(source.job, n, kept, record);
}

tdm_stream tdm_event_time_field(tdm_stream source, const char *name, tdm_watermarks watermarks) {
    node *n = node_of(source);
    if (n->kind != SOURCE) {
        note(source.job, "\"%s\" is no source: its records get an event time by tdm_assign_event_time", n->name);
        return source;
    }
    if (watermarks.generator) {
        note(source.job,
            "\"%s\" is a source, which makes no watermarks by a generator: leave its time out and put tdm_assign_event_time behind it",
            n->name);
    }
    n->time = arena_string(&source.job->instance->plan, name);
    n->watermarks = watermarks;
    n->has_watermarks = true;
    return source;
}

tdm_stream tdm_event_time(tdm_stream source, tdm_field_of field, tdm_watermarks watermarks) {
    int index = field_index(source, field, "the event time");
    if (index < 0) return source;
    if (field.record->fields[index].type != TDM_I64) {
        note(source.job, "the event time of \"%s\" is an int64_t, which %s.%s is not", node_of(source)->name, field.record->name,
            field.record->fields[index].name);
    }
    return tdm_event_time_field(source, schema_of(source).columns[index].name, watermarks);
}

/* Adds a stateless operator whose results have the columns of `out`, and of `extra` behind them. */
static tdm_stream add_stateless(
    tdm_stream stream, const char *name, kind kind, const tdm_function *function, const tdm_record *out, schema extra) {
    tdm_job *job = stream.job;
    node *n = add_node(job, name, kind, 1);
    n->inputs[0] = read_by(stream, false);
    n->function = function;
    n->in = function->in;
    check_reads(stream, function->in, KIND_NAMES[kind], n->name);
    add_output(job, n, MAIN, joined(job, record_schema(job, out), extra), out, NULL);
    for (size_t i = 0; i < TDM_DECLARED_MAX && function->sides[i]; i++) {
        const tdm_side *side = function->sides[i];
        if (output_of(n, side->name)) note(job, "operator \"%s\" has two outputs called \"%s\"", n->name, side->name);
        add_output(job, n, side->name, record_schema(job, side->record), side->record, NULL);
    }
    start_ports(job, n);
    return main_stream(job, n);
}

tdm_stream tdm_add_map(tdm_stream stream, const char *name, const tdm_map_function *map) {
    return add_stateless(stream, name, MAP, &map->function, map->function.out, (schema){NULL, 0});
}

tdm_stream tdm_add_filter(tdm_stream stream, const char *name, const tdm_filter_function *filter) {
    return add_stateless(stream, name, FILTER, &filter->function, filter->function.out, (schema){NULL, 0});
}

tdm_stream tdm_add_flat_map(tdm_stream stream, const char *name, const tdm_flat_map_function *flat_map) {
    return add_stateless(stream, name, FLAT_MAP, &flat_map->function, flat_map->function.out, (schema){NULL, 0});
}

tdm_stream tdm_add_timestamps(tdm_stream stream, const char *name, const tdm_number_function *number, tdm_watermarks watermarks) {
    tdm_stream out = add_stateless(stream, name, TIMESTAMPS, &number->function, number->function.in, (schema){NULL, 0});
    node_of(out)->watermarks = watermarks;
    const tdm_generator *generator = watermarks.generator;
    if (generator && !same_record(generator->in, number->function.in)) {
        note(stream.job, "the generator %s of \"%s\" is for %s, but the times are of %s", generator->name, node_of(out)->name,
            generator->in->name, number->function.in->name);
    }
    if (watermarks.by_clock && !generator->on_periodic)
        note(stream.job, "%s of \"%s\" gives nothing by the clock: use tdm_generated", generator->name, node_of(out)->name);
    return out;
}

tdm_stream tdm_add_union(tdm_job *job, const char *name, const tdm_stream *streams, size_t count) {
    node *n = add_node(job, name, UNION, count);
    for (size_t i = 0; i < count; i++) {
        n->inputs[i] = read_by(streams[i], false);
        if (!same_record(streams[i].record, streams[0].record)) {
            note(job, "union \"%s\" joins different records: %s and %s", n->name, streams[0].record ? streams[0].record->name : "unknown",
                streams[i].record ? streams[i].record->name : "unknown");
        }
    }
    if (count) add_output(job, n, MAIN, schema_of(streams[0]), streams[0].record, NULL);
    return main_stream(job, n);
}

tdm_stream tdm_side_output(tdm_stream stream, const tdm_side *side) {
    const node *n = node_of(stream);
    const output *out = output_of(n, side->name);
    if (!out || out == n->outputs) note(stream.job, "operator \"%s\" declares no side output \"%s\"", n->name, side->name);
    else if (!same_record(out->record, side->record))
        note(stream.job, "side output \"%s\" of \"%s\" has other records than %s", side->name, n->name, side->record->name);
    return stream_of(stream.job, n, side->name, side->record);
}

static tdm_stream partitioned(tdm_stream stream, int partition) {
    stream.partition = partition;
    return stream;
}

tdm_stream tdm_rebalance(tdm_stream stream) { return partitioned(stream, REBALANCE); }
tdm_stream tdm_shuffle(tdm_stream stream) { return partitioned(stream, SHUFFLE); }
tdm_stream tdm_rescale(tdm_stream stream) { return partitioned(stream, RESCALE); }
tdm_stream tdm_broadcast(tdm_stream stream) { return partitioned(stream, BROADCAST); }
tdm_stream tdm_global(tdm_stream stream) { return partitioned(stream, GLOBAL); }

tdm_stream tdm_add_partition(tdm_stream stream, const char *name, const tdm_number_function *number) {
    static tdm_column worker[] = {{"$partition", TDM_I64}};
    tdm_stream out = add_stateless(stream, name, KEY_BY, &number->function, number->function.in, (schema){worker, 1});
    out.field = worker[0].name;
    return partitioned(out, CUSTOM);
}

static tdm_keyed keyed_by(tdm_stream stream, const size_t *columns, size_t count) {
    tdm_keyed keyed = {stream, (uint32_t)count, {NULL, NULL, NULL, NULL}};
    schema s = schema_of(stream);
    for (size_t i = 0; i < count; i++) {
        keyed.names[i] = s.columns[columns[i]].name;
        if (base(s.columns[columns[i]].type) == TDM_F64)
            note(stream.job, "\"%s\" of \"%s\" cannot be a key: it is a double; round it to an int64_t", keyed.names[i],
                node_of(stream)->name);
    }
    return keyed;
}

tdm_keyed tdm_keyed_by(tdm_stream stream, const tdm_field_of *fields, size_t count) {
    size_t columns[KEYS_MAX] = {0};
    if (count > KEYS_MAX) note(stream.job, "a key of \"%s\" has %zu fields, more than %d", node_of(stream)->name, count, KEYS_MAX);
    for (size_t i = 0; i < count && i < KEYS_MAX; i++) {
        int index = field_index(stream, fields[i], "a key field");
        if (index < 0) return (tdm_keyed){stream, 0, {NULL, NULL, NULL, NULL}};
        columns[i] = (size_t)index;
    }
    return keyed_by(stream, columns, count < KEYS_MAX ? count : KEYS_MAX);
}

tdm_keyed tdm_add_key(tdm_stream stream, const char *name, const tdm_key_function *key_function) {
    const tdm_function *function = &key_function->function;
    schema extra = record_schema(stream.job, function->out);
    size_t columns[KEYS_MAX] = {0};
    if (extra.count > KEYS_MAX) note(stream.job, "the key %s has %zu fields, more than %d", function->out->name, extra.count, KEYS_MAX);
    if (extra.count > KEYS_MAX) extra.count = KEYS_MAX;
    for (size_t i = 0; i < extra.count; i++) {
        static const char *const names[KEYS_MAX] = {"$key0", "$key1", "$key2", "$key3"};
        extra.columns[i].name = names[i];
        columns[i] = function->in->count + i;
    }
    return keyed_by(add_stateless(stream, name, KEY_BY, function, function->in, extra), columns, extra.count);
}

/* Adds an operator with a key, and perhaps inputs without one behind the others. */
static node *add_keyed(const char *name, kind kind, const tdm_keyed *inputs, size_t count, size_t more) {
    tdm_job *job = inputs[0].stream.job;
    node *n = add_node(job, name, kind, count + more);
    n->keys = plan_alloc(job, count * sizeof *n->keys);
    n->keys_len = count;
    for (size_t i = 0; i < count; i++) {
        const tdm_keyed *keyed = &inputs[i];
        schema s = schema_of(keyed->stream);
        n->inputs[i] = read_by(keyed->stream, true);
        n->keys[i].count = keyed->count;
        for (size_t k = 0; k < keyed->count; k++) {
            n->keys[i].names[k] = keyed->names[k];
            for (size_t c = 0; c < s.count; c++) {
                if (strcmp(s.columns[c].name, keyed->names[k]) != 0) continue;
                n->keys[i].columns[k] = c;
                n->keys[i].types[k] = s.columns[c].type;
            }
        }
    }
    return n;
}

/* Notes what does not fit together in a process function. */
static void check_process(tdm_job *job, const node *n, const tdm_process *process, bool broadcast) {
    if (!process->out) note(job, "process \"%s\" does not say what it emits: set .out", n->name);
    if (process->timers[0] && !process->on_timer) note(job, "process \"%s\" has timers, but no .on_timer", n->name);
    if (broadcast && !process->broadcast) note(job, "process \"%s\" is given a broadcast stream, but has no .broadcast", n->name);
    if (!broadcast && (process->broadcast || process->shared[0]))
        note(job, "process \"%s\" has .broadcast or .shared, but is given no broadcast stream", n->name);
    if (broadcast && !n->keys[0].count && (process->state[0] || process->timers[0] || process->on_key))
        note(job, "process \"%s\" has records without a key, so it has no .state, .timers and .on_key", n->name);
}

static tdm_stream add_process(
    const char *name, const tdm_process *process, const tdm_keyed *inputs, size_t count, const tdm_stream *broadcast) {
    tdm_job *job = inputs[0].stream.job;
    node *n = add_keyed(name, PROCESS, inputs, count, broadcast ? 1 : 0);
    n->process = process;
    const tdm_state *all[2 * TDM_DECLARED_MAX];
    size_t functions = 0, pieces = 0, shared = 0;
    while (functions < TDM_DECLARED_MAX && process->inputs[functions]) functions++;
    while (pieces < TDM_DECLARED_MAX && process->state[pieces]) all[pieces] = process->state[pieces], pieces++;
    while (shared < TDM_DECLARED_MAX && process->shared[shared]) all[pieces + shared] = process->shared[shared], shared++;
    if (functions != count) note(job, "process \"%s\" has functions for %zu inputs, but is given %zu", n->name, functions, count);
    for (size_t i = 0; i < count && i < functions; i++) check_reads(inputs[i].stream, process->inputs[i]->in, "process", n->name);
    check_process(job, n, process, broadcast);
    if (broadcast) {
        n->inputs[count] = read_by(*broadcast, false);
        n->inputs[count].partition = BROADCAST;
        if (process->broadcast) check_reads(*broadcast, process->broadcast->in, "process", n->name);
        if (process->on_key) check_reads(*broadcast, process->on_key->in, "process", n->name);
    }
    const tdm_record *out = process->out ? process->out : &int64_t_record;
    add_output(job, n, MAIN, record_schema(job, out), out, NULL);
    for (size_t i = 0; i < TDM_DECLARED_MAX && process->sides[i]; i++) {
        const tdm_side *side = process->sides[i];
        if (output_of(n, side->name) || strcmp(side->name, DEAD_LETTER) == 0)
            note(job, "operator \"%s\" has two outputs called \"%s\"", n->name, side->name);
        add_output(job, n, side->name, record_schema(job, side->record), side->record, NULL);
    }
    start_ports(job, n);
    start_tables(job, n, all, pieces + shared);
    share_tables(n, pieces);
    uint32_t timers = 0;
    while (timers < TDM_DECLARED_MAX && process->timers[timers]) timers++;
    for (size_t i = 0; i < pieces + shared; i++) {
        if (!all[i]->ttl.expires) continue;
        if (i >= pieces) note(job, "state \"%s\" of \"%s\" is shared by all keys, which lives for ever", all[i]->name, n->name);
        uint32_t *sweeper = &n->sweepers[all[i]->ttl.processing_time];
        if (!*sweeper) *sweeper = UINT32_MAX;
    }
    for (size_t d = 0; d < 2; d++) n->sweepers[d] = n->sweepers[d] ? ++timers : 0;
    return main_stream(job, n);
}

tdm_stream tdm_add_process(const char *name, const tdm_process *process, const tdm_keyed *inputs, size_t count) {
    return add_process(name, process, inputs, count, NULL);
}

tdm_stream tdm_connected_broadcast(tdm_keyed keyed, tdm_stream broadcast, const char *name, const tdm_process *process) {
    return add_process(name, process, &keyed, 1, &broadcast);
}

tdm_stream tdm_connected_broadcast_all(tdm_stream stream, tdm_stream broadcast, const char *name, const tdm_process *process) {
    const tdm_keyed keyed = {stream, 0, {NULL, NULL, NULL, NULL}};
    tdm_stream results = add_process(name, process, &keyed, 1, &broadcast);
    node_of(results)->inputs[0] = read_by(stream, false);
    return results;
}

tdm_stream tdm_processed(tdm_keyed keyed, const char *name, const tdm_process *process) {
    return tdm_add_process(name, process, &keyed, 1);
}

tdm_stream tdm_add_reduce(tdm_keyed keyed, const char *name, const tdm_reduce_function *function) {
    tdm_job *job = keyed.stream.job;
    node *n = add_keyed(name, PROCESS, &keyed, 1, 0);
    n->reduce = function;
    check_reads(keyed.stream, function->record, "reduce", n->name);
    add_output(job, n, MAIN, record_schema(job, function->record), function->record, NULL);
    start_ports(job, n);
    tdm_state *so_far = plan_alloc(job, sizeof *so_far);
    *so_far = (tdm_state){"so-far", TDM_KIND_VALUE, NULL, function->record, NULL, TDM_FOREVER_};
    const tdm_state *pieces[] = {so_far};
    start_tables(job, n, pieces, 1);
    return main_stream(job, n);
}

static schema key_schema(tdm_job *job, const node *n) {
    const key *k = &n->keys[0];
    schema s = {plan_alloc(job, (k->count + 1) * sizeof(tdm_column)), k->count};
    for (size_t i = 0; i < k->count; i++) s.columns[i] = (tdm_column){k->names[i], k->types[i]};
    return s;
}

/* The column that an aggregate of the host gives, after noting its field. */
static schema aggregate_schema(tdm_stream stream, node *n, const char *aggregate, tdm_field_of field) {
    tdm_job *job = stream.job;
    schema s = {plan_alloc(job, sizeof(tdm_column)), 1};
    n->aggregate = aggregate;
    s.columns[0] = (tdm_column){"count", TDM_I64};
    if (strcmp(aggregate, "count") == 0) return s;
    int index = field_index(stream, field, "the field of an aggregate");
    if (index < 0) return s;
    s.columns[0] = schema_of(stream).columns[index];
    n->aggregate_field = s.columns[0].name;
    if (strcmp(aggregate, "sum") == 0 && s.columns[0].type == TDM_I32) s.columns[0].type = TDM_I64;
    return strncmp(aggregate + 3, "-by", 3) == 0 ? schema_of(stream) : s;
}

tdm_stream tdm_add_rolling(tdm_keyed keyed, const char *name, const char *aggregate, tdm_field_of field, const tdm_record *out) {
    tdm_job *job = keyed.stream.job;
    node *n = add_keyed(name, ROLLING, &keyed, 1, 0);
    schema column = aggregate_schema(keyed.stream, n, aggregate, field);
    schema s = out ? joined(job, key_schema(job, n), column) : column;
    if (!out) out = keyed.stream.record;
    add_output(job, n, MAIN, s, out, NULL);
    tdm_stream stream = main_stream(job, n);
    check_reads(stream, out, "the reader of", n->name);
    return stream;
}

tdm_windowed tdm_window_by(tdm_keyed keyed, tdm_windows windows) { return (tdm_windowed){keyed, windows}; }

tdm_windowed tdm_window_all(tdm_stream stream, tdm_windows windows) {
    return (tdm_windowed){{stream, 0, {NULL, NULL, NULL, NULL}}, windows};
}

static int numeric_type(tdm_field_of field);

/* Cuts what an operator reads into windows, after noting what they cannot be. */
static void set_windows(tdm_stream first, node *n, tdm_windows windows) {
    tdm_job *job = first.job;
    n->windows = windows;
    if (windows.trigger.count > TDM_DECLARED_MAX)
        note(job, "the trigger of \"%s\" has %zu words, more than %d", n->name, windows.trigger.count, TDM_DECLARED_MAX);
    if (n->kind == WINDOW_JOIN && windows.trigger.count) note(job, "join \"%s\" joins windows when they end: it has no trigger", n->name);
    if (windows.or_after && (windows.assigner != TDM_RECORDS || windows.slide_records))
        note(job, "\"%s\" has .or_after, which only windows of tdm_records have", n->name);
    const tdm_evictor *e = &windows.evictor;
    if (e->evict && n->kind != WINDOW) note(job, "\"%s\" has no evictor: only windows of one input have", n->name);
    if (e->evict == TDM_CHOSEN && !same_record(e->record, first.record))
        note(job, "the evictor of \"%s\" takes %s, but the records are %s", n->name, e->record->name,
            first.record ? first.record->name : "unknown");
    int compared = e->evict == TDM_DIFFERING_BY ? field_index(first, e->field, "an evictor") : -1;
    if (compared >= 0) {
        n->evict_field = &e->field.record->fields[compared];
        if (!numeric_type(e->field))
            note(job, "an evictor of \"%s\" compares field \"%s\", which is no number", n->name, n->evict_field->name);
    }
    if (windows.timezone) n->windows.timezone = arena_string(&job->instance->plan, windows.timezone);
    if (windows.assigner != TDM_SESSION_BY) return;
    int index = field_index(first, windows.gap_of, "the gap of sessions");
    if (index < 0) return;
    n->gap_field = schema_of(first).columns[index].name;
    if (schema_of(first).columns[index].type != TDM_I64)
        note(job, "the gap of sessions of \"%s\" is an int64_t, which %s.%s is not", n->name, windows.gap_of.record->name, n->gap_field);
}

static void note_evictor(tdm_job *job, const node *n) {
    note(job, "window \"%s\" keeps an aggregate and no records, so it has no evictor: use tdm_window_process", n->name);
}

/* Adds a window that is computed here. */
static tdm_stream add_window(tdm_windowed windowed, const char *name, const tdm_record *in, tdm_kind state, const tdm_record *acc,
    const tdm_native *native, const tdm_record *out, node **made) {
    tdm_job *job = windowed.keyed.stream.job;
    node *n = add_keyed(name, WINDOW, &windowed.keyed, 1, 0);
    set_windows(windowed.keyed.stream, n, windowed.windows);
    n->in = in;
    check_reads(windowed.keyed.stream, in, "window", n->name);
    add_output(job, n, MAIN, record_schema(job, out), out, NULL);
    start_ports(job, n);
    tdm_state *piece = plan_alloc(job, sizeof *piece);
    *piece = (tdm_state){ACC, state, NULL, acc, native, TDM_FOREVER_};
    const tdm_state *pieces[] = {piece};
    start_tables(job, n, pieces, 1);
    if (windowed.windows.evictor.evict && state != TDM_KIND_LIST) note_evictor(job, n);
    else if (windowed.windows.evictor.evict) time_items(n);
    *made = n;
    return main_stream(job, n);
}

tdm_stream tdm_add_aggregate(tdm_windowed windowed, const char *name, tdm_aggregator aggregator, const tdm_finish *finish) {
    node *n;
    bool ready = aggregator.add != NULL;
    if (!ready) {
        note(windowed.keyed.stream.job,
            "window \"%s\" aggregates a field of %s that is no int32_t, int64_t or double: turn it into one by a map before", name,
            aggregator.in->name);
        aggregator.acc = finish->result;
    }
    tdm_stream stream = add_window(windowed, name, aggregator.in, TDM_KIND_ACCUMULATOR, aggregator.acc, aggregator.native, finish->out, &n);
    n->aggregator = aggregator;
    n->finish = finish;
    const tdm_record *result = aggregator.result ? aggregator.result : aggregator.acc;
    if (ready && (aggregator.native != finish->native || (!finish->native && !same_record(result, finish->result)))) {
        note(stream.job, "window \"%s\" finishes %s, but its aggregate gives %s", n->name,
            finish->result ? finish->result->name : "a native accumulator", result ? result->name : "a native accumulator");
    }
    return stream;
}

tdm_stream tdm_add_window_process(tdm_windowed windowed, const char *name, const tdm_finish *process) {
    node *n;
    tdm_stream stream = add_window(windowed, name, process->result, TDM_KIND_LIST, process->result, NULL, process->out, &n);
    n->finish = process;
    return stream;
}

tdm_stream tdm_add_window_reduce(tdm_windowed windowed, const char *name, const tdm_reduce_function *function) {
    node *n;
    tdm_stream stream = add_window(windowed, name, function->record, TDM_KIND_ACCUMULATOR, function->record, NULL, function->record, &n);
    n->reduce = function;
    return stream;
}

tdm_stream tdm_add_host_window(tdm_windowed windowed, const char *name, const char *aggregate, tdm_field_of field, const tdm_record *out) {
    static tdm_column bounds[] = {{"start", TDM_I64}, {"end", TDM_I64}};
    tdm_job *job = windowed.keyed.stream.job;
    node *n = add_keyed(name, WINDOW, &windowed.keyed, 1, 0);
    set_windows(windowed.keyed.stream, n, windowed.windows);
    if (windowed.windows.evictor.evict) note_evictor(job, n);
    schema column = aggregate_schema(windowed.keyed.stream, n, aggregate, field), both = {bounds, 2};
    bool whole = strncmp(aggregate + 3, "-by", 3) == 0;
    schema s = whole ? joined(job, both, column) : joined(job, joined(job, key_schema(job, n), both), column);
    add_output(job, n, MAIN, s, out, NULL);
    tdm_stream stream = main_stream(job, n);
    check_reads(stream, out, "the reader of", n->name);
    return stream;
}

tdm_stream tdm_late_as(tdm_stream results, const tdm_record *record) {
    const node *n = node_of(results);
    tdm_stream late = stream_of(results.job, n, LATE, record);
    if (n->kind != WINDOW) note(results.job, "\"%s\" is no window: only windows have late records", n->name);
    else if (n->windows.processing_time) note(results.job, "window \"%s\" is in processing time, where nothing is late", n->name);
    else check_reads(late, record, "the reader of the late records of", n->name);
    return late;
}

/* Joins. */

tdm_join_side tdm_required(const char *name, tdm_keyed keyed) { return (tdm_join_side){keyed, name, false}; }
tdm_join_side tdm_optional(const char *name, tdm_keyed keyed) { return (tdm_join_side){keyed, name, true}; }
tdm_interval tdm_within(int64_t lower, int64_t upper) { return (tdm_interval){lower, upper, false, false}; }

static const char *port_name(tdm_job *job, const char *head, const char *name) {
    char *whole = plan_alloc(job, strlen(head) + strlen(name) + 1);
    return strcat(strcpy(whole, head), name);
}

/* Adds an operator over sides, whose keys must have the same types. */
static node *add_sides(const char *name, kind kind, const tdm_join_side *sides, size_t count) {
    tdm_job *job = sides[0].keyed.stream.job;
    tdm_keyed *inputs = plan_alloc(job, count * sizeof *inputs);
    for (size_t i = 0; i < count; i++) inputs[i] = sides[i].keyed;
    node *n = add_keyed(name, kind, inputs, count, 0);
    n->sides = plan_alloc(job, count * sizeof *n->sides);
    for (size_t i = 0; i < count; i++) {
        n->sides[i] = (side){arena_string(&job->instance->plan, sides[i].name), sides[i].optional};
        const key *first = &n->keys[0], *own = &n->keys[i];
        bool same = own->count == first->count;
        for (size_t k = 0; same && k < own->count; k++) same = own->types[k] == first->types[k];
        if (!same)
            note(job, "sides of \"%s\" have keys of the same types, those of \"%s\" and \"%s\" are not", n->name, sides[0].name,
                sides[i].name);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(n->sides[k].name, n->sides[i].name) == 0) note(job, "two sides of \"%s\" are called \"%s\"", n->name, sides[i].name);
        }
    }
    return n;
}

/* The columns of a side in a result. */
static schema side_schema(tdm_job *job, const node *n, size_t index) {
    schema in = input_schema(job, n, index), s = {plan_alloc(job, (in.count + 1) * sizeof(tdm_column)), in.count};
    char *head = plan_alloc(job, strlen(n->sides[index].name) + 2);
    strcat(strcpy(head, n->sides[index].name), ".");
    for (size_t c = 0; c < in.count; c++) {
        if (in.columns[c].name[0] == '$')
            note(job,
                "side \"%s\" of \"%s\" has a key or a worker that is computed: a join needs a key in a field, so give it one in a map "
                "before",
                n->sides[index].name, n->name);
        int type = in.columns[c].type | (n->sides[index].optional ? TDM_OPTIONAL : 0);
        s.columns[c] = (tdm_column){port_name(job, head, in.columns[c].name), type};
    }
    return s;
}

static tdm_stream add_join(const char *name, kind kind, const tdm_record *out, const tdm_join_side *sides, size_t count, node **made) {
    static tdm_column bounds[] = {{"start", TDM_I64}, {"end", TDM_I64}};
    tdm_job *job = sides[0].keyed.stream.job;
    node *n = *made = add_sides(name, kind, sides, count);
    schema s = {bounds, kind == WINDOW_JOIN ? 2 : 0};
    for (size_t i = 0; i < count; i++) s = joined(job, s, side_schema(job, n, i));
    add_output(job, n, MAIN, s, out, NULL);
    check_reads(main_stream(job, n), out, "the reader of", n->name);
    return main_stream(job, n);
}

tdm_stream tdm_add_window_join(const char *name, const tdm_record *out, tdm_windows windows, const tdm_join_side *sides, size_t count) {
    node *n;
    tdm_stream results = add_join(name, WINDOW_JOIN, out, sides, count, &n);
    set_windows(sides[0].keyed.stream, n, windows);
    return results;
}

tdm_stream tdm_add_interval_join(
    const char *name, const tdm_record *out, tdm_interval interval, tdm_join_side first, tdm_join_side second) {
    node *n;
    tdm_stream results = add_join(name, INTERVAL_JOIN, out, (const tdm_join_side[]){first, second}, 2, &n);
    n->interval = interval;
    return results;
}

tdm_stream tdm_add_keyed_join(const char *name, const tdm_record *out, const tdm_join_side *sides, size_t count) {
    node *n;
    return add_join(name, KEYED_JOIN, out, sides, count, &n);
}

tdm_stream tdm_add_temporal_join(const char *name, const tdm_record *out, tdm_join_side records, tdm_join_side versions) {
    node *n;
    return add_join(name, TEMPORAL_JOIN, out, (const tdm_join_side[]){records, versions}, 2, &n);
}

tdm_stream tdm_add_co_group(
    tdm_keyed first, tdm_keyed second, const char *name, tdm_windows windows, const tdm_co_group_function *function) {
    static const char FIRST[] = "first", SECOND[] = "second";
    tdm_job *job = first.stream.job;
    node *n = add_sides(name, CO_GROUP, (const tdm_join_side[]){{first, FIRST, false}, {second, SECOND, false}}, 2);
    set_windows(first.stream, n, windows);
    n->co_group = function;
    check_reads(first.stream, function->first, "co-group", n->name);
    check_reads(second.stream, function->second, "co-group", n->name);
    add_output(job, n, MAIN, record_schema(job, function->out), function->out, NULL);
    start_ports(job, n);
    tdm_state *pieces = plan_alloc(job, 2 * sizeof *pieces);
    pieces[0] = (tdm_state){FIRST, TDM_KIND_LIST, NULL, function->first, NULL, TDM_FOREVER_};
    pieces[1] = (tdm_state){SECOND, TDM_KIND_LIST, NULL, function->second, NULL, TDM_FOREVER_};
    start_tables(job, n, (const tdm_state *const[]){&pieces[0], &pieces[1]}, 2);
    return main_stream(job, n);
}

/* The index of a side, or -1 after noting that there is none. */
static int side_index(tdm_stream results, const char *name) {
    const node *n = node_of(results);
    for (size_t i = 0; n->sides && i < n->inputs_len; i++) {
        if (strcmp(n->sides[i].name, name) == 0) return (int)i;
    }
    note(results.job, n->sides ? "\"%s\" has no side \"%s\"" : "\"%s\" is no join or co-group: it has no side \"%s\"", n->name, name);
    return -1;
}

tdm_stream tdm_unmatched_as(tdm_stream results, const char *name, const tdm_record *record) {
    node *n = node_of(results);
    int index = side_index(results, name);
    tdm_stream stream = stream_of(results.job, n, port_name(results.job, UNMATCHED, name), record);
    if (index < 0) return stream;
    if (n->kind == CO_GROUP) note(results.job, "co-group \"%s\" has all records of its sides: none is unmatched", n->name);
    if (!output_of(n, stream.port)) add_output(results.job, n, stream.port, input_schema(results.job, n, (size_t)index), record, NULL);
    check_reads(stream, record, "the reader of the unmatched records of", n->name);
    return stream;
}

tdm_stream tdm_late_side_as(tdm_stream results, const char *name, const tdm_record *record) {
    const node *n = node_of(results);
    int index = side_index(results, name);
    tdm_stream stream = stream_of(results.job, n, port_name(results.job, LATE_SIDE, name), record);
    if (index < 0) return stream;
    if (n->kind == KEYED_JOIN) note(results.job, "join \"%s\" joins whenever a record comes, where nothing is late", n->name);
    else if (n->kind == TEMPORAL_JOIN && index)
        note(results.job, "join \"%s\" takes versions at any time: none of \"%s\" is late", n->name, name);
    else if (n->windows.processing_time) note(results.job, "\"%s\" is in processing time, where nothing is late", n->name);
    else check_reads(stream, record, "the reader of the late records of", n->name);
    return stream;
}

tdm_stream tdm_parallelism(tdm_stream stream, uint32_t workers) {
    node_of(stream)->parallelism = workers;
    return stream;
}

tdm_stream tdm_start_new_chain(tdm_stream stream) {
    node_of(stream)->chaining = "start";
    return stream;
}

tdm_stream tdm_disable_chaining(tdm_stream stream) {
    node_of(stream)->chaining = "never";
    return stream;
}

tdm_stream tdm_on_errors(tdm_stream stream, tdm_on_error policy) {
    node_of(stream)->policy = policy;
    return stream;
}

tdm_stream tdm_dead_letters(tdm_stream stream) {
    node_of(stream)->policy = TDM_DEAD_LETTER;
    return stream_of(stream.job, node_of(stream), DEAD_LETTER, &tdm_dead_letter_record);
}

void tdm_sink(tdm_stream stream, const char *name, tdm_format format) {
    node *n = add_binding(stream.job, name, SINK, 1, format);
    n->inputs[0] = read_by(stream, false);
}

/* Ready aggregators. */

static const tdm_field mean_fields[] = {TDM_FIELD(tdm_mean, f0), TDM_FIELD(tdm_mean, f1)};
const tdm_record tdm_mean_record = {"tdm_mean", sizeof(tdm_mean), mean_fields, LENGTH(mean_fields)};

static double number_at(const tdm_aggregator *self, const void *in) {
    const uint8_t *at = (const uint8_t *)in + self->offset;
    return self->type == TDM_F64 ? *(const double *)at
        : self->type == TDM_I64  ? (double)*(const int64_t *)at
                                 : (double)*(const int32_t *)at;
}

static int64_t integer_at(const tdm_aggregator *self, const void *in) {
    const uint8_t *at = (const uint8_t *)in + self->offset;
    return self->type == TDM_I64 ? *(const int64_t *)at : *(const int32_t *)at;
}

static void count_add(const tdm_aggregator *self, void *acc, const void *in, bool first) {
    (void)self, (void)in, (void)first;
    ++*(int64_t *)acc;
}

/* Integers wrap around, as Flink's do. */
static void sum_merge(const tdm_aggregator *self, void *into, const void *from) {
    if (self->type == TDM_F64) *(double *)into += *(const double *)from;
    else *(int64_t *)into = (int64_t)((uint64_t)*(int64_t *)into + (uint64_t)*(const int64_t *)from);
}

static void sum_add(const tdm_aggregator *self, void *acc, const void *in, bool first) {
    (void)first;
    int64_t integer = self->type == TDM_F64 ? 0 : integer_at(self, in);
    double number = self->type == TDM_F64 ? number_at(self, in) : 0;
    sum_merge(self, acc, self->type == TDM_F64 ? (const void *)&number : &integer);
}

static void mean_add(const tdm_aggregator *self, void *acc, const void *in, bool first) {
    (void)first;
    tdm_mean *mean = acc;
    mean->f0 += number_at(self, in);
    mean->f1++;
}

static void mean_merge(const tdm_aggregator *self, void *into, const void *from) {
    (void)self;
    tdm_mean *mean = into;
    const tdm_mean *more = from;
    mean->f0 += more->f0;
    mean->f1 += more->f1;
}

static void mean_finish(const tdm_aggregator *self, const void *acc, void *result) {
    (void)self;
    const tdm_mean *mean = acc;
    *(double *)result = mean->f0 / (double)mean->f1;
}

/* Whether `a` lies beyond `b`, downwards for the least and upwards for the greatest. */
static bool beyond(const tdm_aggregator *self, bool least, const void *a, const void *b) {
    if (self->type == TDM_F64) return least ? *(const double *)a < *(const double *)b : *(const double *)a > *(const double *)b;
    if (self->type == TDM_I64) return least ? *(const int64_t *)a < *(const int64_t *)b : *(const int64_t *)a > *(const int64_t *)b;
    return least ? *(const int32_t *)a < *(const int32_t *)b : *(const int32_t *)a > *(const int32_t *)b;
}

static void least_merge(const tdm_aggregator *self, void *into, const void *from) {
    if (beyond(self, true, from, into)) memcpy(into, from, self->acc->size);
}

static void greatest_merge(const tdm_aggregator *self, void *into, const void *from) {
    if (beyond(self, false, from, into)) memcpy(into, from, self->acc->size);
}

/* A number that is none (NaN) is never the least or the greatest, so that of floats the first has to pass infinity. */
static void extreme_add(const tdm_aggregator *self, void *acc, const void *in, bool first) {
    bool least = self->merge == least_merge;
    const uint8_t *value = (const uint8_t *)in + self->offset;
    if (first && self->type == TDM_F64) *(double *)acc = least ? __builtin_inf() : -__builtin_inf();
    else if (first) memcpy(acc, value, self->acc->size);
    self->merge(self, acc, value);
}

static int numeric_type(tdm_field_of field) {
    for (size_t i = 0; i < field.record->count; i++) {
        int type = field.record->fields[i].type;
        if (field.record->fields[i].offset == field.offset) return type == TDM_I32 || type == TDM_I64 || type == TDM_F64 ? type : 0;
    }
    return 0;
}

static const tdm_record *number_record(int type) {
    return type == TDM_F64 ? &double_record : type == TDM_I64 ? &int64_t_record : &int32_t_record;
}

tdm_aggregator tdm_counting(const tdm_record *in) {
    return (tdm_aggregator){in, &int64_t_record, NULL, NULL, count_add, sum_merge, NULL, 0, TDM_I64};
}

tdm_aggregator tdm_summing(tdm_field_of field) {
    int type = numeric_type(field);
    const tdm_record *acc = type == TDM_F64 ? &double_record : &int64_t_record;
    return (tdm_aggregator){field.record, acc, NULL, NULL, type ? sum_add : NULL, sum_merge, NULL, field.offset, type};
}

tdm_aggregator tdm_averaging(tdm_field_of field) {
    int type = numeric_type(field);
    return (tdm_aggregator){
        field.record, &tdm_mean_record, NULL, &double_record, type ? mean_add : NULL, mean_merge, mean_finish, field.offset, type};
}

tdm_aggregator tdm_least(tdm_field_of field) {
    int type = numeric_type(field);
    return (tdm_aggregator){
        field.record, number_record(type), NULL, NULL, type ? extreme_add : NULL, least_merge, NULL, field.offset, type};
}

tdm_aggregator tdm_greatest(tdm_field_of field) {
    int type = numeric_type(field);
    return (tdm_aggregator){
        field.record, number_record(type), NULL, NULL, type ? extreme_add : NULL, greatest_merge, NULL, field.offset, type};
}

/* ==== 9 the plan ============================================================================================== */

static void json_text(buffer *b, const char *text) {
    append(b, "\"", 1);
    for (const char *at = text; *at; at++) {
        uint8_t c = (uint8_t)*at;
        if (c == '"' || c == '\\') append_format(b, "\\%c", c);
        else if (c < 0x20) append_format(b, "\\u%04x", c);
        else append(b, at, 1);
    }
    append(b, "\"", 1);
}

static void json_field(buffer *b, const char *name, const char *text) {
    json_text(b, name);
    append(b, ":", 1);
    json_text(b, text);
}

static void json_schema(buffer *b, const tdm_column *columns, size_t count) {
    append_string(b, "\"schema\":\"");
    append_schema(b, columns, count);
    append(b, "\"", 1);
}

static void json_watermarks(buffer *b, tdm_watermarks w) {
    if (w.generator && w.by_clock) append_format(b, "{\"guest\":{\"every-ms\":%lld}}", (long long)w.every);
    else if (w.generator) append_string(b, "{\"guest\":{}}");
    else if (w.bounded) append_format(b, "{\"bounded\":{\"ms\":%lld}}", (long long)w.bound);
    else append_string(b, "\"monotonic\"");
}

static void json_names(buffer *b, const key *k) {
    append(b, "[", 1);
    for (size_t i = 0; i < k->count; i++) {
        if (i) append(b, ",", 1);
        json_text(b, k->names[i]);
    }
    append(b, "]", 1);
}

static void json_aggregate(buffer *b, const node *n) {
    if (!n->aggregate_field) {
        json_text(b, n->aggregate);
        return;
    }
    append(b, "{", 1);
    json_field(b, n->aggregate, n->aggregate_field);
    append(b, "}", 1);
}

static const tdm_state *piece_of(const node *n, size_t index);

static bool is_shared(const node *n, size_t index);

/* When something was written that lives for a time: in its domain, or in none where that is not known. */
typedef struct stamp {
    tdm_opt_i64 at[2];
} stamp;
static const tdm_field stamp_fields[] = {
    {"$event", offsetof(stamp, at[0]), TDM_I64 + TDM_OPTIONAL}, {"$processing", offsetof(stamp, at[1]), TDM_I64 + TDM_OPTIONAL}};
/* The event time of a record that a window keeps and an evictor asks about. */
static const tdm_field time_fields[] = {{"$time", 0, TDM_I64}};
static const tdm_record time_record = {"time", sizeof(int64_t), time_fields, 1};
static const tdm_record stamp_record = {"stamp", sizeof(stamp), stamp_fields, 2};

/* The pieces of state that belong to keys, or those that all keys share. */
static const char *domain_name(bool event) { return event ? "event" : "processing"; }

static void json_state(buffer *b, const node *n, bool shared) {
    static const char *const kinds[] = {"value", "list", "map", "accumulator"};
    const char *before = ",\"state\":[{";
    for (size_t i = 0; i < n->tables_len; i++) {
        const tdm_state *piece = piece_of(n, i);
        if (is_shared(n, i) != shared) continue;
        append_string(b, before);
        before = ",{";
        json_field(b, "name", piece->name);
        append_format(b, ",\"kind\":\"%s\",", kinds[piece->kind]);
        if (piece->kind == TDM_KIND_LIST || piece->kind == TDM_KIND_MAP) {
            append_string(b, "\"schema\":\"block:bytes\"");
        } else {
            const tdm_record *type = record_of(piece);
            append_string(b, "\"schema\":\"");
            for (size_t c = 0; c < type->count; c++) {
                const tdm_column one = {type->fields[c].name, type->fields[c].type};
                if (c) append(b, ",", 1);
                append_schema(b, &one, 1);
            }
            append_string(b, piece->ttl.expires ? ",$event:i64,$processing:i64\"" : "\"");
        }
        if (piece->ttl.expires)
            append_format(b, ",\"ttl\":{\"ms\":%lld,\"domain\":\"%s\",\"on-read\":%s}", (long long)piece->ttl.span,
                domain_name(!piece->ttl.processing_time), piece->ttl.renewed_by_reads ? "true" : "false");
        append(b, "}", 1);
    }
    append_string(b, before[1] == '{' ? "]" : shared ? ",\"state\":[]" : "");
}

static void json_binding(buffer *b, const node *n) {
    json_field(b, "binding", n->name);
    if (n->url) append(b, ",", 1), json_field(b, "default", n->url);
    append(b, ",", 1);
    json_field(b, "format", n->format);
    if (n->tag) append(b, ",", 1), json_field(b, "tag", n->tag);
    if (n->time) append(b, ",", 1), json_field(b, "time", n->time);
    if (n->has_watermarks) append_string(b, ",\"watermarks\":"), json_watermarks(b, n->watermarks);
}

static void json_process(buffer *b, const node *n) {
    append_string(b, "\"keys\":[");
    for (size_t i = 0; i < n->keys_len; i++) {
        if (i) append(b, ",", 1);
        json_names(b, &n->keys[i]);
    }
    append(b, "]", 1);
    json_state(b, n, false);
    if (n->inputs_len > n->keys_len) {
        append_format(b, ",\"broadcast\":{\"apply\":%s", n->process->on_key ? "true" : "false");
        json_state(b, n, true);
        append(b, "}", 1);
    }
    const char *before = ",\"timers\":[";
    for (size_t i = 0; n->process && i < TDM_DECLARED_MAX && n->process->timers[i]; i++, before = ",") {
        append_string(b, before);
        append(b, "{", 1);
        json_field(b, "name", n->process->timers[i]->name);
        append_format(b, ",\"domain\":\"%s\"}", domain_name(!n->process->timers[i]->processing_time));
    }
    for (size_t d = 0; d < 2; d++) {
        if (!n->sweepers[d]) continue;
        append_format(b, "%s{\"name\":\"$expire-%s\",\"domain\":\"%s\"}", before, domain_name(d == 0), domain_name(d == 0));
        before = ",";
    }
    if (before[1] == 0) append(b, "]", 1);
}

static void json_assigner(buffer *b, const node *n) {
    const tdm_windows *w = &n->windows;
    long long size = w->size, slide = w->slide, offset = w->offset, gap = w->gap;
    switch (w->assigner) {
    case TDM_TUMBLING: append_format(b, "{\"tumbling\":{\"size_ms\":%lld,\"offset_ms\":%lld}}", size, offset); break;
    case TDM_SLIDING: append_format(b, "{\"sliding\":{\"size_ms\":%lld,\"slide_ms\":%lld,\"offset_ms\":%lld}}", size, slide, offset); break;
    case TDM_SESSION: append_format(b, "{\"session\":{\"gap_ms\":%lld}}", gap); break;
    case TDM_SESSION_BY: append_string(b, "{\"session-by\":{"), json_field(b, "field", n->gap_field), append_string(b, "}}"); break;
    case TDM_DAYS:
        append_string(b, "{\"days\":{"), json_field(b, "timezone", w->timezone), append_format(b, ",\"days\":%u}}", w->days);
        break;
    case TDM_RECORDS:
        append_format(b, "{\"count\":{\"records\":%llu", (unsigned long long)w->records);
        if (w->slide_records) append_format(b, ",\"slide\":%llu", (unsigned long long)w->slide_records);
        if (w->or_after)
            append_format(b, ",\"or-after\":{\"ms\":%lld,\"domain\":\"%s\"}", (long long)w->or_after, domain_name(w->or_after_event_time));
        append_string(b, "}}");
        break;
    case TDM_GLOBAL: append_string(b, "\"global\""); break;
    }
}

/* Writes a word and those that it combines; answers what stands behind them. */
static const struct tdm_trigger_word *json_when(buffer *b, const struct tdm_trigger_word *word) {
    static const char *const names[] = {"at-watermark", "late-each", "early-every", "after", "count", "any", "all"};
    tdm_when when = word->when;
    long long number = word->number;
    const char *name = names[when];
    switch (when) {
    case TDM_AT_END:
    case TDM_LATE_EACH: json_text(b, name); break;
    case TDM_EARLY_EVERY:
    case TDM_AFTER: append_format(b, "{\"%s\":{\"ms\":%lld,\"domain\":\"%s\"}}", name, number, domain_name(word->event_time)); break;
    case TDM_EVERY_RECORDS: append_format(b, "{\"count\":{\"records\":%llu}}", (unsigned long long)number); break;
    case TDM_ANY_OF:
    case TDM_ALL_OF:
        append_format(b, "{\"%s\":[", name);
        word++;
        for (long long i = 0; i < number; i++) {
            if (i) append(b, ",", 1);
            word = json_when(b, word);
        }
        append_string(b, "]}");
        return word;
    }
    return word + 1;
}

static void json_evictor(buffer *b, const node *n) {
    const tdm_evictor *e = &n->windows.evictor;
    append_string(b, ",\"evictor\":{\"evict\":");
    if (e->evict == TDM_ALL_BUT_LAST) append_format(b, "{\"count\":{\"records\":%llu}}", (unsigned long long)e->number);
    if (e->evict == TDM_OLDER_THAN) append_format(b, "{\"time\":{\"ms\":%lld}}", (long long)e->number);
    if (e->evict == TDM_DIFFERING_BY) {
        append_string(b, "{\"delta\":{");
        json_field(b, "field", n->evict_field->name);
        append_format(b, ",\"threshold\":%.17g}}", e->threshold);
    }
    if (e->evict == TDM_CHOSEN) append_string(b, "\"guest\"");
    append_format(b, ",\"after\":%s}", e->after ? "true" : "false");
}

static void json_windows(buffer *b, const node *n) {
    const tdm_windows *w = &n->windows;
    append_string(b, "\"assigner\":");
    json_assigner(b, n);
    append_format(b, ",\"domain\":\"%s\",\"lateness-ms\":%lld", domain_name(!w->processing_time), (long long)w->lateness);
    if (w->evictor.evict) json_evictor(b, n);
    if (!w->trigger.count) return;
    append_string(b, ",\"trigger\":{\"when\":");
    json_when(b, w->trigger.words);
    append_format(b, ",\"purge\":%s}", w->trigger.purging ? "true" : "false");
}

static void json_window(buffer *b, const node *n) {
    append_string(b, "\"key\":");
    json_names(b, &n->keys[0]);
    append(b, ",", 1);
    json_windows(b, n);
    append_string(b, ",\"compute\":");
    if (n->aggregate) append_string(b, "{\"host\":"), json_aggregate(b, n), append(b, "}", 1);
    else append_string(b, "\"guest\"");
    json_state(b, n, false);
}

static void json_join(buffer *b, const node *n) {
    for (size_t i = 0; i < n->inputs_len; i++) {
        append_string(b, i ? ",{" : "\"sides\":[{");
        json_field(b, "name", n->sides[i].name);
        append_string(b, ",\"key\":");
        json_names(b, &n->keys[i]);
        append_string(b, n->sides[i].optional ? ",\"required\":false}" : "}");
    }
    append(b, "]", 1);
    if (n->kind == WINDOW_JOIN || n->kind == CO_GROUP) append(b, ",", 1), json_windows(b, n);
    json_state(b, n, false);
    if (n->kind != INTERVAL_JOIN) return;
    append_format(b, ",\"lower-ms\":%lld,\"upper-ms\":%lld", (long long)n->interval.lower, (long long)n->interval.upper);
    if (n->interval.lower_exclusive) append_string(b, ",\"lower-exclusive\":true");
    if (n->interval.upper_exclusive) append_string(b, ",\"upper-exclusive\":true");
}

static void json_kind(buffer *b, const node *n) {
    switch (n->kind) {
    case MAP:
    case FILTER:
    case FLAT_MAP:
    case KEY_BY:
    case UNION: json_text(b, KIND_NAMES[n->kind]); return;
    case TIMESTAMPS:
        append_string(b, "{\"timestamps\":");
        json_watermarks(b, n->watermarks);
        append(b, "}", 1);
        return;
    default: break;
    }
    append_format(b, "{\"%s\":{", KIND_NAMES[n->kind]);
    if (n->kind == SOURCE || n->kind == SINK) json_binding(b, n);
    if (n->kind == PROCESS) json_process(b, n);
    if (n->kind == WINDOW) json_window(b, n);
    if (n->sides) json_join(b, n);
    if (n->kind == ROLLING)
        append_string(b, "\"key\":"), json_names(b, &n->keys[0]), append_string(b, ",\"aggregate\":"), json_aggregate(b, n);
    append_string(b, "}}");
}

static void json_node(buffer *b, const tdm_instance *instance, const node *n) {
    append(b, "{", 1);
    json_field(b, "name", n->name);
    append_string(b, ",\"kind\":");
    json_kind(b, n);
    for (size_t i = 0; i < n->inputs_len; i++) {
        const input *in = &n->inputs[i];
        append_string(b, i ? ",{" : ",\"inputs\":[{");
        json_field(b, "from", instance->nodes[in->from]->name);
        if (strcmp(in->port, MAIN) != 0) append(b, ",", 1), json_field(b, "port", in->port);
        if (in->partition == CUSTOM) append_string(b, ",\"partition\":{"), json_field(b, "custom", in->field), append(b, "}", 1);
        else if (in->partition != FORWARD) append(b, ",", 1), json_field(b, "partition", PARTITION_NAMES[in->partition]);
        append(b, "}", 1);
    }
    if (n->inputs_len) append(b, "]", 1);
    for (size_t i = 0; i < n->outputs_len; i++) {
        const output *out = &n->outputs[i];
        append_string(b, i ? ",{" : ",\"outputs\":[{");
        if (strcmp(out->name, MAIN) != 0) json_field(b, "name", out->name), append(b, ",", 1);
        json_schema(b, out->schema.columns, out->schema.count);
        if (out->variant) append(b, ",", 1), json_field(b, "variant", out->variant);
        append(b, "}", 1);
    }
    if (n->outputs_len) append(b, "]", 1);
    if (n->parallelism) append_format(b, ",\"parallelism\":%u", n->parallelism);
    if (n->chaining) append(b, ",", 1), json_field(b, "chaining", n->chaining);
    if (n->policy != TDM_FAIL) append_format(b, ",\"on-error\":\"%s\"", n->policy == TDM_SKIP ? "skip" : DEAD_LETTER);
    append(b, "}", 1);
}

static void json_plan(buffer *b, const tdm_job *job) {
    const tdm_instance *instance = job->instance;
    append_string(b, "{\"contract\":\"" TDM_CONTRACT "\",");
    if (job->name) json_field(b, "name", job->name), append(b, ",", 1);
    append_string(b, "\"operators\":[");
    for (size_t i = 0; i < instance->nodes_len; i++) {
        if (i) append(b, ",", 1);
        json_node(b, instance, instance->nodes[i]);
    }
    append_string(b, "]}");
}

/* ==== 10 state ================================================================================================ */

/* What the record in hand did to its slot: it changed it, it emptied a piece of it. LISTED is for sort_out. */
enum { CHANGED = 1, CLEARED = 2, LISTED = 128 };

/* A text or bytes member of an item. */
typedef struct text_at {
    size_t offset;
    /* Where its `present` is, or SIZE_MAX. */
    size_t present;
    bool utf8;
    const char *name;
} text_at;

typedef struct list {
    uint8_t *items;
    uint32_t room;
} list;

/* One declared piece of state for all slots: items in memory, one at most for a value, whose texts are owned (each malloc'ed).
 *
 * While a record is in hand its slot may be SHADOWED: `shadow` then holds the items as they were and with them owns their texts, and
 * what has been put into the slot since is in the arena. The end of the record commits (the slot gets texts of its own) or rolls
 * back. A flat item without undoing is changed in place; a list that only grew is APPENDED and remembers its length. */
typedef struct table {
    const tdm_state *piece;
    /* Of an item, and where in it its value is, and when it was written: 0 where it lives for ever. */
    size_t size, value_at, stamp_at;
    /* What stands at stamp_at: stamp_record, or time_record in windows. */
    const tdm_record *behind;
    text_at *texts;
    size_t texts_len;
    uint32_t room;
    uint32_t *counts;
    /* Values, side by side; or lists. */
    uint8_t *values;
    list *lists;
    enum { CLEAN, APPENDED, SHADOWED } state;
    uint32_t slot, old_count;
    buffer shadow;
    /* All keys share it: it has something in the broadcast slot only. */
    bool shared;
} table;

struct tdm_ctx {
    tdm_instance *instance;
    struct chain *chain;
    node *node;
    uint32_t member;
    int64_t time;
    /* Why the record is refused; `forced` when it is so whatever the function returns. */
    const char *refusal;
    bool forced;
    /* Operators with a key. */
    uint32_t slot, key_row;
    const key *key;
    const column *key_columns;
    /* Beside a broadcast input: the slot of what all keys share, and whether a broadcast record is in hand, which has no key. */
    uint32_t shared_slot;
    bool broadcasting;
    /* The event time of what is written now; the least for a timer, whose time may be of the other domain. */
    int64_t wrote_at;
};

static const tdm_state *piece_of(const node *n, size_t index) { return n->tables[index].piece; }

static bool is_shared(const node *n, size_t index) { return n->tables[index].shared; }

/* Says that the tables from `first` on are shared by all keys. */
static void share_tables(node *n, size_t first) {
    for (size_t i = first; i < n->tables_len; i++) n->tables[i].shared = true;
}

/* The slot of a table that the record in hand may reach. */
static uint32_t slot_of(const tdm_ctx *ctx, const table *t) { return t->shared ? ctx->shared_slot : ctx->slot; }

static size_t aligned(size_t size) { return (size + 7) & ~(size_t)7; }

static void add_texts(table *t, const tdm_record *type, size_t at) {
    for (size_t i = 0; i < type->count; i++) {
        const tdm_field *field = &type->fields[i];
        if (!variable(field->type)) continue;
        bool may = optional(field->type);
        size_t cell = at + field->offset;
        t->texts[t->texts_len++] =
            (text_at){may ? cell + VALUE_AT[base(field->type)] : cell, may ? cell : SIZE_MAX, base(field->type) == TDM_STRING, field->name};
    }
}

static void start_tables(tdm_job *job, node *n, const tdm_state *const *pieces, size_t count) {
    n->tables = plan_alloc(job, (count + 1) * sizeof *n->tables);
    n->tables_len = count;
    for (size_t i = 0; i < count; i++) {
        table *t = &n->tables[i];
        const tdm_state *piece = t->piece = pieces[i];
        const tdm_record *type = piece->native ? NULL : piece->record;
        t->value_at = piece->key ? aligned(piece->key->size) : 0;
        t->size = piece->native ? piece->native->size : piece->key ? aligned(t->value_at + type->size) : type->size;
        if (piece->ttl.expires) {
            t->stamp_at = aligned(t->size);
            t->size = t->stamp_at + sizeof(stamp);
            t->behind = &stamp_record;
        }
        size_t most = (type ? type->count : 0) + (piece->key ? piece->key->count : 0);
        t->texts = plan_alloc(job, (most + 1) * sizeof *t->texts);
        for (size_t c = 0; piece->key && c < piece->key->count; c++) {
            if (base(piece->key->fields[c].type) == TDM_F64)
                note(job, "map \"%s\" of \"%s\" has a double in its key: round it to an int64_t", piece->name, n->name);
        }
        if (piece->key) add_texts(t, piece->key, 0);
        if (type) add_texts(t, type, t->value_at);
    }
}

/* Says that a window keeps the event times of its records too. */
static void time_items(node *n) {
    table *t = &n->tables[0];
    t->stamp_at = aligned(t->size);
    t->size = t->stamp_at + sizeof(int64_t);
    t->behind = &time_record;
}

static bool is_list(const table *t) { return t->piece->kind == TDM_KIND_LIST || t->piece->kind == TDM_KIND_MAP; }

static uint8_t *items_of(const table *t, uint32_t slot) { return is_list(t) ? t->lists[slot].items : t->values + slot * t->size; }

/* Makes room for slots below `slots`. */
static void reserve_slots(table *t, uint32_t slots) {
    if (slots <= t->room) return;
    uint32_t room = t->room ? t->room : 16;
    while (room < slots) room *= 2;
    t->counts = checked(realloc(t->counts, room * sizeof *t->counts));
    memset(t->counts + t->room, 0, (room - t->room) * sizeof *t->counts);
    if (is_list(t)) {
        t->lists = checked(realloc(t->lists, room * sizeof *t->lists));
        memset(t->lists + t->room, 0, (room - t->room) * sizeof *t->lists);
    } else {
        t->values = checked(realloc(t->values, room * t->size));
    }
    t->room = room;
}

static uint32_t reserve_all(node *n, tdm_numbers slots) {
    uint32_t room = 0;
    for (size_t i = 0; i < slots.len; i++) room = slots.at[i] >= room ? slots.at[i] + 1 : room;
    for (size_t i = 0; i < n->tables_len; i++) reserve_slots(&n->tables[i], room);
    return room;
}

static tdm_text *text_in(const text_at *at, uint8_t *item) {
    tdm_text *text = (tdm_text *)(void *)(item + at->offset);
    bool absent = at->present != SIZE_MAX && !item[at->present];
    if (absent || text->len == 0) *text = (tdm_text){"", 0};
    return text;
}

/* The first field of an item whose text is not UTF-8. */
static const char *bad_item(const table *t, uint8_t *item) {
    for (size_t i = 0; i < t->texts_len; i++) {
        const tdm_text *text = text_in(&t->texts[i], item);
        if (t->texts[i].utf8 && !tdm_is_utf8(text->ptr, text->len)) return t->texts[i].name;
    }
    return NULL;
}

/* Gives an item texts of its own. */
static void own(const table *t, uint8_t *item) {
    for (size_t i = 0; i < t->texts_len; i++) {
        tdm_text *text = text_in(&t->texts[i], item);
        if (text->len) text->ptr = memcpy(checked(malloc(text->len)), text->ptr, text->len);
    }
}

static void disown(const table *t, uint8_t *item) {
    if (t->piece->native) {
        if (t->piece->native->free) t->piece->native->free(item);
        return;
    }
    for (size_t i = 0; i < t->texts_len; i++) {
        const tdm_text *text = text_in(&t->texts[i], item);
        if (text->len) free((void *)(uintptr_t)text->ptr);
    }
}

/* Gives an item texts that live as long as the record in hand. */
static void lend(const table *t, uint8_t *item, arena *a) {
    for (size_t i = 0; i < t->texts_len; i++) {
        tdm_text *text = text_in(&t->texts[i], item);
        if (text->len) text->ptr = arena_copy(a, text->ptr, text->len);
    }
}

static void disown_all(const table *t, uint8_t *items, size_t count) {
    for (size_t i = 0; (t->texts_len || t->piece->native) && i < count; i++) disown(t, items + i * t->size);
}

static void copy_item(const table *t, void *to, const void *from) {
    if (t->piece->native && t->piece->native->copy) t->piece->native->copy(to, from);
    else memcpy(to, from, t->size);
}

static void empty_slot(table *t, uint32_t slot) {
    if (t->counts[slot]) disown_all(t, items_of(t, slot), t->counts[slot]);
    t->counts[slot] = 0;
    if (is_list(t)) {
        free(t->lists[slot].items);
        t->lists[slot] = (list){NULL, 0};
    }
}

static void free_table(table *t) {
    if (t->state == SHADOWED) disown_all(t, t->shadow.at, t->old_count);
    for (uint32_t slot = 0; slot < t->room; slot++) {
        /* What lies over a shadow is in the arena. */
        if (t->state == SHADOWED && slot == t->slot && !t->piece->native) t->counts[slot] = 0;
        empty_slot(t, slot);
    }
    free(t->counts);
    free(t->values);
    free(t->lists);
    release(&t->shadow);
}

/* Room for `count` items in a slot. */
static uint8_t *reserve_items(table *t, uint32_t slot, uint32_t count) {
    if (!is_list(t)) return t->values + slot * t->size;
    list *l = &t->lists[slot];
    if (count > l->room) {
        l->room = l->room * 2 > count ? l->room * 2 : count < 4 ? 4 : count;
        l->items = checked(realloc(l->items, l->room * t->size));
    }
    return l->items;
}

/* From here on the slot's items are the record's, and the shadow's the slot's. */
static void begin_shadow(tdm_ctx *ctx, table *t) {
    if (t->state == SHADOWED) return;
    uint32_t slot = t->slot = slot_of(ctx, t), count = t->counts[slot];
    uint8_t *items = items_of(t, slot);
    if (t->state == CLEAN) t->old_count = count;
    for (uint32_t i = t->old_count; i < count; i++) {
        _Alignas(8) uint8_t lent[t->size];
        memcpy(lent, items + i * t->size, t->size);
        lend(t, lent, &ctx->instance->scratch);
        disown(t, items + i * t->size);
        memcpy(items + i * t->size, lent, t->size);
    }
    t->shadow.len = 0;
    reserve(&t->shadow, t->old_count * t->size);
    for (uint32_t i = 0; i < t->old_count; i++) copy_item(t, t->shadow.at + i * t->size, items + i * t->size);
    t->shadow.len = t->old_count * t->size;
    t->state = SHADOWED;
}

/* Whether an item has the same owned texts as another. */
static bool same_texts(const table *t, uint8_t *a, uint8_t *b) {
    for (size_t i = 0; i < t->texts_len; i++) {
        const tdm_text *x = text_in(&t->texts[i], a), *y = text_in(&t->texts[i], b);
        if (x->len != y->len || (x->len && x->ptr != y->ptr)) return false;
    }
    return true;
}

/* The text that keeps the record in hand from being committed. */
static const char *bad_table(table *t) {
    for (uint32_t i = 0; t->state == SHADOWED && t->texts_len && i < t->counts[t->slot]; i++) {
        const char *bad = bad_item(t, items_of(t, t->slot) + i * t->size);
        if (bad) return bad;
    }
    return NULL;
}

static void commit(table *t) {
    if (t->state == SHADOWED && t->piece->native) disown_all(t, t->shadow.at, t->old_count);
    if (t->state == SHADOWED && t->texts_len) {
        uint8_t *items = items_of(t, t->slot), *old = t->shadow.at;
        size_t count = t->counts[t->slot], old_count = t->old_count, size = t->size;
        /* Items at the front and at the back that have not been touched keep their texts. */
        size_t front = 0, back = 0;
        while (front < count && front < old_count && same_texts(t, items + front * size, old + front * size)) front++;
        while (back < count - front && back < old_count - front &&
            same_texts(t, items + (count - 1 - back) * size, old + (old_count - 1 - back) * size))
            back++;
        for (size_t i = front; i < count - back; i++) own(t, items + i * size);
        disown_all(t, old + front * size, old_count - back - front);
    }
    t->state = CLEAN;
}

static void roll_back(table *t) {
    if (t->state == CLEAN) return;
    uint32_t slot = t->slot;
    uint8_t *items = reserve_items(t, slot, t->old_count);
    if (t->state == APPENDED) disown_all(t, items + t->old_count * t->size, t->counts[slot] - t->old_count);
    if (t->state == SHADOWED) {
        if (t->piece->native) disown_all(t, items, t->counts[slot]);
        if (t->old_count) memcpy(items, t->shadow.at, t->old_count * t->size);
    }
    t->counts[slot] = t->old_count;
    t->state = CLEAN;
}

static void force_refusal(tdm_ctx *ctx, const char *format, ...) TDM_PRINTF_(2, 3);

/* Only broadcast records change what is shared, so that all workers come to the same. */
static void check_change(const tdm_ctx *ctx, const table *t) {
    if (t->shared && !ctx->broadcasting)
        tdm_abort("broadcast state \"%s\" is changed by .broadcast only, here it can be read", t->piece->name);
}

/* Notes a change of the slot in hand, and makes it one that can be undone where it may have to be. */
static void change(tdm_ctx *ctx, table *t, uint8_t flags) {
    check_change(ctx, t);
    ctx->node->touched |= CHANGED | flags;
    if (ctx->node->undo) begin_shadow(ctx, t);
}

/* The size of what a function gives for an item that has no key. */
static size_t given_size(const table *t) { return t->stamp_at ? t->piece->record->size : t->size; }

/* Puts an item into memory that holds none, with texts that live long enough; false when a text of it is none. */
static bool place(tdm_ctx *ctx, table *t, uint8_t *at, const void *key_or_item, const void *value) {
    _Alignas(8) uint8_t item[t->size];
    if (value || t->stamp_at) zero(item, t->size);
    copy(item, key_or_item, value ? t->piece->key->size : given_size(t));
    if (value) memcpy(item + t->value_at, value, t->piece->record->size);
    const char *bad = bad_item(t, item);
    if (bad) {
        force_refusal(ctx, "field \"%s\" of state \"%s\" is given a text that is not UTF-8", bad, t->piece->name);
        return false;
    }
    if (t->state == SHADOWED) lend(t, item, &ctx->instance->scratch);
    else own(t, item);
    copy(at, item, t->size);
    return true;
}

static int compare_cells(int type, const uint8_t *a, const uint8_t *b) {
    if (optional(type)) {
        bool x = *(const bool *)a, y = *(const bool *)b;
        if (!x || !y) return x - y;
        a += VALUE_AT[base(type)];
        b += VALUE_AT[base(type)];
    }
    if (variable(type)) return tdm_compare(*(const tdm_text *)(const void *)a, *(const tdm_text *)(const void *)b);
    int64_t x, y;
    if (base(type) == TDM_BOOL) x = *a, y = *b;
    else if (base(type) == TDM_I32) x = (int32_t)load32(a), y = (int32_t)load32(b);
    else x = (int64_t)load64(a), y = (int64_t)load64(b);
    return (x > y) - (x < y);
}

static int compare_keys(const tdm_record *type, const void *a, const void *b) {
    for (size_t i = 0; i < type->count; i++) {
        size_t at = type->fields[i].offset;
        int order = compare_cells(type->fields[i].type, (const uint8_t *)a + at, (const uint8_t *)b + at);
        if (order) return order;
    }
    return 0;
}

/* Where a key stands in a map, or would. */
static bool find_key(const table *t, uint32_t slot, const void *key, uint32_t *index) {
    uint32_t low = 0, high = t->counts[slot];
    const uint8_t *items = high ? items_of(t, slot) : NULL;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_keys(t->piece->key, items + middle * t->size, key);
        if (order == 0) return *index = middle, true;
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return *index = low, false;
}

/* Opens a gap for an item. */
static uint8_t *insert_gap(table *t, uint32_t slot, uint32_t index) {
    uint8_t *items = reserve_items(t, slot, t->counts[slot] + 1), *at = items + index * t->size;
    memmove(at + t->size, at, (t->counts[slot] - index) * t->size);
    t->counts[slot]++;
    return at;
}

static void close_gap(table *t, uint32_t slot, uint32_t index) {
    uint8_t *at = items_of(t, slot) + index * t->size;
    t->counts[slot]--;
    memmove(at, at + t->size, (t->counts[slot] - index) * t->size);
}

/* ---- What lives for a time (decisions/0012). ---- */

static stamp *stamp_of(const table *t, uint8_t *item) { return (stamp *)(void *)(item + t->stamp_at); }

static size_t domain_of(const table *t) { return t->piece->ttl.processing_time; }

/* When an item expires; false where it is not known when it was written. */
static bool end_of(const table *t, const stamp *s, int64_t *end) {
    const tdm_opt_i64 *at = &s->at[domain_of(t)];
    int64_t span = t->piece->ttl.span;
    *end = at->value > INT64_MAX - span ? INT64_MAX : at->value + span;
    return at->present;
}

static bool is_live(const tdm_ctx *ctx, const table *t, const stamp *s) {
    int64_t end, now = domain_of(t) ? ctx->instance->at.now : ctx->instance->at.watermark;
    return !end_of(t, s, &end) || now < end;
}

/* The stamp of what is written in place of something with a stamp, or NULL: a record behind its time takes nothing away. */
static stamp renewed(tdm_ctx *ctx, const table *t, const stamp *before) {
    size_t d = domain_of(t);
    const tdm_moment *at = &ctx->instance->at;
    int64_t now = d ? at->now : ctx->wrote_at > at->watermark ? ctx->wrote_at : at->watermark;
    stamp s = {{{false, 0}, {false, 0}}};
    if (before) s.at[d] = before->at[d];
    if (now > INT64_MIN && (!s.at[d].present || now > s.at[d].value)) s.at[d] = (tdm_opt_i64){true, now};
    ctx->node->written[d] = true;
    return s;
}

static void write_stamp(tdm_ctx *ctx, const table *t, uint8_t *item, const stamp *before) {
    if (!t->stamp_at) return;
    const stamp s = renewed(ctx, t, before);
    memcpy(item + t->stamp_at, &s, sizeof s);
}

/* Writes the stamp of an item anew that is read, where reads do that or where it is not known. */
static void note_read(tdm_ctx *ctx, table *t, uint8_t *item) {
    if (!t->stamp_at) return;
    const tdm_opt_i64 before = stamp_of(t, item)->at[domain_of(t)];
    if (before.present && !t->piece->ttl.renewed_by_reads) return;
    const stamp fresh = renewed(ctx, t, stamp_of(t, item));
    const tdm_opt_i64 after = fresh.at[domain_of(t)];
    if (!after.present || (before.present && before.value == after.value)) return;
    change(ctx, t, 0);
    memcpy(item + t->stamp_at, &fresh, sizeof fresh);
}

/* Takes items out of a slot that are not live; answers whether there were any. */
static bool take_out(const tdm_ctx *ctx, table *t, uint32_t slot) {
    uint32_t kept = 0, count = t->counts[slot];
    uint8_t *items = count ? items_of(t, slot) : NULL;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *item = items + i * t->size;
        bool live = is_live(ctx, t, stamp_of(t, item));
        if (live && kept < i) memcpy(items + kept * t->size, item, t->size);
        if (live) kept++;
        else if (t->state != SHADOWED) disown(t, item);
    }
    t->counts[slot] = kept;
    return kept < count;
}

/* Lets what has expired in the slot in hand be gone. */
static void expire(tdm_ctx *ctx, table *t) {
    uint32_t slot = slot_of(ctx, t), gone = 0;
    for (uint32_t i = 0; i < t->counts[slot]; i++) gone += !is_live(ctx, t, stamp_of(t, items_of(t, slot) + i * t->size));
    if (!gone) return;
    change(ctx, t, CLEARED);
    take_out(ctx, t, slot);
}

/* Sweeps the slot in hand where it has been written to and has no timer, and sets one for the last of what is left. Another one may be
 * there from before a restore. */
static void sweep(tdm_ctx *ctx) {
    node *n = ctx->node;
    for (uint32_t d = 0; d < 2; d++) {
        buffer *set = &n->swept[d];
        if (!n->sweepers[d] || !n->written[d]) continue;
        if (set->len <= ctx->slot) append_zeros(set, ctx->slot + 1 - set->len);
        if (set->at[ctx->slot]) continue;
        int64_t last = INT64_MIN, end;
        bool any = false;
        for (size_t i = 0; i < n->tables_len; i++) {
            table *t = &n->tables[i];
            if (!t->stamp_at || domain_of(t) != d) continue;
            n->touched |= CHANGED | CLEARED;
            take_out(ctx, t, ctx->slot);
            for (uint32_t k = 0; k < t->counts[ctx->slot]; k++) {
                stamp *s = stamp_of(t, items_of(t, ctx->slot) + k * t->size);
                /* What has no time yet begins to live now. */
                if (!s->at[d].present) *s = renewed(ctx, t, s);
                if (!end_of(t, s, &end)) continue;
                last = end > last ? end : last;
                any = true;
            }
        }
        if (!any) continue;
        tdm_timer_op op;
        memset(&op, 0, sizeof op);
        op.slot = ctx->slot;
        op.timer = n->sweepers[d] - 1;
        op.action = TDM_TIMER_REPLACE;
        op.time = last;
        append(&ctx->instance->timers, &op, sizeof op);
        set->at[ctx->slot] = 1;
    }
}

/* Says that a slot has no timer that sweeps, as one that has fired or is another key's from now on. */
static void forget_sweep(node *n, uint32_t slot, size_t domain) {
    if (slot < n->swept[domain].len) n->swept[domain].at[slot] = 0;
}

/* Writes the items of a slot as a block of its own; a map's are keys and values. */
static tdm_bytes pack_items(builder *b, const table *t, uint32_t slot) {
    const uint8_t *items = items_of(t, slot);
    size_t keys = t->piece->key ? t->piece->key->count : 0;
    for (uint32_t i = 0; i < t->counts[slot]; i++) {
        const uint8_t *item = items + i * t->size;
        if (t->piece->key) write_record(b, 0, t->piece->key, item);
        write_record(b, keys, t->piece->record, item + t->value_at);
        if (t->stamp_at) write_record(b, keys + t->piece->record->count, t->behind, item + t->stamp_at);
        end_row(b, 0);
    }
    return lay_out(b);
}

static void export_table(tdm_ctx *ctx, builder *b, size_t first, table *t, tdm_numbers slots, builder *nested) {
    tdm_instance *instance = ctx->instance;
    const tdm_record *type = record_of(t->piece);
    b->rows = 0;
    for (size_t i = 0; i < slots.len; i++, b->rows++) {
        uint32_t slot = slots.at[i];
        const void *value = t->counts[slot] ? items_of(t, slot) : NULL;
        if (is_list(t)) {
            tdm_bytes bytes = value ? pack_items(nested, t, slot) : (tdm_bytes){NULL, 0};
            write_value(b, &b->writers[first], value ? &bytes : NULL);
            continue;
        }
        arena_mark mark = arena_here(&instance->scratch);
        if (t->stamp_at) write_record(b, first + type->count, t->behind, value ? (const uint8_t *)value + t->stamp_at : NULL);
        if (value && t->piece->native) {
            void *record = arena_zeroed(&instance->scratch, type->size);
            t->piece->native->save(ctx, value, record);
            value = record;
        }
        write_record(b, first, type, value);
        arena_release(&instance->scratch, mark);
    }
}

static size_t columns_of(const table *t) { return is_list(t) ? 1 : record_of(t->piece)->count + (t->stamp_at ? t->behind->count : 0); }

/* The columns of an operator's state, all optional and named NAME.COLUMN. */
static tdm_column *state_columns(arena *a, const node *n, size_t *count) {
    *count = 0;
    for (size_t i = 0; i < n->tables_len; i++) *count += columns_of(&n->tables[i]);
    tdm_column *columns = arena_zeroed(a, (*count + 1) * sizeof *columns);
    size_t at = 0;
    for (size_t i = 0; i < n->tables_len; i++) {
        const table *t = &n->tables[i];
        for (size_t c = 0; c < columns_of(t); c++, at++) {
            size_t own = is_list(t) ? 1 : record_of(t->piece)->count;
            const tdm_field *field = is_list(t) ? NULL : c < own ? &record_of(t->piece)->fields[c] : &t->behind->fields[c - own];
            const char *column = field ? field->name : "block";
            char *name = arena_take(a, strlen(t->piece->name) + strlen(column) + 2);
            strcat(strcat(strcpy(name, t->piece->name), "."), column);
            columns[at] = (tdm_column){name, (field ? field->type : TDM_BYTES) | TDM_OPTIONAL};
        }
    }
    return columns;
}

/* Loads the items of one list or map; what is wrong with them, or NULL. */
static const char *import_items(tdm_ctx *ctx, table *t, uint32_t slot, tdm_bytes bytes) {
    arena *a = &ctx->instance->scratch;
    const tdm_record *key = t->piece->key, *type = t->piece->record;
    size_t keys = key ? key->count : 0;
    block b;
    const char *error = open_block(&b, bytes);
    if (error) return error;
    /* Those of a time before the time-to-live have no stamps. */
    size_t given = keys + type->count, stamps = t->stamp_at && b.columns != given ? t->behind->count : 0;
    column *columns = arena_zeroed(a, (given + stamps + 1) * sizeof *columns);
    tdm_column *wanted = arena_zeroed(a, (given + stamps + 1) * sizeof *wanted);
    for (size_t i = 0; i < given + stamps; i++) {
        const tdm_field *field = i < keys ? &key->fields[i] : i < given ? &type->fields[i - keys] : &t->behind->fields[i - given];
        wanted[i] = (tdm_column){field->name, field->type};
    }
    error = tdm_block_check(bytes, wanted, given + stamps);
    if (!error && stamps) error = open_record(&b, t->behind, given, false, columns + given);
    if (!error && key) error = open_record(&b, key, 0, false, columns);
    if (!error) error = open_record(&b, type, keys, false, columns + keys);
    if (error) return error;
    uint8_t *item = arena_zeroed(a, t->size);
    for (uint32_t row = 0; row < b.rows; row++) {
        if (key) read_record(key, columns, row, item);
        read_record(type, columns + keys, row, item + t->value_at);
        if (stamps) read_record(t->behind, columns + given, row, item + t->stamp_at);
        uint32_t index = t->counts[slot];
        if (key && find_key(t, slot, item, &index)) return wrong("map \"%s\" has a key twice", t->piece->name);
        uint8_t *at = insert_gap(t, slot, index);
        memcpy(at, item, t->size);
        own(t, at);
    }
    return NULL;
}

static const char *import_table(tdm_ctx *ctx, table *t, tdm_numbers slots, const block *b, size_t first) {
    arena *a = &ctx->instance->scratch;
    size_t count = columns_of(t);
    column *columns = arena_zeroed(a, (count + 1) * sizeof *columns);
    const tdm_record *type = is_list(t) ? &tdm_bytes_record : record_of(t->piece);
    bool stamped = t->stamp_at && !is_list(t);
    const char *error = open_record(b, type, first, true, columns);
    if (!error && stamped) error = open_record(b, t->behind, first + type->count, true, columns + type->count);
    uint8_t *record = arena_zeroed(a, type->size > t->size ? type->size : t->size);
    for (uint32_t row = 0; !error && row < slots.len; row++) {
        uint32_t slot = slots.at[row];
        empty_slot(t, slot);
        bool any = false;
        for (size_t c = 0; c < type->count; c++) any = any || present(&columns[c], row);
        if (!any) continue;
        arena_mark mark = arena_here(a);
        if (is_list(t)) {
            tdm_text bytes = text_of(&columns[0], row);
            error = bytes.len ? import_items(ctx, t, slot, (tdm_bytes){(const uint8_t *)bytes.ptr, bytes.len}) : NULL;
        } else {
            read_record(type, columns, row, record);
            if (stamped) read_record(t->behind, columns + type->count, row, record + t->stamp_at);
            uint8_t *at = reserve_items(t, slot, 1);
            if (t->piece->native) {
                memset(at, 0, t->size);
                if (!t->piece->native->load(ctx, at, record)) error = wrong("state \"%s\" cannot be loaded", t->piece->name);
            } else {
                memcpy(at, record, t->size);
                own(t, at);
            }
            t->counts[slot] = error ? 0 : 1;
        }
        arena_release(a, mark);
    }
    return error;
}

/* ==== 11 calls ================================================================================================ */

/* Rows and bytes of text after which a block is handed on: the cost of a call is spread thin, and the block stays in cache; and those after
 * which it is handed on in the middle of a record that emits very many. */
enum { ROWS_FLUSH = 4096, HEAP_FLUSH = 1 << 20, ROWS_HARD = 1 << 18, HEAP_HARD = 16 << 20 };

/* In `log` and `report-failure`: the job as a whole. */
#define WHOLE_JOB UINT32_MAX

/* An output of an operator. */
typedef struct port {
    uint32_t operator_id, index;
    builder builder;
} port;

/* A member of a chain. */
typedef struct stage {
    tdm_ctx ctx;
    /* What a map, a key or a time is written to. */
    uint8_t *out;
    /* Its ports and those of the members behind it, and their rows before the record in hand. */
    size_t first_port;
    uint32_t *marks;
    size_t failures, messages;
} stage;

typedef struct chain {
    tdm_instance *instance;
    stage *stages;
    size_t len;
    port **ports;
    size_t ports_len;
    /* Whether a refused record is taken back: not where it fails the job anyway. */
    bool undo;
    /* For reading the head's records: columns, their struct, the key's columns. */
    column *columns, *key_columns;
    uint8_t *record;
} chain;

/* A refused record; its message is a part of `messages`. */
typedef struct refusal {
    uint32_t row, operator_id;
    size_t at, len;
} refusal;

static void log_text(tdm_level level, const char *text, size_t len) {
    if (current && current->host.log) current->host.log(current->host.data, level, current->operator_id, text, len);
    else fprintf(stderr, "%.*s\n", (int)len, text);
}

void tdm_log(tdm_level level, const char *format, ...) {
    buffer text = {NULL, 0, 0};
    va_list args;
    va_start(args, format);
    append_list(&text, format, args);
    va_end(args);
    if (text.len) scrub((char *)text.at, text.len);
    log_text(level, text.len ? (const char *)text.at : "", text.len);
    release(&text);
}

_Noreturn void tdm_abort_at(const char *file, int line, const char *format, ...) {
    /* No memory is asked for: there may be none. */
    char text[1024];
    int len = file ? snprintf(text, sizeof text, "%s:%d: ", file, line) : 0;
    if (len < 0 || (size_t)len >= sizeof text) len = 0;
    va_list args;
    va_start(args, format);
    int more = vsnprintf(text + len, sizeof text - (size_t)len, format, args);
    va_end(args);
    size_t all = (size_t)len + (more < 0 ? 0 : (size_t)more);
    if (all >= sizeof text) all = sizeof text - 1;
    scrub(text, all);
    tdm_instance *instance = current;
    if (instance && instance->has_row && instance->host.report_failure) {
        instance->host.report_failure(instance->host.data, instance->operator_id, instance->row, text, all);
    } else {
        log_text(TDM_ERROR, text, all);
    }
    current = NULL;
    if (instance && instance->host.trap) instance->host.trap(instance->host.data);
#ifdef __wasm__
    __builtin_trap();
#else
    abort();
#endif
}

static void force_refusal(tdm_ctx *ctx, const char *format, ...) {
    if (ctx->forced) return;
    va_list args;
    va_start(args, format);
    ctx->refusal = arena_list(&ctx->instance->scratch, format, args).ptr;
    va_end(args);
    ctx->forced = true;
}

void tdm_returned_from_(tdm_ctx *ctx, const char *place) { ctx->instance->returned_from = place; }

tdm_status tdm_refuse(tdm_ctx *ctx, const char *format, ...) {
    if (ctx->forced) return TDM_REFUSED;
    va_list args;
    va_start(args, format);
    ctx->refusal = arena_list(&ctx->instance->scratch, format, args).ptr;
    va_end(args);
    return TDM_REFUSED;
}

static void start_ports(tdm_job *job, node *n) {
    n->ports = plan_alloc(job, (n->outputs_len + 1) * sizeof *n->ports);
    n->ports_len = n->outputs_len;
    for (size_t i = 0; i < n->outputs_len; i++) {
        schema s = n->outputs[i].schema;
        port *p = &n->ports[i];
        *p = (port){n->id, (uint32_t)i, {NULL, 0, 0, 0, 0, {NULL, 0, 0}, {NULL, 0, 0}}};
        start_builder(&p->builder, s.count, schema_id(s.columns, s.count));
        for (size_t c = 0; c < s.count; c++) p->builder.writers[c].type = s.columns[c].type;
    }
}

static void send(tdm_instance *instance, port *p) {
    if (!p->builder.rows) return;
    tdm_bytes block = lay_out(&p->builder);
    if (instance->host.emit) instance->host.emit(instance->host.data, p->operator_id, p->index, block.ptr, block.len);
}

static bool is_full(const port *p) { return p->builder.rows >= ROWS_FLUSH || p->builder.heap >= HEAP_FLUSH; }

/* The first field of a record whose text is not UTF-8. */
static const char *bad_field(const tdm_record *type, const void *record) {
    for (size_t i = 0; i < type->count; i++) {
        const tdm_field *field = &type->fields[i];
        if ((field->type & (TDM_OPTIONAL - 1)) != TDM_STRING) continue;
        const tdm_text *text = value_of(field->type, (const uint8_t *)record + field->offset);
        if (text && text->len && !tdm_is_utf8(text->ptr, text->len)) return field->name;
    }
    return NULL;
}

/* Writes a record, and perhaps another one's fields behind it, into a port. */
static void push(
    tdm_ctx *ctx, port *p, const tdm_record *type, const void *record, const tdm_record *extra, const void *behind, int64_t time) {
    tdm_instance *instance = ctx->instance;
    const char *bad = bad_field(type, record);
    if (!bad && extra) bad = bad_field(extra, behind);
    if (bad) {
        force_refusal(ctx, "field \"%s\" of what it emits is not UTF-8", bad);
        return;
    }
    write_record(&p->builder, 0, type, record);
    if (extra) write_record(&p->builder, type->count, extra, behind);
    end_row(&p->builder, time);
    if (!is_full(p)) return;
    instance->attention = true;
    if (p->builder.rows < ROWS_HARD && p->builder.heap < HEAP_HARD) return;
    if (ctx->chain->undo)
        tdm_abort("one record emitted more than %d records or %d bytes, which cannot be undone should it be refused", ROWS_HARD, HEAP_HARD);
    send(instance, p);
}

static void begin_stage(stage *s, int64_t time) {
    tdm_ctx *ctx = &s->ctx;
    const chain *c = ctx->chain;
    ctx->time = time;
    ctx->refusal = NULL;
    ctx->forced = false;
    ctx->instance->operator_id = ctx->node->id;
    if (!c->undo) return;
    for (size_t i = s->first_port; i < c->ports_len; i++) s->marks[i] = c->ports[i]->builder.rows;
    s->failures = ctx->instance->failures.len;
    s->messages = ctx->instance->messages.len;
}

/* Ends what begin_stage began; false when the record was refused, and what came of it here and behind has been taken back. */
static bool end_stage(stage *s, tdm_status status) {
    tdm_ctx *ctx = &s->ctx;
    const char *place = ctx->instance->returned_from;
    ctx->instance->returned_from = NULL;
    bool fine = status == TDM_OK || (status == TDM_DROP && ctx->node->kind == FILTER);
    if (fine && !ctx->forced) return true;
    tdm_instance *instance = ctx->instance;
    if (ctx->chain->undo) {
        for (size_t i = s->first_port; i < ctx->chain->ports_len; i++) truncate_rows(&ctx->chain->ports[i]->builder, s->marks[i]);
        instance->failures.len = s->failures;
        instance->messages.len = s->messages;
    }
    const char *message = ctx->refusal;
    char text[512];
    if (!message) {
        const char *who = place ? place : "its function";
        if (status == TDM_REFUSED) snprintf(text, sizeof text, "%s refused without a reason: return tdm_refuse(ctx, ...)", who);
        else snprintf(text, sizeof text, "%s returned %d, which is no status here", who, (int)status);
        message = text;
    }
    refusal failed = {instance->row, ctx->node->id, instance->messages.len, strlen(message)};
    scrub(append(&instance->messages, message, failed.len), failed.len);
    append(&instance->failures, &failed, sizeof failed);
    return false;
}

static void pass_on(tdm_ctx *ctx, const tdm_record *type, const void *record, int64_t time);

/* Runs a stateless member over a record. */
static void run_stage(stage *s, const void *in, int64_t time) {
    tdm_ctx *ctx = &s->ctx;
    arena *scratch = &ctx->instance->scratch;
    arena_mark mark = arena_here(scratch);
    const tdm_function *f = ctx->node->function;
    bool last = ctx->member + 1 == ctx->chain->len;
    begin_stage(s, time);
    zero(s->out, f->out->size);
    tdm_status status = f->call(ctx, in, s->out);
    if (status == TDM_OK) {
        switch (ctx->node->kind) {
        case MAP: pass_on(ctx, f->out, s->out, time); break;
        case FILTER: pass_on(ctx, f->in, in, time); break;
        case TIMESTAMPS: pass_on(ctx, f->in, in, *(const int64_t *)(const void *)s->out); break;
        case KEY_BY:
            if (last) push(ctx, &ctx->node->ports[0], f->in, in, f->out, s->out, time);
            else pass_on(ctx, f->in, in, time);
            break;
        default: break;
        }
    }
    end_stage(s, status);
    arena_release(scratch, mark);
}

/* Hands a record to the next member, or to the port where there is none. */
static void pass_on(tdm_ctx *ctx, const tdm_record *type, const void *record, int64_t time) {
    if (ctx->member + 1 == ctx->chain->len) {
        push(ctx, &ctx->node->ports[0], type, record, NULL, NULL, time);
        return;
    }
    run_stage(&ctx->chain->stages[ctx->member + 1], record, time);
    ctx->instance->operator_id = ctx->node->id;
}

static void begin_row(chain *c, uint32_t row) {
    c->instance->row = row;
    c->instance->has_row = true;
}

static void end_row_of(chain *c) {
    if (!c->instance->attention) return;
    c->instance->attention = false;
    for (size_t i = 0; i < c->ports_len; i++) {
        if (is_full(c->ports[i])) send(c->instance, c->ports[i]);
    }
}

/* ==== 12 context ============================================================================================== */

int64_t tdm_time(const tdm_ctx *ctx) { return ctx->time; }
int64_t tdm_watermark(const tdm_ctx *ctx) { return ctx->instance->at.watermark; }
int64_t tdm_now(const tdm_ctx *ctx) { return ctx->instance->at.now; }
void *tdm_alloc(tdm_ctx *ctx, size_t size) { return arena_zeroed(&ctx->instance->scratch, size); }

tdm_text tdm_format_text(tdm_ctx *ctx, const char *format, ...) {
    va_list args;
    va_start(args, format);
    tdm_text text = arena_list(&ctx->instance->scratch, format, args);
    va_end(args);
    return text;
}

tdm_text tdm_ascii_lower(tdm_ctx *ctx, tdm_text text) {
    char *copy = arena_take(&ctx->instance->scratch, text.len);
    for (size_t i = 0; i < text.len; i++) copy[i] = text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? (char)(text.ptr[i] + 32) : text.ptr[i];
    return (tdm_text){copy, text.len};
}

tdm_bytes tdm_pack_as(tdm_ctx *ctx, const tdm_record *type, const void *items, size_t count) {
    if (!count) return (tdm_bytes){NULL, 0};
    size_t len;
    uint8_t *block = tdm_block_write(type, items, NULL, count, false, &len);
    tdm_bytes bytes = {arena_copy(&ctx->instance->scratch, block, len), len};
    free(block);
    return bytes;
}

const void *tdm_unpack_as(tdm_ctx *ctx, const tdm_record *type, tdm_bytes bytes, size_t *count) {
    arena *a = &ctx->instance->scratch;
    *count = 0;
    block b;
    column *columns = arena_zeroed(a, (type->count + 1) * sizeof *columns);
    if (!bytes.len || open_block(&b, bytes) || open_record(&b, type, 0, false, columns)) return NULL;
    uint8_t *records = arena_zeroed(a, b.rows * type->size + 1);
    for (uint32_t row = 0; row < b.rows; row++) read_record(type, columns, row, records + row * type->size);
    *count = b.rows;
    return records;
}

void tdm_emit_record_at(tdm_ctx *ctx, int64_t time, const tdm_record *type, const void *record) {
    const tdm_record *out = ctx->node->outputs[0].record;
    kind k = ctx->node->kind;
    if (k != FLAT_MAP && k != PROCESS && k != WINDOW && k != CO_GROUP)
        tdm_abort("a %s emits what its function returns, nothing else", KIND_NAMES[k]);
    if (!same_record(out, type)) tdm_abort("operator \"%s\" emits %s, not %s", ctx->node->name, out->name, type->name);
    if (time != ctx->time && k != PROCESS) tdm_abort("a %s emits at the time of what it was given", KIND_NAMES[k]);
    pass_on(ctx, type, record, time);
}

void tdm_emit_record(tdm_ctx *ctx, const tdm_record *type, const void *record) { tdm_emit_record_at(ctx, ctx->time, type, record); }

void tdm_emit_record_to(tdm_ctx *ctx, const tdm_side *side, const tdm_record *type, const void *record) {
    const node *n = ctx->node;
    if (!same_record(side->record, type)) tdm_abort("side output \"%s\" takes %s, not %s", side->name, side->record->name, type->name);
    for (size_t i = 1; i < n->outputs_len; i++) {
        if (strcmp(n->outputs[i].name, side->name) != 0) continue;
        push(ctx, &n->ports[i], type, record, NULL, NULL, ctx->time);
        return;
    }
    tdm_abort("operator \"%s\" declares no side output \"%s\"", n->name, side->name);
}

const void *tdm_key_as(tdm_ctx *ctx, const tdm_record *type) {
    const key *k = ctx->key;
    if (!k) tdm_abort("operator \"%s\" has no key", ctx->node->name);
    bool fits = k->count == type->count;
    for (size_t i = 0; fits && i < k->count; i++) fits = k->types[i] == type->fields[i].type;
    if (!fits) tdm_abort("the key of operator \"%s\" is no %s", ctx->node->name, type->name);
    void *out = arena_zeroed(&ctx->instance->scratch, type->size);
    read_record(type, ctx->key_columns, ctx->key_row, out);
    return out;
}

/* The table of a piece that the operator in hand declares. A piece that stands in a header has an address in every source file that
 * includes it, so the name decides where the address does not. */
static table *table_of(tdm_ctx *ctx, const tdm_state *piece, tdm_kind kind, const tdm_record *key, const tdm_record *type) {
    node *n = ctx->node;
    table *found = NULL;
    for (size_t i = 0; !found && i < n->tables_len; i++) found = n->tables[i].piece == piece ? &n->tables[i] : NULL;
    for (size_t i = 0; !found && i < n->tables_len; i++) found = strcmp(n->tables[i].piece->name, piece->name) == 0 ? &n->tables[i] : NULL;
    if (!found) tdm_abort("operator \"%s\" does not declare state \"%s\"", n->name, piece->name);
    if (ctx->broadcasting && !found->shared) tdm_abort("state \"%s\" belongs to a key, which a broadcast record has not", piece->name);
    const tdm_state *declared = found->piece;
    if (declared->kind != kind) tdm_abort("state \"%s\" is used as what it is not: a value, list or map", piece->name);
    if (!same_record(declared->record, type) || !same_record(declared->key, key))
        tdm_abort("state \"%s\" is used with another type than it has", piece->name);
    if (found->stamp_at) expire(ctx, found);
    return found;
}

static const void *get(tdm_ctx *ctx, table *t) {
    if (!t->counts[slot_of(ctx, t)]) return NULL;
    note_read(ctx, t, items_of(t, slot_of(ctx, t)));
    return items_of(t, slot_of(ctx, t));
}

/* The one item of a slot for changing, a fresh one where there is none. */
static void *edit(tdm_ctx *ctx, table *t) {
    change(ctx, t, 0);
    if (t->texts_len) begin_shadow(ctx, t);
    uint8_t *at = items_of(t, slot_of(ctx, t));
    if (!t->counts[slot_of(ctx, t)]) {
        memset(at, 0, t->size);
        if (t->piece->native && t->piece->native->init) t->piece->native->init(at);
        t->counts[slot_of(ctx, t)] = 1;
    }
    if (t->stamp_at) write_stamp(ctx, t, at, stamp_of(t, at));
    return at;
}

static void clear(tdm_ctx *ctx, table *t) {
    if (!t->counts[slot_of(ctx, t)]) return;
    change(ctx, t, CLEARED);
    if (t->state != SHADOWED) empty_slot(t, slot_of(ctx, t));
    else if (t->piece->native) disown_all(t, items_of(t, slot_of(ctx, t)), t->counts[slot_of(ctx, t)]);
    t->counts[slot_of(ctx, t)] = 0;
}

const void *tdm_get_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *type) {
    return get(ctx, table_of(ctx, piece, TDM_KIND_VALUE, NULL, type));
}
void *tdm_edit_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *type) {
    return edit(ctx, table_of(ctx, piece, TDM_KIND_VALUE, NULL, type));
}
const void *tdm_get_native(tdm_ctx *ctx, const tdm_state *piece) { return get(ctx, table_of(ctx, piece, TDM_KIND_VALUE, NULL, NULL)); }
void *tdm_edit_native(tdm_ctx *ctx, const tdm_state *piece) { return edit(ctx, table_of(ctx, piece, TDM_KIND_VALUE, NULL, NULL)); }

void tdm_set_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *type, const void *value) {
    table *t = table_of(ctx, piece, TDM_KIND_VALUE, NULL, type);
    change(ctx, t, 0);
    _Alignas(8) uint8_t placed[t->size];
    uint8_t *at = items_of(t, slot_of(ctx, t));
    if (!place(ctx, t, placed, value, NULL)) return;
    write_stamp(ctx, t, placed, t->counts[slot_of(ctx, t)] ? stamp_of(t, at) : NULL);
    if (t->counts[slot_of(ctx, t)] && t->state != SHADOWED) disown(t, at);
    memcpy(at, placed, t->size);
    t->counts[slot_of(ctx, t)] = 1;
}

const void *tdm_take_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *type) {
    table *t = table_of(ctx, piece, TDM_KIND_VALUE, NULL, type);
    if (!t->counts[slot_of(ctx, t)]) return NULL;
    uint8_t *copy = arena_copy(&ctx->instance->scratch, items_of(t, slot_of(ctx, t)), t->size);
    lend(t, copy, &ctx->instance->scratch);
    clear(ctx, t);
    return copy;
}

void tdm_clear(tdm_ctx *ctx, const tdm_state *piece) { clear(ctx, table_of(ctx, piece, piece->kind, piece->key, piece->record)); }

void tdm_reduce_into_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_reduce_function *function, const void *record) {
    table *t = table_of(ctx, piece, TDM_KIND_VALUE, NULL, function->record);
    bool first = !t->counts[slot_of(ctx, t)];
    void *so_far = edit(ctx, t);
    if (first) memcpy(so_far, record, function->record->size);
    else function->call(so_far, record);
}

void tdm_aggregate_into_as(tdm_ctx *ctx, const tdm_state *piece, tdm_aggregator aggregator, const tdm_record *type, const void *record) {
    table *t = table_of(ctx, piece, TDM_KIND_VALUE, NULL, aggregator.acc);
    if (!aggregator.add) tdm_abort("state \"%s\" aggregates a field of %s that is no number", piece->name, aggregator.in->name);
    if (!same_record(aggregator.in, type))
        tdm_abort("the aggregator of state \"%s\" takes %s, not %s", piece->name, aggregator.in->name, type->name);
    bool first = !t->counts[slot_of(ctx, t)];
    void *acc = edit(ctx, t);
    aggregator.add(&aggregator, acc, record, first);
}

const void *tdm_aggregated_as(tdm_ctx *ctx, const tdm_state *piece, tdm_aggregator aggregator, const tdm_record *type) {
    const tdm_record *result = aggregator.result ? aggregator.result : aggregator.acc;
    if (!result || !same_record(result, type))
        tdm_abort(
            "the aggregator of state \"%s\" gives %s, not %s", piece->name, result ? result->name : "a native accumulator", type->name);
    const void *acc = get(ctx, table_of(ctx, piece, TDM_KIND_VALUE, NULL, aggregator.acc));
    if (!acc || !aggregator.finish) return acc;
    void *out = arena_zeroed(&ctx->instance->scratch, result->size);
    aggregator.finish(&aggregator, acc, out);
    return out;
}

size_t tdm_length(tdm_ctx *ctx, const tdm_state *piece) {
    const table *t = table_of(ctx, piece, piece->kind, piece->key, piece->record);
    return t->counts[slot_of(ctx, t)];
}

const void *tdm_items_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *type, size_t *count) {
    table *t = table_of(ctx, piece, TDM_KIND_LIST, NULL, type);
    *count = t->counts[slot_of(ctx, t)];
    if (!*count || !t->stamp_at) return *count ? items_of(t, slot_of(ctx, t)) : NULL;
    uint8_t *items = items_of(t, slot_of(ctx, t)), *copies = arena_take(&ctx->instance->scratch, *count * type->size);
    for (size_t i = 0; i < *count; i++) {
        note_read(ctx, t, items + i * t->size);
        memcpy(copies + i * type->size, items + i * t->size, type->size);
    }
    return copies;
}

void tdm_push_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *type, const void *item) {
    table *t = table_of(ctx, piece, TDM_KIND_LIST, NULL, type);
    uint32_t slot = slot_of(ctx, t);
    check_change(ctx, t);
    ctx->node->touched |= CHANGED;
    if (ctx->node->undo && t->state == CLEAN) t->state = APPENDED, t->slot = slot, t->old_count = t->counts[slot];
    _Alignas(8) uint8_t placed[t->size];
    if (!place(ctx, t, placed, item, NULL)) return;
    write_stamp(ctx, t, placed, NULL);
    memcpy(insert_gap(t, slot, t->counts[slot]), placed, t->size);
}

void *tdm_edit_items_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *type, size_t *count) {
    table *t = table_of(ctx, piece, TDM_KIND_LIST, NULL, type);
    *count = t->counts[slot_of(ctx, t)];
    if (t->stamp_at) tdm_abort("list \"%s\" expires and is not changed in place: use tdm_set_items", piece->name);
    if (!*count) return NULL;
    change(ctx, t, CLEARED);
    if (t->texts_len) begin_shadow(ctx, t);
    return items_of(t, slot_of(ctx, t));
}

void tdm_truncate(tdm_ctx *ctx, const tdm_state *piece, size_t count) {
    table *t = table_of(ctx, piece, TDM_KIND_LIST, NULL, piece->record);
    uint32_t slot = slot_of(ctx, t);
    if (count >= t->counts[slot]) return;
    change(ctx, t, CLEARED);
    if (t->state != SHADOWED) disown_all(t, items_of(t, slot) + count * t->size, t->counts[slot] - count);
    t->counts[slot] = (uint32_t)count;
}

void tdm_set_items_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *type, const void *items, size_t count) {
    table *t = table_of(ctx, piece, TDM_KIND_LIST, NULL, type);
    change(ctx, t, CLEARED);
    /* The new items may be views of the old ones. */
    if (t->texts_len || t->counts[slot_of(ctx, t)]) begin_shadow(ctx, t);
    size_t stride = given_size(t);
    const void *kept = count ? arena_copy(&ctx->instance->scratch, items, count * stride) : NULL;
    t->counts[slot_of(ctx, t)] = 0;
    for (size_t i = 0; i < count; i++) {
        _Alignas(8) uint8_t placed[t->size];
        if (!place(ctx, t, placed, (const uint8_t *)kept + i * stride, NULL)) return;
        write_stamp(ctx, t, placed, NULL);
        memcpy(insert_gap(t, slot_of(ctx, t), (uint32_t)i), placed, t->size);
    }
}

const void *tdm_lookup_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *key_type, const void *key, const tdm_record *type) {
    table *t = table_of(ctx, piece, TDM_KIND_MAP, key_type, type);
    uint32_t index;
    if (!find_key(t, slot_of(ctx, t), key, &index)) return NULL;
    note_read(ctx, t, items_of(t, slot_of(ctx, t)) + index * t->size);
    return items_of(t, slot_of(ctx, t)) + index * t->size + t->value_at;
}

void tdm_put_as(
    tdm_ctx *ctx, const tdm_state *piece, const tdm_record *key_type, const void *key, const tdm_record *type, const void *value) {
    table *t = table_of(ctx, piece, TDM_KIND_MAP, key_type, type);
    change(ctx, t, 0);
    _Alignas(8) uint8_t placed[t->size];
    if (!place(ctx, t, placed, key, value)) return;
    uint32_t index;
    bool found = find_key(t, slot_of(ctx, t), key, &index);
    uint8_t *at = found ? items_of(t, slot_of(ctx, t)) + index * t->size : insert_gap(t, slot_of(ctx, t), index);
    /* What a gap holds is nothing. */
    write_stamp(ctx, t, placed, found ? stamp_of(t, at) : NULL);
    if (found && t->state != SHADOWED) disown(t, at);
    memcpy(at, placed, t->size);
}

void *tdm_edit_entry_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *key_type, const void *key, const tdm_record *type) {
    table *t = table_of(ctx, piece, TDM_KIND_MAP, key_type, type);
    change(ctx, t, 0);
    for (size_t i = 0; i < t->texts_len; i++) {
        if (t->texts[i].offset >= t->value_at) begin_shadow(ctx, t);
    }
    uint32_t index;
    if (!find_key(t, slot_of(ctx, t), key, &index)) {
        _Alignas(8) uint8_t placed[t->size];
        void *fresh = arena_zeroed(&ctx->instance->scratch, type->size);
        /* Of a key that is none the entry is made all the same, so that the function has something to write to; it is undone. */
        if (!place(ctx, t, placed, key, fresh)) return fresh;
        memcpy(insert_gap(t, slot_of(ctx, t), index), placed, t->size);
    }
    uint8_t *at = items_of(t, slot_of(ctx, t)) + index * t->size;
    if (t->stamp_at) write_stamp(ctx, t, at, stamp_of(t, at));
    return at + t->value_at;
}

bool tdm_remove_as(tdm_ctx *ctx, const tdm_state *piece, const tdm_record *key_type, const void *key) {
    table *t = table_of(ctx, piece, TDM_KIND_MAP, key_type, piece->record);
    uint32_t index;
    if (!find_key(t, slot_of(ctx, t), key, &index)) return false;
    change(ctx, t, CLEARED);
    if (t->state != SHADOWED) disown(t, items_of(t, slot_of(ctx, t)) + index * t->size);
    close_gap(t, slot_of(ctx, t), index);
    return true;
}

const void *tdm_entry_as(tdm_ctx *ctx, const tdm_state *piece, size_t index, const tdm_record *type, bool value) {
    table *t = table_of(ctx, piece, TDM_KIND_MAP, value ? piece->key : type, value ? type : piece->record);
    if (index >= t->counts[slot_of(ctx, t)]) return NULL;
    if (value) note_read(ctx, t, items_of(t, slot_of(ctx, t)) + index * t->size);
    return items_of(t, slot_of(ctx, t)) + index * t->size + (value ? t->value_at : 0);
}

static void change_timer(tdm_ctx *ctx, const tdm_timer *timer, tdm_action action, int64_t time) {
    const tdm_process *process = ctx->node->process;
    if (ctx->broadcasting) tdm_abort("timer \"%s\" belongs to a key, which a broadcast record has not", timer->name);
    for (uint32_t i = 0; process && i < TDM_DECLARED_MAX && process->timers[i]; i++) {
        if (process->timers[i] != timer && strcmp(process->timers[i]->name, timer->name) != 0) continue;
        tdm_timer_op op;
        memset(&op, 0, sizeof op);
        op.slot = ctx->slot;
        op.timer = i;
        op.action = (uint8_t)action;
        op.time = time;
        append(&ctx->instance->timers, &op, sizeof op);
        return;
    }
    tdm_abort("operator \"%s\" does not declare timer \"%s\"", ctx->node->name, timer->name);
}

void tdm_timer_add(tdm_ctx *ctx, const tdm_timer *timer, int64_t time) { change_timer(ctx, timer, TDM_TIMER_ADD, time); }
void tdm_timer_replace(tdm_ctx *ctx, const tdm_timer *timer, int64_t time) { change_timer(ctx, timer, TDM_TIMER_REPLACE, time); }
void tdm_timer_delete(tdm_ctx *ctx, const tdm_timer *timer, int64_t time) { change_timer(ctx, timer, TDM_TIMER_DELETE, time); }
void tdm_timer_clear(tdm_ctx *ctx, const tdm_timer *timer) { change_timer(ctx, timer, TDM_TIMER_CLEAR, 0); }

/* ==== 13 an instance ========================================================================================== */

static void check_names(tdm_job *job) {
    const tdm_instance *instance = job->instance;
    for (size_t i = 0; i < instance->nodes_len; i++) {
        for (size_t k = 0; k < i; k++) {
            const char *name = instance->nodes[i]->name;
            if (strcmp(name, instance->nodes[k]->name) != 0) continue;
            note(job, "two operators are called \"%s\": names are how state is found, so each is used once", name);
            break;
        }
    }
}

tdm_instance *tdm_plan(tdm_build build, const tdm_argument *args, size_t count, const tdm_host *host, tdm_text *text) {
    tdm_instance *instance = checked(calloc(1, sizeof *instance));
    instance->host = *host;
    instance->operator_id = WHOLE_JOB;
    tdm_job job = {instance, NULL, args, count, {NULL, 0, 0}, {NULL, 0, 0}};
    current = instance;
    tdm_status status = build(&job);
    if (status != TDM_OK && !job.errors.len) note(&job, "the job refuses its arguments without saying why: return tdm_job_error(job, ...)");
    if (status == TDM_OK) {
        check_args(&job);
        check_names(&job);
    }
    plan_text.len = 0;
    bool fine = !job.errors.len;
    if (fine) json_plan(&plan_text, &job);
    else append(&plan_text, job.errors.at, job.errors.len);
    scrub((char *)plan_text.at, plan_text.len);
    current = NULL;
    release(&job.errors);
    release(&job.asked);
    *text = (tdm_text){(const char *)plan_text.at, plan_text.len};
    if (fine) return instance;
    tdm_instance_free(instance);
    return NULL;
}

static void free_chain(chain *c) {
    if (!c) return;
    for (size_t i = 0; i < c->len; i++) {
        free(c->stages[i].out);
        free(c->stages[i].marks);
    }
    free(c->stages);
    free(c->ports);
    free(c->columns);
    free(c->key_columns);
    free(c->record);
    free(c);
}

/* What a generator of watermarks remembers of a split. */
typedef struct split {
    uint32_t number;
    void *self;
} split;

static void free_splits(node *n) {
    split *all = (split *)(void *)n->splits.at;
    for (size_t i = 0; i < n->splits.len / sizeof *all; i++) free(all[i].self);
    release(&n->splits);
}

void tdm_instance_free(tdm_instance *instance) {
    if (!instance) return;
    for (size_t i = 0; i < instance->chains_len; i++) free_chain(instance->chains[i]);
    for (size_t i = 0; i < instance->nodes_len; i++) {
        node *n = instance->nodes[i];
        free_splits(n);
        for (size_t p = 0; p < n->ports_len; p++) free_builder(&n->ports[p].builder);
        for (size_t t = 0; t < n->tables_len; t++) free_table(&n->tables[t]);
        release(&n->swept[0]);
        release(&n->swept[1]);
    }
    free(instance->nodes);
    free(instance->chains);
    buffer *buffers[] = {&instance->failures, &instance->messages, &instance->failure_list, &instance->timers, &instance->cleared,
        &instance->unchanged, &instance->seen};
    for (size_t i = 0; i < LENGTH(buffers); i++) release(buffers[i]);
    free_builder(&instance->exported);
    arena_free(&instance->plan);
    arena_free(&instance->scratch);
    free(instance);
}

/* An operator that this component computes. */
static node *guest(tdm_instance *instance, uint32_t id) {
    node *n = id < instance->nodes_len ? instance->nodes[id] : NULL;
    if (!n || !(n->function || n->process || n->reduce || n->finish || n->co_group))
        tdm_abort("operator %u is not one that this component computes", id);
    return n;
}

/* The greatest number of columns and size of the records that an operator reads. */
static void max_read(const node *n, size_t *columns, size_t *size) {
    const tdm_record *read[TDM_DECLARED_MAX + 4] = {NULL};
    size_t count = 0;
    if (n->in) read[count++] = n->in;
    if (n->reduce) read[count++] = n->reduce->record;
    if (n->co_group) read[count++] = n->co_group->first, read[count++] = n->co_group->second;
    for (size_t i = 0; n->process && i < TDM_DECLARED_MAX && n->process->inputs[i]; i++) read[count++] = n->process->inputs[i]->in;
    if (n->process && n->process->broadcast) read[count++] = n->process->broadcast->in;
    *columns = 0;
    *size = 1;
    for (size_t i = 0; i < count; i++) {
        *columns = read[i]->count > *columns ? read[i]->count : *columns;
        *size = read[i]->size > *size ? read[i]->size : *size;
    }
}

void tdm_link(tdm_instance *instance, uint32_t id, tdm_numbers members) {
    current = instance;
    if (!members.len) tdm_abort("a chain has members");
    if (id >= instance->chains_len) {
        instance->chains = checked(realloc(instance->chains, (id + 1) * sizeof *instance->chains));
        while (instance->chains_len <= id) instance->chains[instance->chains_len++] = NULL;
    }
    free_chain(instance->chains[id]);
    chain *c = instance->chains[id] = checked(calloc(1, sizeof *c));
    c->instance = instance;
    c->len = members.len;
    c->stages = checked(calloc(c->len, sizeof *c->stages));
    for (size_t i = 0; i < c->len; i++) {
        const node *n = guest(instance, members.at[i]);
        if (i && !n->function) tdm_abort("operator %u has state and cannot stand behind another in a chain", members.at[i]);
        c->ports_len += n->ports_len;
        c->undo = c->undo || n->policy != TDM_FAIL;
    }
    c->ports = checked(calloc(c->ports_len + 1, sizeof(port *)));
    size_t at = 0;
    for (size_t i = 0; i < c->len; i++) {
        node *n = guest(instance, members.at[i]);
        stage *s = &c->stages[i];
        s->ctx = (tdm_ctx){instance, c, n, (uint32_t)i, 0, NULL, false, 0, 0, NULL, NULL, 0, false, 0};
        s->first_port = at;
        s->marks = checked(calloc(c->ports_len + 1, sizeof *s->marks));
        s->out = checked(calloc(1, n->function && n->function->out->size > 8 ? n->function->out->size : 8));
        for (size_t p = 0; p < n->ports_len; p++) c->ports[at++] = &n->ports[p];
    }
    node *head = c->stages[0].ctx.node;
    head->undo = c->undo && head->kind == PROCESS;
    size_t columns, size;
    max_read(head, &columns, &size);
    c->columns = checked(calloc(columns + 1, sizeof *c->columns));
    c->key_columns = checked(calloc(KEYS_MAX + 3, sizeof *c->key_columns));
    c->record = checked(calloc(1, size));
    current = NULL;
}

/* Begins a call: the chain, and the block opened. */
static chain *begin_call(tdm_instance *instance, uint32_t id, tdm_moment at, tdm_bytes bytes, block *b) {
    current = instance;
    instance->at = at;
    instance->operator_id = WHOLE_JOB;
    instance->has_row = false;
    instance->attention = false;
    instance->failures.len = instance->messages.len = instance->timers.len = instance->cleared.len = instance->unchanged.len = 0;
    chain *c = id < instance->chains_len ? instance->chains[id] : NULL;
    if (!c) tdm_abort("the host calls chain %u, which it has not linked", id);
    const char *error = open_block(b, bytes);
    if (error) tdm_abort("the host gave a wrong block: %s", error);
    instance->operator_id = c->stages[0].ctx.node->id;
    return c;
}

static void expect(const char *error) {
    if (error) tdm_abort("the host gave a wrong block: %s", error);
}

/* Ends a call: hands on what is left, and says what the call did. */
static const tdm_outcome *end_call(chain *c) {
    tdm_instance *instance = c->instance;
    for (size_t i = 0; i < c->ports_len; i++) send(instance, c->ports[i]);
    arena_release(&instance->scratch, (arena_mark){NULL, 0});
    size_t count = instance->failures.len / sizeof(refusal);
    const refusal *refusals = (const refusal *)(const void *)instance->failures.at;
    instance->failure_list.len = 0;
    for (size_t i = 0; i < count; i++) {
        const refusal *r = &refusals[i];
        tdm_failure failure = {r->row, r->operator_id, {(const char *)instance->messages.at + r->at, r->len}};
        append(&instance->failure_list, &failure, sizeof failure);
    }
    instance->outcome = (tdm_outcome){
        (const tdm_timer_op *)(const void *)instance->timers.at,
        instance->timers.len / sizeof(tdm_timer_op),
        (const uint32_t *)(const void *)instance->cleared.at,
        instance->cleared.len / 4,
        (const uint32_t *)(const void *)instance->unchanged.at,
        instance->unchanged.len / 4,
        (const tdm_failure *)(const void *)instance->failure_list.at,
        count,
    };
    instance->has_row = false;
    current = NULL;
    return &instance->outcome;
}

static void open_key(chain *c, const block *b, const key *k, bool in_front) {
    for (size_t i = 0; i < k->count; i++) expect(open_column(b, in_front ? i : k->columns[i], k->types[i], false, &c->key_columns[i]));
    c->stages[0].ctx.key = k;
    c->stages[0].ctx.key_columns = c->key_columns;
}

/* Adds a record to the result so far and emits it. */
static tdm_status reduce_record(tdm_ctx *ctx, const void *in) {
    table *t = &ctx->node->tables[0];
    bool first = !t->counts[ctx->slot];
    void *so_far = edit(ctx, t);
    if (first) memcpy(so_far, in, t->size);
    else ctx->node->reduce->call(so_far, in);
    tdm_emit_record(ctx, ctx->node->reduce->record, so_far);
    return TDM_OK;
}

/* One entry of a call to a process function. */
typedef struct entry {
    /* The row of the call's block that it is about, and the row of its key. */
    uint32_t row, key_row, slot;
    int64_t time;
    /* NULL for a record. */
    const tdm_timer *timer;
    const tdm_input *input;
    /* The domain whose sweeping timer it is, plus 1. */
    size_t sweeps;
} entry;

/* Runs one entry; answers what it did to its slot, which is also noted in `seen`. */
static uint8_t run_entry(stage *s, entry e) {
    tdm_ctx *ctx = &s->ctx;
    chain *c = ctx->chain;
    node *n = ctx->node;
    tdm_instance *instance = ctx->instance;
    size_t timers = instance->timers.len;
    begin_row(c, e.row);
    begin_stage(s, e.time);
    ctx->slot = e.slot;
    ctx->key_row = e.key_row;
    n->touched = 0;
    n->written[0] = n->written[1] = false;
    ctx->wrote_at = e.timer || e.sweeps ? INT64_MIN : e.time;
    tdm_status status = TDM_OK;
    if (e.sweeps) forget_sweep(n, e.slot, e.sweeps - 1), n->written[e.sweeps - 1] = true;
    else if (e.timer) status = n->process->on_timer(ctx, e.timer);
    else if (e.input) status = e.input->call(ctx, c->record);
    else status = reduce_record(ctx, c->record);
    for (size_t i = 0; status == TDM_OK && i < n->tables_len; i++) {
        const char *bad = bad_table(&n->tables[i]);
        if (bad) force_refusal(ctx, "field \"%s\" of state \"%s\" is given a text that is not UTF-8", bad, n->tables[i].piece->name);
    }
    bool kept = end_stage(s, status);
    for (size_t i = 0; i < n->tables_len; i++) {
        if (kept) commit(&n->tables[i]);
        else roll_back(&n->tables[i]);
    }
    if (kept && (n->written[0] || n->written[1])) sweep(ctx);
    if (!kept && c->undo) {
        instance->timers.len = timers;
        n->touched = 0;
    }
    arena_release(&instance->scratch, (arena_mark){NULL, 0});
    end_row_of(c);
    instance->seen.at[e.slot] |= n->touched;
    return n->touched;
}

/* Lists the slots that are empty or unchanged, each once, and forgets what was seen. */
static void sort_out(tdm_instance *instance, const node *n, tdm_numbers slots, bool uneven) {
    uint8_t *seen = instance->seen.at;
    for (size_t i = 0; uneven && i < slots.len; i++) {
        uint32_t slot = slots.at[i];
        uint8_t flags = seen[slot];
        seen[slot] = LISTED;
        if (flags == CHANGED || flags & LISTED) continue;
        bool empty = true;
        for (size_t t = 0; t < n->tables_len; t++) empty = empty && !n->tables[t].counts[slot];
        if (empty) append_u32(&instance->cleared, slot);
        else if (!(flags & (CHANGED | CLEARED))) append_u32(&instance->unchanged, slot);
    }
    for (size_t i = 0; i < slots.len; i++) seen[slots.at[i]] = 0;
}

static void reserve_seen(tdm_instance *instance, uint32_t room) {
    if (instance->seen.len < room) append_zeros(&instance->seen, room - instance->seen.len);
}

/* Begins a call about keys and gives their slots; the one of what all keys share stands behind them, where anything is shared. */
static tdm_numbers begin_keyed(tdm_ctx *ctx, tdm_numbers slots) {
    const node *n = ctx->node;
    reserve_seen(ctx->instance, reserve_all(ctx->node, slots));
    ctx->broadcasting = false;
    if (n->inputs_len == n->keys_len) return slots;
    if (!slots.len) tdm_abort("the host calls operator \"%s\" without its broadcast slot", n->name);
    ctx->shared_slot = slots.at[slots.len - 1];
    return (tdm_numbers){slots.at, slots.len - 1};
}

/* Handles records of the broadcast input, which may change what all keys share and nothing else. */
static void process_broadcast(chain *c, const block *b) {
    stage *s = &c->stages[0];
    tdm_ctx *ctx = &s->ctx;
    const tdm_input *input = ctx->node->process->broadcast;
    expect(open_record(b, input->in, 0, false, c->columns));
    ctx->key = NULL;
    ctx->broadcasting = true;
    bool uneven = false;
    for (uint32_t row = 0; row < b->rows; row++) {
        read_record(input->in, c->columns, row, c->record);
        uneven = run_entry(s, (entry){row, row, ctx->shared_slot, time_of(b, row), NULL, input, 0}) != CHANGED || uneven;
    }
    ctx->broadcasting = false;
    sort_out(c->instance, ctx->node, (tdm_numbers){&ctx->shared_slot, 1}, uneven);
}

static void process_keyed(chain *c, uint32_t index, const block *b, tdm_numbers rows, tdm_numbers slots) {
    stage *s = &c->stages[0];
    node *n = s->ctx.node;
    if (index >= n->inputs_len) tdm_abort("operator \"%s\" has no input %u", n->name, index);
    tdm_numbers keyed = begin_keyed(&s->ctx, slots);
    if (index == n->keys_len) {
        process_broadcast(c, b);
        return;
    }
    const tdm_input *input = n->process ? n->process->inputs[index] : NULL;
    const tdm_record *in = input ? input->in : n->reduce->record;
    expect(open_record(b, in, 0, false, c->columns));
    open_key(c, b, &n->keys[index], false);
    /* Records without a key reach what is shared and nothing else, and change nothing. */
    bool without_key = n->inputs_len > n->keys_len && !n->keys[index].count, uneven = false;
    for (size_t i = 0; i < (without_key ? b->rows : keyed.len); i++) {
        uint32_t row = rows.len ? rows.at[i] : (uint32_t)i, slot = without_key ? s->ctx.shared_slot : keyed.at[i];
        read_record(in, c->columns, row, c->record);
        uneven = run_entry(s, (entry){row, row, slot, time_of(b, row), NULL, input, 0}) != CHANGED || uneven;
    }
    sort_out(c->instance, n, keyed, uneven);
}

const tdm_outcome *tdm_apply(
    tdm_instance *instance, uint32_t id, uint32_t index, tdm_moment at, tdm_bytes bytes, tdm_bytes key_bytes, tdm_numbers slots) {
    block b, keys;
    chain *c = begin_call(instance, id, at, bytes, &b);
    stage *s = &c->stages[0];
    const node *n = s->ctx.node;
    const tdm_input *input = n->kind == PROCESS && n->process ? n->process->on_key : NULL;
    if (!input || index != n->keys_len) tdm_abort("the host applies a record of input %u of \"%s\" to keys", index, n->name);
    expect(open_block(&keys, key_bytes));
    tdm_numbers keyed = begin_keyed(&s->ctx, slots);
    if (b.rows != 1 || keys.rows != keyed.len)
        tdm_abort("the host applies %u records to %u keys with %zu slots", b.rows, keys.rows, keyed.len);
    expect(open_record(&b, input->in, 0, false, c->columns));
    open_key(c, &keys, &n->keys[0], true);
    read_record(input->in, c->columns, 0, c->record);
    bool uneven = false;
    for (uint32_t row = 0; row < keys.rows; row++)
        uneven = run_entry(s, (entry){0, row, keyed.at[row], time_of(&keys, row), NULL, input, 0}) != CHANGED || uneven;
    sort_out(instance, n, keyed, uneven);
    return end_call(c);
}

/* Adds a record of an event time to an accumulator. */
static void add_to(tdm_ctx *ctx, table *t, uint32_t slot, const void *record, int64_t time) {
    node *n = ctx->node;
    ctx->slot = slot;
    if (is_list(t)) {
        _Alignas(8) uint8_t placed[t->size];
        if (!place(ctx, t, placed, record, NULL)) tdm_abort("%s", ctx->refusal);
        if (t->stamp_at) memcpy(placed + t->stamp_at, &time, sizeof time);
        memcpy(insert_gap(t, slot, t->counts[slot]), placed, t->size);
        return;
    }
    bool first = !t->counts[slot];
    void *acc = edit(ctx, t);
    if (!n->reduce) n->aggregator.add(&n->aggregator, acc, record, first);
    else if (first) memcpy(acc, record, t->size);
    else n->reduce->call(acc, record);
    const char *bad = bad_table(t);
    if (bad) tdm_abort("field \"%s\" of the accumulator is given a text that is not UTF-8", bad);
    commit(t);
}

static void merge_into(const node *n, void *into, const void *from) {
    if (n->reduce) n->reduce->call(into, from);
    else n->aggregator.merge(&n->aggregator, into, from);
}

static void process_window(chain *c, uint32_t index, const block *b, tdm_numbers rows, tdm_numbers slots) {
    tdm_ctx *ctx = &c->stages[0].ctx;
    node *n = ctx->node;
    if (index >= n->inputs_len) tdm_abort("operator \"%s\" has no input %u", n->name, index);
    const tdm_record *in = !n->co_group ? n->in : index ? n->co_group->second : n->co_group->first;
    expect(open_record(b, in, 0, false, c->columns));
    reserve_all(n, slots);
    uint32_t read = UINT32_MAX;
    for (size_t i = 0; i < slots.len; i++) {
        uint32_t row = rows.len ? rows.at[i] : (uint32_t)i;
        if (row != read) read_record(in, c->columns, row, c->record);
        read = row;
        begin_row(c, row);
        add_to(ctx, &n->tables[index], slots.at[i], c->record, time_of(b, row));
        arena_release(&c->instance->scratch, (arena_mark){NULL, 0});
    }
}

const tdm_outcome *tdm_process_block(
    tdm_instance *instance, uint32_t id, uint32_t input, tdm_moment at, tdm_bytes bytes, tdm_numbers rows, tdm_numbers slots) {
    block b;
    chain *c = begin_call(instance, id, at, bytes, &b);
    node *n = c->stages[0].ctx.node;
    if (n->kind == PROCESS) {
        process_keyed(c, input, &b, rows, slots);
    } else if (n->kind == WINDOW || n->kind == CO_GROUP) {
        process_window(c, input, &b, rows, slots);
    } else {
        expect(open_record(&b, n->in, 0, false, c->columns));
        for (uint32_t row = 0; row < b.rows; row++) {
            begin_row(c, row);
            read_record(n->in, c->columns, row, c->record);
            run_stage(&c->stages[0], c->record, time_of(&b, row));
            end_row_of(c);
        }
    }
    return end_call(c);
}

const tdm_outcome *tdm_fire_timers(tdm_instance *instance, uint32_t id, tdm_moment at, tdm_bytes bytes, tdm_numbers slots) {
    block b;
    chain *c = begin_call(instance, id, at, bytes, &b);
    stage *s = &c->stages[0];
    node *n = s->ctx.node;
    if (n->kind != PROCESS || !n->process || !(n->process->timers[0] || n->sweepers[0] || n->sweepers[1]))
        tdm_abort("the host fires a timer of operator \"%s\", which has none", n->name);
    const key *k = &n->keys[0];
    column *timers = &c->key_columns[KEYS_MAX];
    open_key(c, &b, k, true);
    expect(open_column(&b, k->count, TDM_I32, false, timers));
    tdm_numbers keyed = begin_keyed(&s->ctx, slots);
    bool uneven = false;
    for (uint32_t row = 0; row < b.rows && row < keyed.len; row++) {
        int32_t index;
        read_value(TDM_I32, timers, row, &index);
        size_t sweeps = 0;
        for (size_t d = 0; d < 2; d++) sweeps = n->sweepers[d] && (int64_t)n->sweepers[d] == (int64_t)index + 1 ? d + 1 : sweeps;
        if (!sweeps && (index < 0 || index >= TDM_DECLARED_MAX || !n->process->timers[index]))
            tdm_abort("operator \"%s\" has no timer %d", n->name, (int)index);
        const entry e = {row, row, keyed.at[row], time_of(&b, row), sweeps ? NULL : n->process->timers[index], NULL, sweeps};
        uneven = run_entry(s, e) != CHANGED || uneven;
    }
    sort_out(instance, n, keyed, uneven);
    return end_call(c);
}

/* The merge of the accumulators in some slots, in memory of the record in hand; NULL when all are empty. Texts in it are the slots'. */
static void *merged(tdm_ctx *ctx, const table *t, tdm_numbers slots, size_t *count) {
    node *n = ctx->node;
    arena *a = &ctx->instance->scratch;
    *count = 0;
    size_t filled = 0, last = 0;
    for (size_t i = 0; i < slots.len; i++) {
        if (!t->counts[slots.at[i]]) continue;
        *count += t->counts[slots.at[i]];
        filled++;
        last = i;
    }
    if (!filled) return NULL;
    if (filled == 1) return items_of(t, slots.at[last]);
    uint8_t *all = arena_zeroed(a, is_list(t) ? *count * t->size : t->size), *end = all;
    for (size_t i = 0; i < slots.len; i++) {
        uint32_t slot = slots.at[i];
        if (!t->counts[slot]) continue;
        if (is_list(t)) {
            memcpy(end, items_of(t, slot), t->counts[slot] * t->size);
            end += t->counts[slot] * t->size;
        } else if (end == all) {
            copy_item(t, all, items_of(t, slot));
            end = all + t->size;
        } else {
            merge_into(n, all, items_of(t, slot));
        }
    }
    return all;
}

/* Says which records of a window an evictor takes out. */
static void choose(const node *n, const uint8_t *records, const int64_t *times, size_t count, bool *goes) {
    const tdm_evictor *e = &n->windows.evictor;
    size_t size = n->in->size;
    if (e->evict == TDM_CHOSEN) {
        e->choose(records, times, count, goes);
        return;
    }
    int64_t latest = INT64_MIN;
    for (size_t i = 0; i < count; i++) latest = times[i] > latest ? times[i] : latest;
    const tdm_aggregator field = {.offset = e->field.offset, .type = n->evict_field ? n->evict_field->type : 0};
    double last = n->evict_field ? number_at(&field, records + (count - 1) * size) : 0;
    for (size_t i = 0; i < count; i++) {
        if (e->evict == TDM_ALL_BUT_LAST) goes[i] = (uint64_t)(count - i) > (uint64_t)e->number;
        if (e->evict == TDM_OLDER_THAN) goes[i] = latest >= INT64_MIN + e->number && times[i] < latest - e->number;
        if (e->evict != TDM_DIFFERING_BY) continue;
        double differs = number_at(&field, records + i * size) - last;
        goes[i] = (differs < 0 ? -differs : differs) >= e->threshold;
    }
}

/* The records of a window side by side; they are views of the slot's. */
static uint8_t *side_by_side(tdm_ctx *ctx, const table *t, uint32_t slot, int64_t *times) {
    size_t size = ctx->node->in->size, count = t->counts[slot];
    uint8_t *records = arena_zeroed(&ctx->instance->scratch, count * size + 1), *items = count ? items_of(t, slot) : NULL;
    for (size_t i = 0; i < count; i++) {
        memcpy(records + i * size, items + i * t->size, size);
        if (times) memcpy(&times[i], items + i * t->size + t->stamp_at, sizeof *times);
    }
    return records;
}

static void evict(tdm_ctx *ctx, table *t, uint32_t slot) {
    size_t count = t->counts[slot], kept = 0;
    arena *a = &ctx->instance->scratch;
    if (!count) return;
    bool *goes = arena_zeroed(a, count);
    int64_t *times = arena_zeroed(a, count * sizeof *times);
    choose(ctx->node, side_by_side(ctx, t, slot, times), times, count, goes);
    uint8_t *items = items_of(t, slot);
    for (size_t i = 0; i < count; i++) {
        if (goes[i]) disown_all(t, items + i * t->size, 1);
        else if (kept++ < i) memcpy(items + (kept - 1) * t->size, items + i * t->size, t->size);
    }
    t->counts[slot] = (uint32_t)kept;
}

/* Emits the result of a window that leaves records out, in front of its function or behind it. */
static tdm_status finish_evicting(tdm_ctx *ctx, const tdm_window *window, uint32_t slot) {
    const node *n = ctx->node;
    table *t = &ctx->node->tables[0];
    if (!t->counts[slot]) return TDM_OK;
    if (!n->windows.evictor.after) evict(ctx, t, slot);
    tdm_status status = n->finish->call(ctx, window, side_by_side(ctx, t, slot, NULL), t->counts[slot]);
    if (n->windows.evictor.after) evict(ctx, t, slot);
    return status;
}

/* Emits the result of one window. */
static tdm_status finish_window(tdm_ctx *ctx, const tdm_window *window, tdm_numbers slots) {
    node *n = ctx->node;
    table *t = &n->tables[0];
    size_t count;
    if (n->windows.evictor.evict) return slots.len ? finish_evicting(ctx, window, slots.at[0]) : TDM_OK;
    void *acc = merged(ctx, t, slots, &count);
    if (n->co_group) {
        size_t more;
        const void *others = merged(ctx, &n->tables[1], slots, &more);
        return acc || others ? n->co_group->call(ctx, window, acc, count, others, more) : TDM_OK;
    }
    if (!acc) return TDM_OK;
    tdm_status status = TDM_OK;
    if (n->reduce) {
        tdm_emit_record(ctx, n->reduce->record, acc);
    } else if (n->aggregator.finish && !is_list(t)) {
        void *result = arena_zeroed(&ctx->instance->scratch, n->aggregator.result->size);
        n->aggregator.finish(&n->aggregator, acc, result);
        status = n->finish->call(ctx, window, result, 1);
    } else {
        status = n->finish->call(ctx, window, acc, count);
    }
    /* Of several, a native one was copied. */
    bool owned = true;
    for (size_t i = 0; i < slots.len; i++) owned = owned && acc != (t->counts[slots.at[i]] ? items_of(t, slots.at[i]) : NULL);
    if (owned && t->piece->native) disown(t, acc);
    return status;
}

const tdm_outcome *tdm_fire_windows(
    tdm_instance *instance, uint32_t id, tdm_moment at, tdm_bytes bytes, tdm_numbers offsets, tdm_numbers slots) {
    block b;
    chain *c = begin_call(instance, id, at, bytes, &b);
    stage *s = &c->stages[0];
    node *n = s->ctx.node;
    if (n->kind != WINDOW && n->kind != CO_GROUP) tdm_abort("the host fires a window of operator \"%s\", which has none", n->name);
    if (offsets.len != (size_t)b.rows + 1) tdm_abort("the host fires %u windows with %zu offsets", b.rows, offsets.len);
    const key *k = &n->keys[0];
    open_key(c, &b, k, true);
    column *bounds = &c->key_columns[KEYS_MAX];
    for (size_t i = 0; i < 3; i++) expect(open_column(&b, k->count + i, i < 2 ? TDM_I64 : TDM_I32, false, &bounds[i]));
    reserve_all(n, slots);
    for (uint32_t row = 0; row < b.rows; row++) {
        tdm_window window;
        read_value(TDM_I64, &bounds[0], row, &window.start);
        read_value(TDM_I64, &bounds[1], row, &window.end);
        read_value(TDM_I32, &bounds[2], row, &window.firing);
        begin_row(c, row);
        begin_stage(s, time_of(&b, row));
        s->ctx.key_row = row;
        end_stage(s, finish_window(&s->ctx, &window, (tdm_numbers){slots.at + offsets.at[row], offsets.at[row + 1] - offsets.at[row]}));
        arena_release(&instance->scratch, (arena_mark){NULL, 0});
        end_row_of(c);
    }
    return end_call(c);
}

/* A context outside of any chain, for state alone. */
static tdm_ctx begin_state(tdm_instance *instance, node *n) {
    current = instance;
    instance->operator_id = n->id;
    instance->has_row = false;
    return (tdm_ctx){instance, NULL, n, 0, 0, NULL, false, 0, 0, NULL, NULL, 0, false, 0};
}

static void end_state(tdm_instance *instance) {
    arena_release(&instance->scratch, (arena_mark){NULL, 0});
    current = NULL;
}

/* Adds what a table has in one slot to what it has in another, and empties the first. */
static void merge_slots(tdm_ctx *ctx, table *t, uint32_t to, uint32_t from) {
    ctx->slot = to;
    if (!t->counts[from] || from == to) return;
    if (is_list(t)) {
        uint32_t count = t->counts[to], more = t->counts[from];
        uint8_t *items = reserve_items(t, to, count + more);
        memcpy(items + count * t->size, t->lists[from].items, more * t->size);
        t->counts[to] += more;
        t->counts[from] = 0;
    } else if (!t->counts[to]) {
        memcpy(items_of(t, to), items_of(t, from), t->size);
        t->counts[to] = 1;
        t->counts[from] = 0;
    } else {
        merge_into(ctx->node, edit(ctx, t), items_of(t, from));
        if (bad_table(t)) tdm_abort("field \"%s\" of the accumulator is given a text that is not UTF-8", bad_table(t));
        commit(t);
    }
    empty_slot(t, from);
    arena_release(&ctx->instance->scratch, (arena_mark){NULL, 0});
}

void tdm_merge(tdm_instance *instance, uint32_t id, tdm_numbers targets, tdm_numbers sources) {
    node *n = guest(instance, id);
    tdm_ctx ctx = begin_state(instance, n);
    reserve_all(n, targets);
    reserve_all(n, sources);
    if (n->kind != WINDOW && n->kind != CO_GROUP) tdm_abort("the host merges accumulators of operator \"%s\", which is no window", n->name);
    for (size_t i = 0; i < targets.len && i < sources.len; i++) {
        for (size_t t = 0; t < n->tables_len; t++) merge_slots(&ctx, &n->tables[t], targets.at[i], sources.at[i]);
    }
    end_state(instance);
}

tdm_bytes tdm_export_state(tdm_instance *instance, uint32_t id, tdm_numbers slots) {
    node *n = guest(instance, id);
    tdm_ctx ctx = begin_state(instance, n);
    free_builder(&instance->exported);
    tdm_bytes bytes = {NULL, 0};
    if (n->tables_len) {
        reserve_all(n, slots);
        builder *b = &instance->exported;
        size_t count, first = 0;
        const tdm_column *columns = state_columns(&instance->scratch, n, &count);
        start_builder(b, count, schema_id(columns, count));
        for (size_t i = 0; i < count; i++) b->writers[i].type = columns[i].type;
        for (size_t i = 0; i < n->tables_len; i++) {
            table *t = &n->tables[i];
            builder nested = {NULL, 0, 0, 0, 0, {NULL, 0, 0}, {NULL, 0, 0}};
            if (is_list(t)) {
                size_t keys = t->piece->key ? t->piece->key->count : 0;
                size_t own = keys + t->piece->record->count;
                start_builder(&nested, own + (t->stamp_at ? t->behind->count : 0), 0);
                if (t->piece->key) set_types(&nested, 0, t->piece->key, 0);
                set_types(&nested, keys, t->piece->record, 0);
                if (t->stamp_at) set_types(&nested, own, t->behind, 0);
            }
            export_table(&ctx, b, first, t, slots, &nested);
            first += columns_of(t);
            free_builder(&nested);
        }
        append_zeros(&b->times, 8 * slots.len);
        b->rows = (uint32_t)slots.len;
        bytes = lay_out(b);
    }
    end_state(instance);
    return bytes;
}

const char *tdm_import_state(tdm_instance *instance, uint32_t id, tdm_numbers slots, tdm_bytes bytes) {
    node *n = guest(instance, id);
    if (!n->tables_len) return NULL;
    tdm_ctx ctx = begin_state(instance, n);
    reserve_all(n, slots);
    block b;
    const char *error = open_block(&b, bytes);
    if (!error && b.rows != slots.len) error = wrong("a block of %u rows does not fit %zu slots", b.rows, slots.len);
    size_t first = 0, count;
    const tdm_column *columns = state_columns(&instance->scratch, n, &count);
    for (size_t i = 0; !error && i < count; i++) {
        column opened;
        error = open_column(&b, i, base(columns[i].type), true, &opened);
    }
    if (!error) error = tdm_block_check(bytes, columns, count);
    for (size_t i = 0; !error && i < n->tables_len; i++) {
        error = import_table(&ctx, &n->tables[i], slots, &b, first);
        first += columns_of(&n->tables[i]);
    }
    end_state(instance);
    return error;
}

void tdm_drop_state(tdm_instance *instance, uint32_t id, tdm_numbers slots) {
    node *n = guest(instance, id);
    begin_state(instance, n);
    reserve_all(n, slots);
    for (size_t i = 0; i < slots.len; i++) {
        for (size_t t = 0; t < n->tables_len; t++) empty_slot(&n->tables[t], slots.at[i]);
        forget_sweep(n, slots.at[i], 0);
        forget_sweep(n, slots.at[i], 1);
    }
    end_state(instance);
}

void tdm_purge(tdm_instance *instance, uint32_t id, tdm_numbers slots) { tdm_drop_state(instance, id, slots); }

/* What the generator remembers of a split; all zero when it is new. */
static void *self_of(node *n, uint32_t number) {
    const split *all = (const split *)(const void *)n->splits.at;
    for (size_t i = 0; i < n->splits.len / sizeof *all; i++) {
        if (all[i].number == number) return all[i].self;
    }
    size_t size = n->watermarks.generator->size;
    split one = {number, checked(calloc(1, size ? size : 1))};
    append(&n->splits, &one, sizeof one);
    return one.self;
}

bool tdm_generate(tdm_instance *instance, uint32_t id, uint32_t number, int64_t now, tdm_bytes bytes, int64_t *watermark) {
    node *n = guest(instance, id);
    begin_state(instance, n);
    const tdm_generator *generator = n->kind == TIMESTAMPS ? n->watermarks.generator : NULL;
    if (!generator) tdm_abort("the host asks for a watermark of operator \"%s\", which makes none of its own", n->name);
    void *self = self_of(n, number);
    bool given = false;
    if (!bytes.len) given = generator->on_periodic && generator->on_periodic(self, now, watermark);
    block b = {0};
    column *columns = arena_zeroed(&instance->scratch, (generator->in->count + 1) * sizeof *columns);
    void *record = arena_zeroed(&instance->scratch, generator->in->size);
    if (bytes.len) {
        expect(open_block(&b, bytes));
        expect(open_record(&b, generator->in, 0, false, columns));
    }
    for (uint32_t row = 0; row < b.rows; row++) {
        int64_t said;
        instance->row = row;
        instance->has_row = true;
        read_record(generator->in, columns, row, record);
        if (!generator->on_event(self, record, time_of(&b, row), &said)) continue;
        if (!given || said > *watermark) *watermark = said;
        given = true;
    }
    instance->has_row = false;
    end_state(instance);
    return given;
}

void tdm_forget_splits(tdm_instance *instance, uint32_t id) { free_splits(guest(instance, id)); }

/* ==== 14 the component ======================================================================================== */

#ifdef __wasm__

/* The canonical ABI: names, the order of arguments and the layout of results follow from job.wit. */
#define EXPORT(name) __attribute__((export_name("tidemill:job/operators@0.2.0#" name)))
#define IMPORT(name) __attribute__((import_module("tidemill:job/host@0.2.0"), import_name(name)))

IMPORT("log") void host_log(uint32_t level, uint32_t operator_id, const char *message, size_t len);
IMPORT("emit") void host_emit(uint32_t operator_id, uint32_t port, const uint8_t *block, size_t len);
IMPORT("report-failure") void host_report_failure(uint32_t operator_id, uint32_t row, const char *message, size_t len);

typedef struct result {
    uint8_t is_error;
    tdm_text text;
} result;

_Static_assert(sizeof(tdm_argument) == 16 && sizeof(tdm_failure) == 16 && sizeof(tdm_outcome) == 32 && sizeof(result) == 12,
    "as wasm32 lays them out");
typedef struct mark {
    uint8_t given;
    int64_t time;
} mark;

_Static_assert(sizeof(mark) == 16 && offsetof(mark, time) == 8, "as wasm32 lays them out");
_Static_assert(sizeof(tdm_timer_op) == 24 && offsetof(tdm_timer_op, time) == 16, "as wasm32 lays them out");

static tdm_instance *the_instance;

static void component_log(void *data, tdm_level level, uint32_t operator_id, const char *message, size_t len) {
    (void)data;
    host_log(level, operator_id, message, len);
}

static void component_emit(void *data, uint32_t operator_id, uint32_t index, const uint8_t *bytes, size_t len) {
    (void)data;
    host_emit(operator_id, index, bytes, len);
}

static void component_report_failure(void *data, uint32_t operator_id, uint32_t row, const char *message, size_t len) {
    (void)data;
    host_report_failure(operator_id, row, message, len);
}

/* The host calls this for every list that it hands over. Blocks may lie at any address for all that reads them. */
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    (void)old_size;
    if (size == 0) return (void *)align;
    return checked(realloc(old, size));
}

static void give_back(const void *ptr, size_t len) {
    if (len) free((void *)(uintptr_t)ptr);
}

/* Standard output and error, line by line. */
static struct {
    char text[4096];
    size_t len;
} lines[2];

static void flush_line(size_t which) {
    tdm_instance *instance = the_instance ? the_instance : current;
    scrub(lines[which].text, lines[which].len);
    if (lines[which].len)
        host_log(which ? TDM_WARN : TDM_INFO, instance ? instance->operator_id : WHOLE_JOB, lines[which].text, lines[which].len);
    lines[which].len = 0;
}

static void flush_lines(void) {
    fflush(stdout);
    flush_line(0);
    flush_line(1);
}

EXPORT("plan") result *component_plan(tdm_argument *args, size_t len) {
    static const tdm_host host = {NULL, component_log, component_emit, component_report_failure, NULL};
    static result answer;
    setvbuf(stdout, NULL, _IOLBF, 1024);
    the_instance = tdm_plan(tdm_the_job, args, len, &host, &answer.text);
    answer.is_error = !the_instance;
    for (size_t i = 0; i < len; i++) {
        give_back(args[i].name.ptr, args[i].name.len);
        give_back(args[i].value.ptr, args[i].value.len);
    }
    give_back(args, len);
    flush_lines();
    return &answer;
}

EXPORT("link") void component_link(uint32_t id, const uint32_t *members, size_t len) {
    tdm_link(the_instance, id, (tdm_numbers){members, len});
    give_back(members, len);
}

EXPORT("process")
const tdm_outcome *component_process(uint32_t id, uint32_t input, int64_t watermark, int64_t now, const uint8_t *bytes, size_t len,
    const uint32_t *rows, size_t rows_len, const uint32_t *slots, size_t slots_len) {
    const tdm_outcome *outcome = tdm_process_block(the_instance, id, input, (tdm_moment){watermark, now}, (tdm_bytes){bytes, len},
        (tdm_numbers){rows, rows_len}, (tdm_numbers){slots, slots_len});
    give_back(bytes, len);
    give_back(rows, rows_len);
    give_back(slots, slots_len);
    flush_lines();
    return outcome;
}

EXPORT("on-timer")
const tdm_outcome *component_on_timer(
    uint32_t id, int64_t watermark, int64_t now, const uint8_t *bytes, size_t len, const uint32_t *slots, size_t slots_len) {
    const tdm_outcome *outcome =
        tdm_fire_timers(the_instance, id, (tdm_moment){watermark, now}, (tdm_bytes){bytes, len}, (tdm_numbers){slots, slots_len});
    give_back(bytes, len);
    give_back(slots, slots_len);
    flush_lines();
    return outcome;
}

EXPORT("fire")
const tdm_outcome *component_fire(uint32_t id, int64_t watermark, int64_t now, const uint8_t *bytes, size_t len, const uint32_t *offsets,
    size_t offsets_len, const uint32_t *slots, size_t slots_len) {
    const tdm_outcome *outcome = tdm_fire_windows(the_instance, id, (tdm_moment){watermark, now}, (tdm_bytes){bytes, len},
        (tdm_numbers){offsets, offsets_len}, (tdm_numbers){slots, slots_len});
    give_back(bytes, len);
    give_back(offsets, offsets_len);
    give_back(slots, slots_len);
    flush_lines();
    return outcome;
}

EXPORT("merge")
void component_merge(uint32_t id, const uint32_t *targets, size_t targets_len, const uint32_t *sources, size_t sources_len) {
    tdm_merge(the_instance, id, (tdm_numbers){targets, targets_len}, (tdm_numbers){sources, sources_len});
    give_back(targets, targets_len);
    give_back(sources, sources_len);
    flush_lines();
}

EXPORT("apply")
const tdm_outcome *component_apply(uint32_t id, uint32_t input, int64_t watermark, int64_t now, const uint8_t *bytes, size_t len,
    const uint8_t *keys, size_t keys_len, const uint32_t *slots, size_t slots_len) {
    const tdm_outcome *outcome = tdm_apply(the_instance, id, input, (tdm_moment){watermark, now}, (tdm_bytes){bytes, len},
        (tdm_bytes){keys, keys_len}, (tdm_numbers){slots, slots_len});
    give_back(bytes, len);
    give_back(keys, keys_len);
    give_back(slots, slots_len);
    flush_lines();
    return outcome;
}

EXPORT("purge") void component_purge(uint32_t id, const uint32_t *slots, size_t len) {
    tdm_purge(the_instance, id, (tdm_numbers){slots, len});
    give_back(slots, len);
}

EXPORT("watermark") const mark *component_watermark(uint32_t id, uint32_t number, int64_t now, const uint8_t *bytes, size_t len) {
    static mark answer;
    answer.given = tdm_generate(the_instance, id, number, now, (tdm_bytes){bytes, len}, &answer.time);
    give_back(bytes, len);
    flush_lines();
    return &answer;
}

/* What the plans of this SDK never ask for. */

EXPORT("trigger")
const void *component_trigger(uint32_t id, uint32_t event, int64_t watermark, int64_t now, const uint8_t *windows, size_t windows_len,
    const uint32_t *slots, size_t slots_len, const uint8_t *records, size_t records_len, const uint32_t *rows, size_t rows_len) {
    (void)event, (void)watermark, (void)now, (void)windows, (void)windows_len, (void)slots, (void)slots_len;
    (void)records, (void)records_len, (void)rows, (void)rows_len;
    tdm_abort_at(NULL, 0, "the host asks the trigger of operator %u, which has none of its own", id);
}

EXPORT("migrate-state")
result *component_migrate_state(uint32_t id, const char *columns, size_t columns_len, const uint8_t *bytes, size_t bytes_len) {
    static result answer;
    (void)id;
    answer = (result){1, tdm_str("the job does not say that it migrates state")};
    give_back(columns, columns_len);
    give_back(bytes, bytes_len);
    return &answer;
}

EXPORT("export-state") const tdm_bytes *component_export_state(uint32_t id, const uint32_t *slots, size_t len) {
    static tdm_bytes bytes;
    bytes = tdm_export_state(the_instance, id, (tdm_numbers){slots, len});
    give_back(slots, len);
    return &bytes;
}

EXPORT("import-state")
result *component_import_state(uint32_t id, const uint32_t *slots, size_t len, const uint8_t *bytes, size_t bytes_len) {
    static result answer;
    const char *error = tdm_import_state(the_instance, id, (tdm_numbers){slots, len}, (tdm_bytes){bytes, bytes_len});
    answer = (result){error != NULL, tdm_str(error ? error : "")};
    give_back(slots, len);
    give_back(bytes, bytes_len);
    return &answer;
}

EXPORT("drop-state") void component_drop_state(uint32_t id, const uint32_t *slots, size_t len) {
    tdm_drop_state(the_instance, id, (tdm_numbers){slots, len});
    give_back(slots, len);
}

/* The C library's own calls out of the component, which would be imports from WASI, end here: what is written to standard output and
 * error goes to the log of the job, there are no other files and no environment, and leaving is a trap that says so. */

typedef struct io_part {
    const char *ptr;
    size_t len;
} io_part;

#define WASI(name) __imported_wasi_snapshot_preview1_##name
enum { WASI_BAD_FILE = 8, WASI_NO_SEEK = 70 };

int32_t WASI(fd_write)(int32_t fd, int32_t parts, int32_t count, int32_t written);
int32_t WASI(fd_write)(int32_t fd, int32_t parts, int32_t count, int32_t written) {
    if (fd != 1 && fd != 2) return WASI_BAD_FILE;
    size_t which = fd == 2, all = 0;
    const io_part *part = (const io_part *)(uintptr_t)parts;
    for (int32_t i = 0; i < count; i++, part++) {
        for (size_t at = 0; at < part->len; at++) {
            if (part->ptr[at] == '\n') flush_line(which);
            else lines[which].text[lines[which].len++] = part->ptr[at];
            if (lines[which].len == sizeof lines[which].text) flush_line(which);
        }
        all += part->len;
    }
    *(uint32_t *)(uintptr_t)written = (uint32_t)all;
    return 0;
}

int32_t WASI(fd_seek)(int32_t fd, int64_t offset, int32_t whence, int32_t at);
int32_t WASI(fd_seek)(int32_t fd, int64_t offset, int32_t whence, int32_t at) {
    return (void)fd, (void)offset, (void)whence, (void)at, WASI_NO_SEEK;
}

int32_t WASI(fd_close)(int32_t fd);
int32_t WASI(fd_close)(int32_t fd) { return (void)fd, 0; }

/* Where the C library has this in another form (zig's), it would import fd_close by itself. */
int close(int fd);
int close(int fd) { return (void)fd, 0; }

int32_t WASI(fd_fdstat_get)(int32_t fd, int32_t stat);
int32_t WASI(fd_fdstat_get)(int32_t fd, int32_t stat) { return (void)fd, (void)stat, WASI_BAD_FILE; }

int32_t WASI(environ_sizes_get)(int32_t count, int32_t size);
int32_t WASI(environ_sizes_get)(int32_t count, int32_t size) { return *(uint32_t *)(uintptr_t)count = *(uint32_t *)(uintptr_t)size = 0, 0; }

int32_t WASI(environ_get)(int32_t environ, int32_t texts);
int32_t WASI(environ_get)(int32_t environ, int32_t texts) { return (void)environ, (void)texts, 0; }

_Noreturn void WASI(proc_exit)(int32_t code);
_Noreturn void WASI(proc_exit)(int32_t code) {
    flush_lines();
    tdm_abort_at(NULL, 0, "the job's code left with code %d: a job ends with its input", (int)code);
}

/* assert() and abort() arrive as tdm_abort does. */

_Noreturn void __assert_fail(const char *condition, const char *file, int line, const char *function);
_Noreturn void __assert_fail(const char *condition, const char *file, int line, const char *function) {
    flush_lines();
    tdm_abort_at(file, line, "assertion failed in %s: %s", function, condition);
}

_Noreturn void abort(void) {
    flush_lines();
    tdm_abort_at(NULL, 0, "the job's code called abort()");
}

/* With -fsanitize=null,integer-divide-by-zero,..., which `tidemill build` gives for the job's own files, the compiler calls these where it
 * would trap or go astray. The first member of what they are given is the place in the source. */

typedef struct place_in_source {
    const char *file;
    uint32_t line, column;
} place_in_source;

#define CHECK_ARGS0
#define CHECK_ARGS1 , uintptr_t a
#define CHECK_ARGS2 , uintptr_t a, uintptr_t b
#define CHECK_USED0
#define CHECK_USED1 (void)a
#define CHECK_USED2 (void)a, (void)b
#define CHECK(name, args, words) \
    _Noreturn void name(const place_in_source *at CHECK_ARGS##args); \
    _Noreturn void name(const place_in_source *at CHECK_ARGS##args) { \
        CHECK_USED##args; \
        flush_lines(); \
        tdm_abort_at(at->file ? at->file : "?", (int)at->line, "%s", words); \
    }
CHECK(__ubsan_handle_type_mismatch_v1_abort, 1, "a null pointer is used")
CHECK(__ubsan_handle_divrem_overflow_abort, 2, "division by zero, or its result does not fit")
CHECK(__ubsan_handle_out_of_bounds_abort, 1, "an index lies outside of its array")
CHECK(__ubsan_handle_builtin_unreachable, 0, "a place is reached that cannot be")
CHECK(__ubsan_handle_missing_return, 0, "a function ends without a result")
CHECK(__ubsan_handle_vla_bound_not_positive_abort, 1, "an array has no or a negative length")
CHECK(__ubsan_handle_add_overflow_abort, 2, "a sum does not fit its type")
CHECK(__ubsan_handle_sub_overflow_abort, 2, "a difference does not fit its type")
CHECK(__ubsan_handle_mul_overflow_abort, 2, "a product does not fit its type")
CHECK(__ubsan_handle_negate_overflow_abort, 1, "a negated number does not fit its type")
CHECK(__ubsan_handle_shift_out_of_bounds_abort, 2, "a shift is longer than its type")
CHECK(__ubsan_handle_pointer_overflow_abort, 2, "a pointer leaves the memory")

#endif
