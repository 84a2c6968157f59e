// lmcache · SPDX-License-Identifier: Apache-2.0

#include "fake_cuda.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_CONTEXT = 201, ALREADY_MAPPED = 208, NOT_MAPPED = 211,
       INVALID_IMAGE = 200, INVALID_HANDLE = 400, NOT_FOUND = 500, NOT_READY = 600, REGISTERED = 712,
       NOT_REGISTERED = 713, UNKNOWN = 999 };
enum { LIMIT = 4096 };

struct fragment { uint64_t page, object; uint32_t byte_count, shape; };
struct shape { uint32_t slots, heads, row_bytes, page_slot_stride, page_head_stride, reserved[3]; };
struct copy_2d {
    size_t sx, sy; unsigned int source_kind; const void *source_host; uint64_t source_device; void *sa; size_t source_pitch;
    size_t dx, dy; unsigned int destination_kind; void *destination_host; uint64_t destination_device; void *da;
    size_t destination_pitch, width, height;
};
struct handle { unsigned char bytes[64]; };

struct event {
    int used, interprocess, imported;
    /// Recordings enqueued and run; it has fired when they are equal.
    long recorded, fired;
    uint64_t number;
    struct event *next;
};

struct operation {
    enum { COPY, COPY_2D, RECORD, WAIT, HOST, KERNEL, WRITE } kind;
    void *destination; const void *source; size_t length; int direction;
    struct copy_2d copy;
    struct event *event; long generation;
    void (*function)(void *); void *argument;
    int is_gather; uint64_t fragments; uint32_t count; uint64_t shapes;
    uint64_t address, value;
    struct operation *next;
};

struct stream { struct operation *first, *last; int busy; struct stream *next; };
struct area { void *base; size_t length; int uses; int shared; char name[64]; struct area *next; };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t progress = PTHREAD_COND_INITIALIZER;
static struct lmc_fake_counts counts;
static struct stream *streams;
static struct event *events;
/// Device memory, page-locked memory, registered memory, engines' memory that may be opened, what is opened, reservations.
static struct area *device_areas, *host_areas, *registered, *exported, *opened, *reserved;
static uint64_t seed = 1;
static long fail_at; static int fail_code, fail_sticky; static long fail_seen;
static char failed_call[64];
static int version = 13000, refuses_modules;
static long long registration_limit = -1, registered_bytes;
static long retained;
static uint64_t next_number = 1;
static __thread void *current;
static int started, runs_at_once, held;

static uint64_t random_number(void) {
    seed += 0x9e3779b97f4a7c15u;
    uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/// Begins a call: takes the lock, counts, and answers the code of an injected fault.
static int enter(const char *name) {
    pthread_mutex_lock(&mutex);
    if (!started) {
        started = 1;
        const char *at = getenv("LMC_FAKE_CUDA_FAIL_AT"), *code = getenv("LMC_FAKE_CUDA_FAIL_CODE");
        runs_at_once = getenv("LMC_FAKE_CUDA_AT_ONCE") != NULL;
        if (at) { fail_at = atol(at); fail_code = code ? atoi(code) : 719; }
    }
    counts.calls += 1;
    fail_seen += 1;
    if (fail_at > 0 && (fail_seen == fail_at || (fail_sticky && fail_seen > fail_at))) {
        snprintf(failed_call, sizeof failed_call, "%s", name);
        return fail_code;
    }
    return SUCCESS;
}
static int leave(int code) { pthread_mutex_unlock(&mutex); return code; }
#define ENTER(name) do { int code_ = enter(name); if (code_) return leave(code_); } while (0)
#define ENTER_WITH_CONTEXT(name) do { ENTER(name); if (!current) return leave(INVALID_CONTEXT); } while (0)

static struct area *add(struct area **list, void *base, size_t length) {
    struct area *area = calloc(1, sizeof *area);
    area->base = base; area->length = length; area->uses = 1; area->next = *list; *list = area;
    return area;
}
static struct area *find(struct area *list, const void *address, size_t length) {
    for (struct area *area = list; area; area = area->next)
        if ((const char *)address >= (char *)area->base
            && (const char *)address + length <= (char *)area->base + area->length) return area;
    return NULL;
}
static int take(struct area **list, const void *base, struct area *copy) {
    for (struct area **at = list; *at; at = &(*at)->next)
        if ((*at)->base == base) {
            struct area *area = *at; *at = area->next; *copy = *area; free(area); return 1;
        }
    return 0;
}
static int is_device(const void *address, size_t length) {
    return find(device_areas, address, length) || find(opened, address, length) || find(reserved, address, length);
}
static int is_locked(const void *address, size_t length) {
    return find(host_areas, address, length) || find(registered, address, length);
}

// ---- Running ----

static void run_kernel(const struct operation *operation) {
    const struct fragment *fragments = (const struct fragment *)(uintptr_t)operation->fragments;
    const struct shape *shapes = (const struct shape *)(uintptr_t)operation->shapes;
    counts.kernels += 1;
    for (uint32_t index = 0; index < operation->count; index += 1) {
        struct fragment one = fragments[index];
        char *page = (char *)(uintptr_t)one.page, *object = (char *)(uintptr_t)one.object;
        counts.fragments += 1;
        if (one.shape == UINT32_MAX) {
            // Pages must be mapped, objects on the device or page-locked: elsewhere a real kernel would fault.
            if (!is_device(page, one.byte_count)) abort();
            if (!is_device(object, one.byte_count) && !is_locked(object, one.byte_count)) abort();
            if (operation->is_gather) memcpy(object, page, one.byte_count); else memcpy(page, object, one.byte_count);
            continue;
        }
        struct shape shape = shapes[one.shape];
        for (uint32_t slot = 0; slot < shape.slots; slot += 1)
            for (uint32_t head = 0; head < shape.heads; head += 1) {
                char *row = page + (size_t)slot * shape.page_slot_stride + (size_t)head * shape.page_head_stride;
                char *place = object + ((size_t)slot * shape.heads + head) * shape.row_bytes;
                if (!is_device(row, shape.row_bytes)) abort();
                if (operation->is_gather) memcpy(place, row, shape.row_bytes); else memcpy(row, place, shape.row_bytes);
            }
    }
}

static int may_run(const struct operation *operation) {
    if (held && (operation->kind == COPY || operation->kind == COPY_2D) && operation->direction == held) return 0;
    return operation->kind != WAIT || operation->event->fired >= operation->generation;
}

static void run_operation(struct stream *stream, struct operation *operation) {
    switch (operation->kind) {
    case COPY: memcpy(operation->destination, operation->source, operation->length); break;
    case COPY_2D: {
        const struct copy_2d *copy = &operation->copy;
        const char *source = copy->source_kind == 2 ? (const char *)(uintptr_t)copy->source_device : copy->source_host;
        char *destination =
            copy->destination_kind == 2 ? (char *)(uintptr_t)copy->destination_device : copy->destination_host;
        for (size_t row = 0; row < copy->height; row += 1)
            memcpy(destination + row * copy->destination_pitch, source + row * copy->source_pitch, copy->width);
        break;
    }
    case RECORD: operation->event->fired = operation->generation; break;
    case WAIT: break;
    case KERNEL: run_kernel(operation); break;
    case WRITE: *(uint64_t *)(uintptr_t)operation->address = operation->value; break;
    case HOST:
        stream->busy = 1;
        pthread_mutex_unlock(&mutex);
        operation->function(operation->argument);
        pthread_mutex_lock(&mutex);
        stream->busy = 0;
        break;
    }
}

/// Runs one operation of a stream that the seed chooses. Returns 0 when none may run.
static int run_one(void) {
    struct stream *ready[LIMIT];
    size_t count = 0;
    for (struct stream *stream = streams; stream; stream = stream->next)
        if (stream->first && !stream->busy && may_run(stream->first) && count < LIMIT) ready[count++] = stream;
    if (!count) return 0;
    struct stream *stream = ready[random_number() % count];
    struct operation *operation = stream->first;
    run_operation(stream, operation);
    stream->first = operation->next;
    if (!stream->first) stream->last = NULL;
    counts.pending -= 1;
    free(operation);
    pthread_cond_broadcast(&progress);
    return 1;
}

static int enqueue(struct stream *stream, struct operation operation) {
    if (!stream) return INVALID_HANDLE;
    struct operation *copy = malloc(sizeof *copy);
    *copy = operation; copy->next = NULL;
    if (stream->last) stream->last->next = copy; else stream->first = copy;
    stream->last = copy;
    counts.pending += 1;
    // For programs that only see the results, such as another process' tests.
    if (runs_at_once) { while (run_one()) {} }
    return SUCCESS;
}

/// Runs until `done`; waits for other threads when nothing can run.
#define RUN_UNTIL(done) while (!(done)) { if (!run_one()) pthread_cond_wait(&progress, &mutex); }

// ---- Driver calls ----

static int fake_init(unsigned int flags) { (void)flags; ENTER("cuInit"); return leave(SUCCESS); }
static int fake_version(int *out) { ENTER("cuDriverGetVersion"); *out = version; return leave(SUCCESS); }
static int fake_error_name(int code, const char **text) {
    *text = code == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : code == 1 ? "CUDA_ERROR_INVALID_VALUE"
        : code == 201 ? "CUDA_ERROR_INVALID_CONTEXT" : code == 719 ? "CUDA_ERROR_LAUNCH_FAILED" : "CUDA_ERROR";
    return SUCCESS;
}
static int fake_device_count(int *count) { ENTER("cuDeviceGetCount"); *count = 2; return leave(SUCCESS); }
static int fake_device(int *device, int ordinal) { ENTER("cuDeviceGet"); *device = ordinal; return leave(SUCCESS); }
static int fake_uuid(unsigned char *uuid, int device) {
    ENTER("cuDeviceGetUuid");
    memset(uuid, 0xfa, 16); uuid[15] = (unsigned char)device;
    return leave(SUCCESS);
}
static int fake_name(char *name, int length, int device) {
    (void)device; ENTER("cuDeviceGetName"); snprintf(name, (size_t)length, "Fake"); return leave(SUCCESS);
}
static int fake_bus_id(char *text, int length, int device) {
    ENTER("cuDeviceGetPCIBusId"); snprintf(text, (size_t)length, "0000:%02X:00.0", 0xf0 + device); return leave(SUCCESS);
}
static int fake_retain(void **context, int device) {
    ENTER("cuDevicePrimaryCtxRetain");
    *context = (void *)(uintptr_t)(0x1000 + device); retained += 1; counts.contexts += 1;
    if (counts.contexts > counts.most_contexts) counts.most_contexts = counts.contexts;
    return leave(SUCCESS);
}
static int fake_release(int device) {
    (void)device; ENTER("cuDevicePrimaryCtxRelease_v2"); counts.contexts -= 1; return leave(SUCCESS);
}
static int fake_set_current(void *context) { ENTER("cuCtxSetCurrent"); current = context; return leave(SUCCESS); }

static int fake_stream_create(struct stream **out, unsigned int flags, int priority) {
    (void)flags; (void)priority;
    ENTER_WITH_CONTEXT("cuStreamCreateWithPriority");
    struct stream *stream = calloc(1, sizeof *stream);
    stream->next = streams; streams = stream; counts.streams += 1; *out = stream;
    return leave(SUCCESS);
}
static int fake_stream_destroy(struct stream *stream) {
    ENTER_WITH_CONTEXT("cuStreamDestroy_v2");
    RUN_UNTIL(!stream->first && !stream->busy);
    for (struct stream **at = &streams; *at; at = &(*at)->next)
        if (*at == stream) { *at = stream->next; free(stream); counts.streams -= 1; return leave(SUCCESS); }
    return leave(INVALID_HANDLE);
}
static int fake_stream_synchronize(struct stream *stream) {
    ENTER_WITH_CONTEXT("cuStreamSynchronize");
    RUN_UNTIL(!stream->first && !stream->busy);
    return leave(SUCCESS);
}
static int fake_stream_wait(struct stream *stream, struct event *event, unsigned int flags) {
    (void)flags; ENTER_WITH_CONTEXT("cuStreamWaitEvent");
    struct operation operation = { .kind = WAIT, .event = event, .generation = event->recorded };
    return leave(enqueue(stream, operation));
}
static struct event *make_event(void) {
    struct event *event = calloc(1, sizeof *event);
    event->used = 1; event->number = next_number++; event->next = events; events = event;
    return event;
}
static int fake_event_create(struct event **out, unsigned int flags) {
    ENTER_WITH_CONTEXT("cuEventCreate");
    *out = make_event(); (*out)->interprocess = (flags & 4) != 0; counts.events += 1;
    return leave(SUCCESS);
}
static int fake_event_destroy(struct event *event) {
    ENTER_WITH_CONTEXT("cuEventDestroy_v2");
    // Kept for the streams that wait for it, as the driver does.
    event->used = 0;
    if (event->imported) counts.imported_events -= 1; else counts.events -= 1;
    return leave(SUCCESS);
}
static int fake_event_record(struct event *event, struct stream *stream) {
    ENTER_WITH_CONTEXT("cuEventRecord");
    event->recorded += 1;
    struct operation operation = { .kind = RECORD, .event = event, .generation = event->recorded };
    return leave(enqueue(stream, operation));
}
static int fake_event_query(struct event *event) {
    ENTER_WITH_CONTEXT("cuEventQuery");
    run_one();
    return leave(event->fired >= event->recorded ? SUCCESS : NOT_READY);
}
static int fake_event_synchronize(struct event *event) {
    ENTER_WITH_CONTEXT("cuEventSynchronize");
    RUN_UNTIL(event->fired >= event->recorded);
    return leave(SUCCESS);
}

static int fake_allocate(uint64_t *address, size_t length) {
    ENTER_WITH_CONTEXT("cuMemAlloc_v2");
    void *base = aligned_alloc(4096, (length + 4095) / 4096 * 4096);
    memset(base, 0xdd, length);
    add(&device_areas, base, length); counts.device_allocations += 1;
    *address = (uintptr_t)base;
    return leave(SUCCESS);
}
static int fake_free(uint64_t address) {
    ENTER_WITH_CONTEXT("cuMemFree_v2");
    struct area area;
    if (!take(&device_areas, (void *)(uintptr_t)address, &area)) return leave(INVALID_VALUE);
    while (run_one()) {}
    memset(area.base, 0xee, area.length); free(area.base); counts.device_allocations -= 1;
    return leave(SUCCESS);
}
static int fake_fill(uint64_t address, unsigned char value, size_t length) {
    ENTER_WITH_CONTEXT("cuMemsetD8_v2");
    if (!is_device((void *)(uintptr_t)address, length)) return leave(INVALID_VALUE);
    memset((void *)(uintptr_t)address, value, length);
    return leave(SUCCESS);
}
static int fake_host_allocate(void **address, size_t length, unsigned int flags) {
    (void)flags; ENTER_WITH_CONTEXT("cuMemHostAlloc");
    *address = aligned_alloc(4096, (length + 4095) / 4096 * 4096);
    memset(*address, 0xcc, length);
    add(&host_areas, *address, length); counts.host_allocations += 1;
    return leave(SUCCESS);
}
static int fake_host_free(void *address) {
    ENTER_WITH_CONTEXT("cuMemFreeHost");
    struct area area;
    if (!take(&host_areas, address, &area)) return leave(INVALID_VALUE);
    while (run_one()) {}
    free(area.base); counts.host_allocations -= 1;
    return leave(SUCCESS);
}
static int fake_register(void *address, size_t length, unsigned int flags) {
    (void)flags; ENTER_WITH_CONTEXT("cuMemHostRegister_v2");
    if (registration_limit >= 0 && registered_bytes + (long long)length > registration_limit) return leave(OUT_OF_MEMORY);
    for (struct area *area = registered; area; area = area->next)
        if ((char *)address < (char *)area->base + area->length && (char *)area->base < (char *)address + length)
            return leave(REGISTERED);
    add(&registered, address, length); counts.registrations += 1; registered_bytes += (long long)length;
    return leave(SUCCESS);
}
static int fake_unregister(void *address) {
    ENTER_WITH_CONTEXT("cuMemHostUnregister");
    struct area area;
    if (!take(&registered, address, &area)) return leave(NOT_REGISTERED);
    counts.registrations -= 1; registered_bytes -= (long long)area.length;
    return leave(SUCCESS);
}
static int fake_device_pointer(uint64_t *device, void *host, unsigned int flags) {
    (void)flags; ENTER_WITH_CONTEXT("cuMemHostGetDevicePointer_v2");
    *device = (uintptr_t)host;
    return leave(is_locked(host, 1) ? SUCCESS : INVALID_VALUE);
}
static int copy(struct stream *stream, void *destination, const void *source, size_t length, const void *device,
                const void *host) {
    if (!is_device(device, length)) return INVALID_VALUE;
    counts.copies += 1;
    if (!is_locked(host, length)) counts.pageable_copies += 1;
    struct operation operation = { .kind = COPY, .destination = destination, .source = source, .length = length,
        .direction = source == device ? 1 : 2 };
    return enqueue(stream, operation);
}
static int fake_to_device(uint64_t device, const void *host, size_t length, struct stream *stream) {
    ENTER_WITH_CONTEXT("cuMemcpyHtoDAsync_v2");
    void *address = (void *)(uintptr_t)device;
    return leave(copy(stream, address, host, length, address, host));
}
static int fake_to_host(void *host, uint64_t device, size_t length, struct stream *stream) {
    ENTER_WITH_CONTEXT("cuMemcpyDtoHAsync_v2");
    const void *address = (void *)(uintptr_t)device;
    return leave(copy(stream, host, address, length, address, host));
}
static int fake_2d(const struct copy_2d *copy, struct stream *stream) {
    ENTER_WITH_CONTEXT("cuMemcpy2DAsync_v2");
    size_t pitch = copy->source_kind == 2 ? copy->source_pitch : copy->destination_pitch;
    uint64_t device = copy->source_kind == 2 ? copy->source_device : copy->destination_device;
    if (copy->source_kind == copy->destination_kind || copy->width > copy->source_pitch
        || copy->width > copy->destination_pitch
        || !is_device((void *)(uintptr_t)device, (copy->height - 1) * pitch + copy->width)) return leave(INVALID_VALUE);
    counts.copies += 1;
    struct operation operation = { .kind = COPY_2D, .copy = *copy, .direction = copy->source_kind == 2 ? 1 : 2 };
    return leave(enqueue(stream, operation));
}
static int fake_host_function(struct stream *stream, void (*function)(void *), void *argument) {
    ENTER_WITH_CONTEXT("cuLaunchHostFunc");
    struct operation operation = { .kind = HOST, .function = function, .argument = argument };
    return leave(enqueue(stream, operation));
}

static int fake_module_load(void **module, const char *image) {
    ENTER_WITH_CONTEXT("cuModuleLoadData");
    if (refuses_modules || !strstr(image, ".entry lmc_gather") || !strstr(image, ".entry lmc_scatter"))
        return leave(INVALID_IMAGE);
    *module = malloc(1); counts.modules += 1;
    return leave(SUCCESS);
}
static int fake_module_unload(void *module) {
    ENTER_WITH_CONTEXT("cuModuleUnload"); free(module); counts.modules -= 1; return leave(SUCCESS);
}
static int fake_function(void **function, void *module, const char *name) {
    (void)module; ENTER_WITH_CONTEXT("cuModuleGetFunction");
    *function = (void *)(uintptr_t)(!strcmp(name, "lmc_gather") ? 1 : !strcmp(name, "lmc_scatter") ? 2 : 0);
    return leave(*function ? SUCCESS : NOT_FOUND);
}
static int fake_launch(void *function, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx,
                       unsigned int by, unsigned int bz, unsigned int shared, struct stream *stream, void **parameters,
                       void **extra) {
    (void)shared; (void)extra;
    ENTER_WITH_CONTEXT("cuLaunchKernel");
    if (!gx || gy != 1 || gz != 1 || !bx || bx > 1024 || by != 1 || bz != 1) return leave(INVALID_VALUE);
    struct operation operation = { .kind = KERNEL, .is_gather = function == (void *)1,
        .fragments = *(uint64_t *)parameters[0], .count = *(uint32_t *)parameters[1],
        .shapes = *(uint64_t *)parameters[2] };
    const void *list = (const void *)(uintptr_t)operation.fragments;
    size_t length = operation.count * sizeof(struct fragment);
    if (!is_device(list, length) && !is_locked(list, length)) return leave(INVALID_VALUE);
    return leave(enqueue(stream, operation));
}
static int fake_write(struct stream *stream, uint64_t address, uint64_t value, unsigned int flags) {
    (void)flags; ENTER_WITH_CONTEXT("cuStreamWriteValue64_v2");
    if (!is_device((void *)(uintptr_t)address, 8)) return leave(INVALID_VALUE);
    struct operation operation = { .kind = WRITE, .address = address, .value = value };
    return leave(enqueue(stream, operation));
}

// ---- Sharing ----
//
// Handles: "FAKE", a kind, three zero bytes, then two 8-byte numbers, or for memory of another process the name of its
// POSIX segment and a length.

static void make_handle(unsigned char *handle, char kind, uint64_t first, uint64_t second) {
    memset(handle, 0, 64);
    memcpy(handle, "FAKE", 4); handle[4] = (unsigned char)kind;
    memcpy(handle + 8, &first, 8); memcpy(handle + 16, &second, 8);
}
static int read_handle(const unsigned char *handle, char kind, uint64_t *first, uint64_t *second) {
    if (memcmp(handle, "FAKE", 4) || handle[4] != (unsigned char)kind) return 0;
    memcpy(first, handle + 8, 8); memcpy(second, handle + 16, 8);
    return 1;
}
static struct area *open_segment(const unsigned char *handle) {
    uint64_t length; char name[41];
    memcpy(&length, handle + 8, 8); memcpy(name, handle + 16, 40); name[40] = 0;
    int file = shm_open(name, O_RDWR, 0);
    if (file < 0) return NULL;
    void *base = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (base == MAP_FAILED) return NULL;
    struct area *area = add(&opened, base, length);
    area->shared = 1;
    return area;
}
static int fake_open_memory(uint64_t *address, struct handle handle, unsigned int flags) {
    (void)flags; ENTER_WITH_CONTEXT("cuIpcOpenMemHandle_v2");
    uint64_t base, length;
    struct area *area = NULL;
    if (read_handle(handle.bytes, 'M', &base, &length)) {
        for (struct area *one = exported; one; one = one->next)
            if ((uintptr_t)one->base == base) area = add(&opened, one->base, one->length);
    } else if (read_handle(handle.bytes, 'O', &base, &length)) {
        return leave(INVALID_CONTEXT);  // one's own
    } else if (!memcmp(handle.bytes, "FAKES", 5)) {
        area = open_segment(handle.bytes);
    }
    if (!area) return leave(INVALID_VALUE);
    counts.mappings += 1;
    if (counts.mappings > counts.most_mappings) counts.most_mappings = counts.mappings;
    *address = (uintptr_t)area->base;
    return leave(SUCCESS);
}
static int fake_close_memory(uint64_t address) {
    ENTER_WITH_CONTEXT("cuIpcCloseMemHandle");
    while (run_one()) {}
    struct area area;
    if (!take(&opened, (void *)(uintptr_t)address, &area)) return leave(INVALID_VALUE);
    if (area.shared) munmap(area.base, area.length);
    counts.mappings -= 1;
    return leave(SUCCESS);
}
static int fake_export_memory(struct handle *handle, uint64_t address) {
    ENTER_WITH_CONTEXT("cuIpcGetMemHandle");
    struct area *area = find(device_areas, (void *)(uintptr_t)address, 1);
    if (!area) return leave(INVALID_VALUE);
    make_handle(handle->bytes, 'O', (uintptr_t)area->base, area->length);
    return leave(SUCCESS);
}
static int fake_range(uint64_t *base, size_t *length, uint64_t address) {
    ENTER_WITH_CONTEXT("cuMemGetAddressRange_v2");
    struct area *area = find(opened, (void *)(uintptr_t)address, 1);
    if (!area) area = find(device_areas, (void *)(uintptr_t)address, 1);
    if (!area) return leave(INVALID_VALUE);
    *base = (uintptr_t)area->base; *length = area->length;
    return leave(SUCCESS);
}
static int fake_open_event(struct event **out, struct handle handle) {
    ENTER_WITH_CONTEXT("cuIpcOpenEventHandle");
    uint64_t number, unused;
    if (!memcmp(handle.bytes, "FAKEX", 5)) {
        // An event of another process, which has always fired.
        *out = make_event(); (*out)->imported = 1; counts.imported_events += 1;
        return leave(SUCCESS);
    }
    if (!read_handle(handle.bytes, 'E', &number, &unused)) return leave(INVALID_VALUE);
    for (struct event *event = events; event; event = event->next)
        if (event->number == number && event->imported) {
            event->used = 1; counts.imported_events += 1; *out = event;
            return leave(SUCCESS);
        }
    return leave(INVALID_VALUE);
}
static int fake_export_event(struct handle *handle, struct event *event) {
    ENTER_WITH_CONTEXT("cuIpcGetEventHandle");
    if (!event->interprocess) return leave(INVALID_VALUE);
    make_handle(handle->bytes, 'P', event->number, 0);
    return leave(SUCCESS);
}

// ---- Virtual memory ----

static int fake_import(uint64_t *out, const unsigned char *blob, int kind) {
    ENTER_WITH_CONTEXT("cuMemImportFromShareableHandle");
    uint64_t base, length;
    if (kind != 8 || !read_handle(blob, 'F', &base, &length)) return leave(INVALID_VALUE);
    for (struct area *area = exported; area; area = area->next)
        if ((uintptr_t)area->base == base) { *out = base; return leave(SUCCESS); }
    return leave(INVALID_VALUE);
}
static int fake_release_handle(uint64_t handle) { (void)handle; ENTER("cuMemRelease"); return leave(SUCCESS); }
static uint64_t imported_length(uint64_t handle) {
    for (struct area *area = exported; area; area = area->next) if ((uintptr_t)area->base == handle) return area->length;
    return 0;
}
/// The reservation is a number; mapping needs real memory, so the address is settled by mremap-like aliasing: the fake
/// reserves lazily and gives the exported memory's own address at cuMemMap through the reservation's name.
static int fake_reserve(uint64_t *address, size_t length, size_t alignment, uint64_t wanted, unsigned long long flags) {
    (void)alignment; (void)wanted; (void)flags;
    ENTER_WITH_CONTEXT("cuMemAddressReserve");
    // One exported fabric memory of this length is what will be mapped.
    for (struct area *area = exported; area; area = area->next)
        if (area->shared == 2 && area->length == length) {
            add(&reserved, area->base, length); counts.reservations += 1; *address = (uintptr_t)area->base;
            return leave(SUCCESS);
        }
    return leave(INVALID_VALUE);
}
static int fake_address_free(uint64_t address, size_t length) {
    (void)length; ENTER_WITH_CONTEXT("cuMemAddressFree");
    struct area area;
    if (!take(&reserved, (void *)(uintptr_t)address, &area)) return leave(INVALID_VALUE);
    counts.reservations -= 1;
    return leave(SUCCESS);
}
static int fake_map(uint64_t address, size_t length, size_t offset, uint64_t handle, unsigned long long flags) {
    (void)flags; ENTER_WITH_CONTEXT("cuMemMap");
    if (offset || length > imported_length(handle) || address != handle) return leave(INVALID_VALUE);
    counts.mappings += 1;
    return leave(SUCCESS);
}
static int fake_unmap(uint64_t address, size_t length) {
    (void)address; (void)length; ENTER_WITH_CONTEXT("cuMemUnmap"); counts.mappings -= 1; return leave(SUCCESS);
}
static int fake_access(uint64_t address, size_t length, const void *access, size_t count) {
    (void)address; (void)length; (void)access; ENTER_WITH_CONTEXT("cuMemSetAccess");
    return leave(count == 1 ? SUCCESS : INVALID_VALUE);
}

// ---- Names ----

static const struct { const char *name; void *function; } symbols[] = {
    { "cuInit", fake_init }, { "cuDriverGetVersion", fake_version }, { "cuGetErrorName", fake_error_name },
    { "cuDeviceGetCount", fake_device_count }, { "cuDeviceGet", fake_device }, { "cuDeviceGetUuid", fake_uuid },
    { "cuDeviceGetName", fake_name }, { "cuDeviceGetPCIBusId", fake_bus_id }, { "cuDevicePrimaryCtxRetain", fake_retain },
    { "cuDevicePrimaryCtxRelease_v2", fake_release }, { "cuCtxSetCurrent", fake_set_current },
    { "cuStreamCreateWithPriority", fake_stream_create }, { "cuStreamDestroy_v2", fake_stream_destroy },
    { "cuStreamSynchronize", fake_stream_synchronize }, { "cuStreamWaitEvent", fake_stream_wait },
    { "cuEventCreate", fake_event_create }, { "cuEventDestroy_v2", fake_event_destroy },
    { "cuEventRecord", fake_event_record }, { "cuEventQuery", fake_event_query },
    { "cuEventSynchronize", fake_event_synchronize }, { "cuIpcOpenMemHandle_v2", fake_open_memory },
    { "cuIpcCloseMemHandle", fake_close_memory }, { "cuIpcGetMemHandle", fake_export_memory },
    { "cuIpcOpenEventHandle", fake_open_event }, { "cuIpcGetEventHandle", fake_export_event },
    { "cuMemGetAddressRange_v2", fake_range }, { "cuMemAlloc_v2", fake_allocate }, { "cuMemFree_v2", fake_free },
    { "cuMemsetD8_v2", fake_fill }, { "cuMemHostAlloc", fake_host_allocate }, { "cuMemFreeHost", fake_host_free },
    { "cuMemHostRegister_v2", fake_register }, { "cuMemHostUnregister", fake_unregister },
    { "cuMemHostGetDevicePointer_v2", fake_device_pointer }, { "cuMemcpyHtoDAsync_v2", fake_to_device },
    { "cuMemcpyDtoHAsync_v2", fake_to_host }, { "cuMemcpy2DAsync_v2", fake_2d },
    { "cuLaunchHostFunc", fake_host_function }, { "cuModuleLoadData", fake_module_load },
    { "cuModuleUnload", fake_module_unload }, { "cuModuleGetFunction", fake_function },
    { "cuLaunchKernel", fake_launch }, { "cuStreamWriteValue64_v2", fake_write },
    { "cuMemImportFromShareableHandle", fake_import }, { "cuMemRelease", fake_release_handle },
    { "cuMemAddressReserve", fake_reserve }, { "cuMemAddressFree", fake_address_free }, { "cuMemMap", fake_map },
    { "cuMemUnmap", fake_unmap }, { "cuMemSetAccess", fake_access },
};

void *lmc_fake_cuda_symbol(void *unused, const char *name) {
    (void)unused;
    for (size_t index = 0; index < sizeof symbols / sizeof *symbols; index += 1)
        if (!strcmp(symbols[index].name, name)) return symbols[index].function;
    return NULL;
}

// ---- Control ----

static void clear(struct area **list) {
    while (*list) { struct area *area = *list; *list = area->next; free(area); }
}

void lmc_fake_cuda_reset(uint64_t new_seed) {
    pthread_mutex_lock(&mutex);
    clear(&device_areas); clear(&host_areas); clear(&registered); clear(&exported); clear(&opened); clear(&reserved);
    while (events) { struct event *event = events; events = event->next; free(event); }
    streams = NULL;
    memset(&counts, 0, sizeof counts);
    seed = new_seed; started = 1; fail_at = 0; fail_seen = 0; fail_sticky = 0; failed_call[0] = 0;
    version = 13000; refuses_modules = 0; held = 0; registration_limit = -1; registered_bytes = 0;
    pthread_mutex_unlock(&mutex);
}
void lmc_fake_cuda_counts(struct lmc_fake_counts *out) {
    pthread_mutex_lock(&mutex); *out = counts; pthread_mutex_unlock(&mutex);
}
void lmc_fake_cuda_fail(long call, int code, int sticky) {
    pthread_mutex_lock(&mutex);
    fail_at = call; fail_code = code; fail_sticky = sticky; fail_seen = 0; failed_call[0] = 0;
    pthread_mutex_unlock(&mutex);
}
const char *lmc_fake_cuda_failed_call(void) { return failed_call; }
void lmc_fake_cuda_set_version(int value) { version = value ? value : 13000; }
void lmc_fake_cuda_refuse_modules(int refuse) { refuses_modules = refuse; }
void lmc_fake_cuda_limit_registration(long long bytes) { registration_limit = bytes; }

void lmc_fake_cuda_make_memory(void *base, size_t length, unsigned char handle[64]) {
    pthread_mutex_lock(&mutex);
    add(&exported, base, length); make_handle(handle, 'M', (uintptr_t)base, length);
    pthread_mutex_unlock(&mutex);
}
void lmc_fake_cuda_make_fabric(void *base, size_t length, unsigned char blob[64]) {
    pthread_mutex_lock(&mutex);
    add(&exported, base, length)->shared = 2; make_handle(blob, 'F', (uintptr_t)base, length);
    pthread_mutex_unlock(&mutex);
}
void lmc_fake_cuda_forget_memory(const unsigned char handle[64]) {
    uint64_t base, length; struct area area;
    if (!read_handle(handle, 'M', &base, &length)) return;
    pthread_mutex_lock(&mutex); take(&exported, (void *)(uintptr_t)base, &area); pthread_mutex_unlock(&mutex);
}
uint64_t lmc_fake_cuda_make_event(unsigned char handle[64]) {
    pthread_mutex_lock(&mutex);
    struct event *event = make_event();
    event->imported = 1; event->recorded = 1;
    make_handle(handle, 'E', event->number, 0);
    uint64_t number = event->number;
    pthread_mutex_unlock(&mutex);
    return number;
}
void lmc_fake_cuda_add_device_memory(void *base, size_t length) {
    pthread_mutex_lock(&mutex); add(&reserved, base, length); pthread_mutex_unlock(&mutex);
}
uintptr_t lmc_fake_cuda_event_address(uint64_t number) {
    uintptr_t address = 0;
    pthread_mutex_lock(&mutex);
    for (struct event *event = events; event; event = event->next) if (event->number == number) address = (uintptr_t)event;
    pthread_mutex_unlock(&mutex);
    return address;
}
void lmc_fake_cuda_fire_event(uint64_t number) {
    pthread_mutex_lock(&mutex);
    for (struct event *event = events; event; event = event->next) if (event->number == number) event->fired = 1;
    pthread_cond_broadcast(&progress);
    pthread_mutex_unlock(&mutex);
}
int lmc_fake_cuda_event_fired(const unsigned char handle[64]) {
    uint64_t number, unused; int fired = -1;
    if (!read_handle(handle, 'P', &number, &unused)) return -1;
    pthread_mutex_lock(&mutex);
    while (run_one()) {}
    for (struct event *event = events; event; event = event->next)
        if (event->number == number) fired = event->fired >= event->recorded;
    pthread_mutex_unlock(&mutex);
    return fired;
}
void lmc_fake_cuda_hold(int direction) {
    pthread_mutex_lock(&mutex);
    held = direction;
    pthread_cond_broadcast(&progress);
    pthread_mutex_unlock(&mutex);
}
void lmc_fake_cuda_run(void) {
    pthread_mutex_lock(&mutex); while (run_one()) {} pthread_mutex_unlock(&mutex);
}
uint64_t lmc_fake_cuda_semaphore(const unsigned char handle[64], size_t offset) {
    uint64_t base, length, value = 0;
    if (!read_handle(handle, 'O', &base, &length) || offset + 8 > length) return 0;
    pthread_mutex_lock(&mutex);
    while (run_one()) {}
    if (is_device((void *)(uintptr_t)base, length)) memcpy(&value, (char *)(uintptr_t)base + offset, 8);
    pthread_mutex_unlock(&mutex);
    return value;
}

// ---- As a shared library ----

#ifdef LMC_FAKE_CUDA_LIBRARY
#define EXPORTED(name, function) __asm__(".globl " #name "\n.set " #name ", " #function "\n");
EXPORTED(cuInit, fake_init)
EXPORTED(cuDriverGetVersion, fake_version)
EXPORTED(cuGetErrorName, fake_error_name)
EXPORTED(cuDeviceGetCount, fake_device_count)
EXPORTED(cuDeviceGet, fake_device)
EXPORTED(cuDeviceGetUuid, fake_uuid)
EXPORTED(cuDeviceGetName, fake_name)
EXPORTED(cuDeviceGetPCIBusId, fake_bus_id)
EXPORTED(cuDevicePrimaryCtxRetain, fake_retain)
EXPORTED(cuDevicePrimaryCtxRelease_v2, fake_release)
EXPORTED(cuCtxSetCurrent, fake_set_current)
EXPORTED(cuStreamCreateWithPriority, fake_stream_create)
EXPORTED(cuStreamDestroy_v2, fake_stream_destroy)
EXPORTED(cuStreamSynchronize, fake_stream_synchronize)
EXPORTED(cuStreamWaitEvent, fake_stream_wait)
EXPORTED(cuEventCreate, fake_event_create)
EXPORTED(cuEventDestroy_v2, fake_event_destroy)
EXPORTED(cuEventRecord, fake_event_record)
EXPORTED(cuEventQuery, fake_event_query)
EXPORTED(cuEventSynchronize, fake_event_synchronize)
EXPORTED(cuIpcOpenMemHandle_v2, fake_open_memory)
EXPORTED(cuIpcCloseMemHandle, fake_close_memory)
EXPORTED(cuIpcGetMemHandle, fake_export_memory)
EXPORTED(cuIpcOpenEventHandle, fake_open_event)
EXPORTED(cuIpcGetEventHandle, fake_export_event)
EXPORTED(cuMemGetAddressRange_v2, fake_range)
EXPORTED(cuMemAlloc_v2, fake_allocate)
EXPORTED(cuMemFree_v2, fake_free)
EXPORTED(cuMemsetD8_v2, fake_fill)
EXPORTED(cuMemHostAlloc, fake_host_allocate)
EXPORTED(cuMemFreeHost, fake_host_free)
EXPORTED(cuMemHostRegister_v2, fake_register)
EXPORTED(cuMemHostUnregister, fake_unregister)
EXPORTED(cuMemHostGetDevicePointer_v2, fake_device_pointer)
EXPORTED(cuMemcpyHtoDAsync_v2, fake_to_device)
EXPORTED(cuMemcpyDtoHAsync_v2, fake_to_host)
EXPORTED(cuMemcpy2DAsync_v2, fake_2d)
EXPORTED(cuLaunchHostFunc, fake_host_function)
EXPORTED(cuModuleLoadData, fake_module_load)
EXPORTED(cuModuleUnload, fake_module_unload)
EXPORTED(cuModuleGetFunction, fake_function)
EXPORTED(cuLaunchKernel, fake_launch)
EXPORTED(cuStreamWriteValue64_v2, fake_write)
EXPORTED(cuMemImportFromShareableHandle, fake_import)
EXPORTED(cuMemRelease, fake_release_handle)
EXPORTED(cuMemAddressReserve, fake_reserve)
EXPORTED(cuMemAddressFree, fake_address_free)
EXPORTED(cuMemMap, fake_map)
EXPORTED(cuMemUnmap, fake_unmap)
EXPORTED(cuMemSetAccess, fake_access)
#endif
