// lmcache · SPDX-License-Identifier: Apache-2.0
//
// Uses liblmcache.so as an engine would, and as one should not. Prints PASS or FAIL for each scenario.
// Usage: program DIRECTORY      where sockets may be made

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine.h"
#include "lmcache.h"
#include "message.h"

static int failures;
static char directory[64];

#define EXPECT(condition)                                                                                       \
    do {                                                                                                        \
        if (!(condition)) {                                                                                     \
            printf("  %s:%d: not so: %s (last error: %s)\n", __FILE__, __LINE__, #condition, lmcache_last_error()); \
            is_good = 0;                                                                                        \
        }                                                                                                       \
    } while (0)

static void report(const char *name, int is_good) {
    printf("%s %s\n", is_good ? "PASS" : "FAIL", name);
    fflush(stdout);
    failures += !is_good;
}

static lmcache_instance *create(const char *path) {
    return lmcache_create(ENGINE_DOCUMENT, strlen(ENGINE_DOCUMENT), path);
}

static int says(const char *text) { return strstr(lmcache_last_error(), text) != NULL; }

static int stores_and_loads(lmcache_instance *cache, uint64_t instance_id) {
    int is_good = 1;
    static _Thread_local struct engine engine;
    char request[32];
    engine_fill(&engine, instance_id);
    snprintf(request, sizeof request, "request-%llu", (unsigned long long)instance_id);
    EXPECT(!engine_copies_are_equal(&engine));
    EXPECT(engine_register(&engine, cache) == LMCACHE_OK);
    EXPECT(engine_store(&engine, cache, request, 1) == LMCACHE_OK);
    EXPECT(engine_lookup(&engine, cache, request) == ENGINE_TOKENS / ENGINE_CHUNK_TOKENS);
    EXPECT(engine_retrieve(&engine, cache, request, 1 + ENGINE_PROMPT_BLOCKS) == LMCACHE_OK);
    EXPECT(engine_copies_are_equal(&engine));
    EXPECT(engine_unregister(&engine, cache) == LMCACHE_OK);
    return is_good;
}

static void layouts(void) {
    int is_good = 1;
    EXPECT(lmcache_abi_version() == LMCACHE_ABI_VERSION);
    EXPECT(lmcache_version() != NULL && strlen(lmcache_version()) > 0);
    EXPECT(sizeof(struct lmcache_usage) == 48 && offsetof(struct lmcache_usage, ticket_count) == 40);
    EXPECT(sizeof(enum lmcache_result) == sizeof(int));
    report("versions and layouts", is_good);
}

static void configurations(void) {
    int is_good = 1;
    char *json = NULL;
    size_t length = 0;
    EXPECT(lmcache_configuration_resolve(NULL, 0, &json, &length) == LMCACHE_OK);
    EXPECT(json != NULL && strlen(json) == length && strstr(json, "\"chunk_size\":256") != NULL);
    lmcache_free_bytes(json);
    EXPECT(lmcache_configuration_resolve("chunk_size: 16", 14, &json, &length) == LMCACHE_OK);
    EXPECT(strstr(json, "\"chunk_size\":16") != NULL);
    lmcache_free_bytes(json);
    EXPECT(lmcache_configuration_resolve("chunk_sise: 16", 14, &json, &length) == LMCACHE_INVALID_CONFIGURATION);
    EXPECT(says("did you mean 'chunk_size'") && strchr(lmcache_last_error(), '\n') == NULL);
    EXPECT(lmcache_configuration_resolve("a: [", 4, &json, &length) == LMCACHE_INVALID_CONFIGURATION);
    EXPECT(lmcache_configuration_resolve("\xff\xfe", 2, &json, &length) == LMCACHE_INVALID_CONFIGURATION);
    EXPECT(lmcache_configuration_resolve(NULL, 5, &json, &length) == LMCACHE_INVALID_ARGUMENT);
    EXPECT(lmcache_configuration_resolve("", 0, NULL, &length) == LMCACHE_INVALID_ARGUMENT);
    EXPECT(lmcache_configuration_resolve("", SIZE_MAX, &json, &length) == LMCACHE_INVALID_ARGUMENT);
    report("configurations", is_good);
}

static void round_trip(const char *name, const char *path) {
    int is_good = 1;
    lmcache_instance *cache = create(path);
    EXPECT(cache != NULL);
    is_good &= stores_and_loads(cache, 7);
    struct lmcache_usage usage = {.size = sizeof usage};
    EXPECT(lmcache_read_usage(cache, &usage) == LMCACHE_OK);
    EXPECT(usage.capacity_bytes == 64 << 20 && usage.used_bytes > 0 && usage.object_count == 4);
    EXPECT(usage.leased_object_count == 0 && usage.ticket_count == 0);
    lmcache_destroy(cache);
    if (path != NULL) EXPECT(access(path, F_OK) != 0);
    report(name, is_good);
}

static void tickets(void) {
    int is_good = 1;
    lmcache_instance *cache = create(NULL);
    struct message message = message_begin("get_chunk_size");
    message_end(&message);
    uint64_t first = lmcache_submit(cache, message.bytes, message.length);
    uint64_t second = lmcache_submit(cache, message.bytes, message.length);
    uint64_t third = lmcache_submit(cache, message.bytes, message.length);
    EXPECT(first != 0 && second != 0 && first != second);
    void *reply = NULL;
    size_t length = 0;
    uint64_t ticket = 0;
    EXPECT(lmcache_take(cache, second, 1000, &reply, &length) == LMCACHE_OK);
    uint32_t frame_length = 0;
    const uint8_t *frame = reply_frame(reply, length, 1, &frame_length);
    EXPECT(frame != NULL && frame_length == 1 && frame[0] == ENGINE_CHUNK_TOKENS);
    lmcache_free_bytes(reply);
    EXPECT(lmcache_take(cache, second, 0, &reply, &length) == LMCACHE_UNKNOWN_TICKET);
    EXPECT(lmcache_forget(cache, third) == LMCACHE_OK);
    EXPECT(lmcache_forget(cache, third) == LMCACHE_UNKNOWN_TICKET);
    EXPECT(lmcache_take_any(cache, 1000, &ticket, &reply, &length) == LMCACHE_OK && ticket == first);
    lmcache_free_bytes(reply);
    EXPECT(lmcache_take_any(cache, 20, &ticket, &reply, &length) == LMCACHE_TIMED_OUT);
    message_free(&message);
    lmcache_destroy(cache);
    report("tickets", is_good);
}

static void misuse(void) {
    int is_good = 1;
    lmcache_instance *cache = create(NULL);
    void *reply = NULL;
    size_t length = 0;
    struct message message = message_begin("get_chunk_size");
    message_end(&message);
    EXPECT(lmcache_call(NULL, message.bytes, message.length, 10, &reply, &length) == LMCACHE_INVALID_ARGUMENT);
    EXPECT(lmcache_call(cache, NULL, 8, 10, &reply, &length) == LMCACHE_INVALID_ARGUMENT);
    EXPECT(lmcache_call(cache, message.bytes, message.length, -1, &reply, &length) == LMCACHE_INVALID_ARGUMENT);
    EXPECT(lmcache_call(cache, message.bytes, message.length, 10, NULL, &length) == LMCACHE_INVALID_ARGUMENT);
    EXPECT(lmcache_call(cache, message.bytes, message.length, 10, &reply, NULL) == LMCACHE_INVALID_ARGUMENT);
    EXPECT(lmcache_call(cache, message.bytes, SIZE_MAX, 10, &reply, &length) == LMCACHE_INVALID_ARGUMENT);
    for (size_t cut = 0; cut < message.length; cut++) {
        EXPECT(lmcache_call(cache, message.bytes, cut, 10, &reply, &length) == LMCACHE_INVALID_ARGUMENT);
    }
    const uint8_t huge_count[8] = {0xff, 0xff, 0xff, 0xff};
    EXPECT(lmcache_call(cache, huge_count, 8, 10, &reply, &length) == LMCACHE_INVALID_ARGUMENT);
    const uint8_t huge_frame[8] = {1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
    EXPECT(lmcache_call(cache, huge_frame, 8, 10, &reply, &length) == LMCACHE_INVALID_ARGUMENT);
    EXPECT(lmcache_read_usage(cache, NULL) == LMCACHE_INVALID_ARGUMENT);
    struct lmcache_usage usage = {.size = 8};
    EXPECT(lmcache_read_usage(cache, &usage) == LMCACHE_INVALID_ARGUMENT);
    struct message stream = message_begin("subscribe_kv_events");
    message_end(&stream);
    EXPECT(lmcache_submit(cache, stream.bytes, stream.length) == 0 && says("socket only"));
    message_free(&stream);
    struct message unknown = message_begin("no_such_operation");
    message_end(&unknown);
    EXPECT(lmcache_call(cache, unknown.bytes, unknown.length, 1000, &reply, &length) == LMCACHE_OK);
    uint32_t frame_length = 0;
    const uint8_t *frame = reply_frame(reply, length, 0, &frame_length);
    EXPECT(frame != NULL && frame_length > 6 && memmem(frame, frame_length, "error: ", 7) != NULL);
    lmcache_free_bytes(reply);
    unknown.length = 0;
    message_free(&unknown);
    lmcache_destroy(cache);
    EXPECT(lmcache_call(cache, message.bytes, message.length, 10, &reply, &length) == LMCACHE_CLOSED);
    EXPECT(lmcache_submit(cache, message.bytes, message.length) == 0);
    EXPECT(lmcache_take(cache, 1, 0, &reply, &length) == LMCACHE_CLOSED);
    lmcache_destroy(cache);
    lmcache_destroy(NULL);
    lmcache_destroy((lmcache_instance *)(uintptr_t)12345);
    lmcache_free_bytes(NULL);
    message_free(&message);
    report("misuse", is_good);
}

static void bad_sockets(void) {
    int is_good = 1;
    char path[200];
    EXPECT(create("") == NULL && says("socket_path"));
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = 0;
    EXPECT(create(path) == NULL && says("107"));
    EXPECT(create("/no/such/directory/socket") == NULL && says("/no/such/directory/socket"));
    EXPECT(strchr(lmcache_last_error(), '\n') == NULL);
    snprintf(path, sizeof path, "%s/file", directory);
    FILE *file = fopen(path, "w");
    if (file != NULL) fclose(file);
    EXPECT(create(path) == NULL && says("no socket"));
    snprintf(path, sizeof path, "%s/taken", directory);
    lmcache_instance *first = create(path);
    EXPECT(first != NULL && create(path) == NULL && says("in use"));
    lmcache_destroy(first);
    report("sockets that cannot be had", is_good);
}

struct thread_work {
    lmcache_instance *cache;
    uint64_t number;
    int is_good;
};

static void *work(void *argument) {
    struct thread_work *mine = argument;
    for (uint64_t round = 0; round < 20; round++) {
        mine->is_good &= stores_and_loads(mine->cache, mine->number * 1000 + round);
    }
    return NULL;
}

static void threads(void) {
    int is_good = 1;
    lmcache_instance *cache = create(NULL);
    // What one thread still writes, the others would not find.
    is_good &= stores_and_loads(cache, 999);
    struct thread_work works[4];
    pthread_t handles[4];
    for (uint64_t i = 0; i < 4; i++) {
        works[i] = (struct thread_work){cache, i + 1, 1};
        pthread_create(&handles[i], NULL, work, &works[i]);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(handles[i], NULL);
        EXPECT(works[i].is_good);
    }
    lmcache_destroy(cache);
    report("four threads", is_good);
}

static atomic_int waiters;

static void *wait_for_anything(void *cache) {
    uint64_t ticket;
    void *reply = NULL;
    size_t length;
    atomic_fetch_add(&waiters, 1);
    return (void *)(intptr_t)lmcache_take_any(cache, 60000, &ticket, &reply, &length);
}

static void destroyed_while_waiting(void) {
    int is_good = 1;
    lmcache_instance *cache = create(NULL);
    pthread_t handles[2];
    for (int i = 0; i < 2; i++) pthread_create(&handles[i], NULL, wait_for_anything, cache);
    while (atomic_load(&waiters) < 2) usleep(1000);
    usleep(20000);
    lmcache_destroy(cache);
    for (int i = 0; i < 2; i++) {
        void *result = NULL;
        pthread_join(handles[i], &result);
        EXPECT((intptr_t)result == LMCACHE_CLOSED);
    }
    report("destroyed while two threads wait", is_good);
}

// In a child of fork: the parent's instance is out of reach, its own works.
static int child(lmcache_instance *cache, int destroys) {
    int is_good = 1;
    void *reply = NULL;
    size_t length = 0;
    struct message message = message_begin("get_chunk_size");
    message_end(&message);
    EXPECT(lmcache_call(cache, message.bytes, message.length, 10, &reply, &length) == LMCACHE_OTHER_PROCESS);
    if (destroys) lmcache_destroy(cache);
    lmcache_instance *own = create(NULL);
    EXPECT(own != NULL && own != cache);
    is_good &= stores_and_loads(own, 99);
    lmcache_destroy(own);
    return is_good;
}

static void forked(int destroys) {
    int is_good = 1;
    char path[100];
    snprintf(path, sizeof path, "%s/forked", directory);
    lmcache_instance *cache = create(path);
    is_good &= stores_and_loads(cache, 1);
    // Forked while other threads are inside the library.
    struct thread_work busy = {cache, 5, 1};
    pthread_t handle;
    pthread_create(&handle, NULL, work, &busy);
    for (int i = 0; i < 5; i++) {
        pid_t process = fork();
        if (process == 0) {
            alarm(20);
            _exit(child(cache, destroys) ? 0 : 1);
        }
        int status = -1;
        EXPECT(waitpid(process, &status, 0) == process && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    pthread_join(handle, NULL);
    EXPECT(busy.is_good && access(path, F_OK) == 0);
    is_good &= stores_and_loads(cache, 2);
    lmcache_destroy(cache);
    report(destroys ? "a forked child that destroys" : "a forked child that does not", is_good);
}

int main(int count, char **arguments) {
    if (count != 2 || strlen(arguments[1]) >= sizeof directory) {
        fprintf(stderr, "usage: program DIRECTORY\n");
        return 2;
    }
    strcpy(directory, arguments[1]);
    char path[100];
    snprintf(path, sizeof path, "%s/socket", directory);
    layouts();
    configurations();
    round_trip("round trip without a socket", NULL);
    round_trip("round trip with a socket", path);
    tickets();
    misuse();
    bad_sockets();
    threads();
    destroyed_while_waiting();
    forked(1);
    forked(0);
    return failures > 0;
}
