/* A host that keeps what it hears, for tests that call an instance by the words of the contract. */
#ifndef TIDEMILL_TESTS_HOST_H
#define TIDEMILL_TESTS_HOST_H

#include "../tidemill_test.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int64_t key;
    tdm_text text;
} item;
TDM_RECORD(item, key, text);

static struct {
    uint32_t operator_id, port;
    uint8_t *bytes;
    size_t len;
} blocks[64];
static size_t blocks_len;
static char heard[8192];
static jmp_buf trapped;
/* The block of the last call. */
static uint8_t *exact;

static inline void hear_log(void *data, tdm_level level, uint32_t operator_id, const char *message, size_t len) {
    (void)data;
    size_t at = strlen(heard);
    snprintf(heard + at, sizeof heard - at, "log %d operator %d: %.*s\n", (int)level, (int)operator_id, (int)len, message);
}

static inline void hear_emit(void *data, uint32_t operator_id, uint32_t port, const uint8_t *bytes, size_t len) {
    (void)data;
    uint8_t *copy = malloc(len);
    memcpy(copy, bytes, len);
    if (blocks_len == 64) abort();
    blocks[blocks_len].operator_id = operator_id;
    blocks[blocks_len].port = port;
    blocks[blocks_len].bytes = copy;
    blocks[blocks_len++].len = len;
}

static inline void hear_failure(void *data, uint32_t operator_id, uint32_t row, const char *message, size_t len) {
    (void)data;
    size_t at = strlen(heard);
    snprintf(heard + at, sizeof heard - at, "operator %u row %u: %.*s\n", operator_id, row, (int)len, message);
}

static inline void hear_trap(void *data) {
    (void)data;
    longjmp(trapped, 1);
}

static inline void forget(void) {
    while (blocks_len > 0) free(blocks[--blocks_len].bytes);
    heard[0] = 0;
    free(exact);
    exact = NULL;
}

static inline tdm_instance *instance_of(tdm_build build) {
    static const tdm_host host = {NULL, hear_log, hear_emit, hear_failure, hear_trap};
    tdm_text text;
    forget();
    tdm_instance *instance = tdm_plan(build, NULL, 0, &host, &text);
    if (!TDM_EXPECT(instance != NULL)) printf("    %.*s\n", TDM_ARG(text)), exit(1);
    return instance;
}

#define NUMBERS(...) ((tdm_numbers){(const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4})
static const tdm_numbers NONE TDM_UNUSED_ = {NULL, 0};
static const tdm_moment AT TDM_UNUSED_ = {0, 0};

static inline const tdm_outcome *process(
    tdm_instance *instance, const tdm_record *type, const void *records, size_t count, tdm_numbers rows, tdm_numbers slots) {
    int64_t times[64];
    for (size_t i = 0; i < count; i++) times[i] = 100 + (int64_t)i;
    tdm_bytes block = {NULL, 0};
    uint8_t *bytes = tdm_block_write(type, records, times, count, true, &block.len);
    /* Of exactly its length and at an odd address, as a host may hand one over. */
    free(exact);
    exact = malloc(block.len + 1);
    memcpy(exact + 1, bytes, block.len);
    free(bytes);
    block.ptr = exact + 1;
    return tdm_process_block(instance, 0, 0, AT, block, rows, slots);
}

#define PROCESS(instance, T, rows, slots, ...) \
    process(instance, &T##_record, (const T[]){__VA_ARGS__}, sizeof((const T[]){__VA_ARGS__}) / sizeof(T), rows, slots)
#define ITEM(k, t) {k, TDM_TEXT(t)}

/* The records of the blocks of a port, as text. */
static inline const char *emitted(uint32_t operator_id, uint32_t port, const tdm_record *type) {
    static char out[4096];
    out[0] = 0;
    for (size_t b = 0; b < blocks_len; b++) {
        if (blocks[b].operator_id != operator_id || blocks[b].port != port) continue;
        int64_t *times;
        size_t count;
        uint8_t *records = tdm_block_read(type, (tdm_bytes){blocks[b].bytes, blocks[b].len}, &times, &count);
        if (!TDM_EXPECT(records != NULL)) return "";
        for (size_t i = 0; i < count; i++) {
            char *to = out + strlen(out);
            size_t room = sizeof out - (size_t)(to - out);
            int at = snprintf(to, room, "%s", out[0] ? " " : "");
            for (size_t f = 0; f < type->count; f++) {
                const uint8_t *cell = records + i * type->size + type->fields[f].offset;
                if (type->fields[f].type == TDM_I64)
                    at += snprintf(to + at, room - (size_t)at, "%lld,", (long long)*(const int64_t *)(const void *)cell);
                else at += snprintf(to + at, room - (size_t)at, "%.*s,", TDM_ARG(*(const tdm_text *)(const void *)cell));
            }
            snprintf(to + at, room - (size_t)at, "@%lld", (long long)times[i]);
        }
        free(records);
        free(times);
    }
    return out;
}

static inline const char *failures(const tdm_outcome *outcome) {
    static char out[2048];
    out[0] = 0;
    for (size_t i = 0; i < outcome->failures_len; i++) {
        size_t at = strlen(out);
        const tdm_failure *f = &outcome->failures[i];
        snprintf(out + at, sizeof out - at, "%s%u by %u: %.*s", i ? "; " : "", f->row, f->operator_id, TDM_ARG(f->message));
    }
    return out;
}

static inline const char *numbers(const uint32_t *at, size_t len) {
    static char out[256];
    out[0] = 0;
    for (size_t i = 0; i < len; i++) snprintf(out + strlen(out), sizeof out - strlen(out), "%s%u", i ? " " : "", at[i]);
    return out;
}

#endif
