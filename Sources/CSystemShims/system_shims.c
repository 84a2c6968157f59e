// lmcache · SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CSystemShims.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

int lmc_eventfd_create(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

int lmc_eventfd_signal(int fd) {
    uint64_t one = 1;
    ssize_t written;
    do {
        written = write(fd, &one, sizeof one);
    } while (written < 0 && errno == EINTR);
    // EAGAIN: the counter is at its limit, so the reader is already due to wake.
    return written == (ssize_t)sizeof one || errno == EAGAIN ? 0 : -1;
}

int lmc_eventfd_drain(int fd) {
    uint64_t value;
    ssize_t got;
    do {
        got = read(fd, &value, sizeof value);
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof value || errno == EAGAIN ? 0 : -1;
}

int lmc_memfd_create(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

int lmc_file_allocate(int fd, off_t offset, off_t length) {
    int result;
    do {
        result = fallocate(fd, 0, offset, length);
    } while (result < 0 && errno == EINTR);
    return result;
}

int lmc_populate_write(void *address, size_t length) { return madvise(address, length, MADV_POPULATE_WRITE); }

int lmc_prefer_node(void *address, size_t length, unsigned int node) {
    enum { PREFERRED = 1, BITS = 8 * sizeof(unsigned long), NODES = 1024 };
    unsigned long mask[NODES / BITS] = {0};
    if (node >= NODES) {
        errno = EINVAL;
        return -1;
    }
    mask[node / BITS] = 1UL << node % BITS;
    return (int)syscall(SYS_mbind, address, length, PREFERRED, mask, NODES + 1, 0);
}

void lmc_thread_set_name(const char *name) {
    char truncated[16];
    strncpy(truncated, name, sizeof truncated - 1);
    truncated[sizeof truncated - 1] = '\0';
    pthread_setname_np(pthread_self(), truncated);
}

pid_t lmc_thread_id(void) { return (pid_t)syscall(SYS_gettid); }

int lmc_thread_set_nice(pid_t thread, int nice_value) { return setpriority(PRIO_PROCESS, (id_t)thread, nice_value); }

// A lock that is given up after a while: a fork may leave it taken in the child for ever.
static atomic_flag log_busy = ATOMIC_FLAG_INIT;
// Set while nobody reads: lines then cost one poll(2) instead of a wait.
static atomic_int log_stalled;

static int wait_writable(int fd) {
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    int found;
    do {
        found = poll(&ready, 1, atomic_load(&log_stalled) ? 0 : 100);
    } while (found < 0 && errno == EINTR);
    return found > 0;
}

int lmc_write_or_drop(int fd, const char *bytes, size_t length) {
    for (int attempt = 0; atomic_flag_test_and_set(&log_busy); attempt++) {
        if (attempt == 200) return -1;
        usleep(1000);
    }
    int result = 0;
    while (length > 0) {
        if (!wait_writable(fd)) {
            atomic_store(&log_stalled, 1);
            result = -1;
            break;
        }
        // A pipe that is ready takes PIPE_BUF bytes without blocking.
        ssize_t written = write(fd, bytes, length < PIPE_BUF ? length : PIPE_BUF);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) {
            result = -1;
            break;
        }
        bytes += written;
        length -= (size_t)written;
    }
    if (result == 0) atomic_store(&log_stalled, 0);
    atomic_flag_clear(&log_busy);
    return result;
}

void lmc_write_standard_error(const char *bytes, size_t length) { (void)lmc_write_or_drop(STDERR_FILENO, bytes, length); }

int lmc_file_set_attribute(int fd, const char *name, const void *value, size_t length) {
    return fsetxattr(fd, name, value, length, 0);
}

ssize_t lmc_file_attribute(int fd, const char *name, void *value, size_t length) {
    return fgetxattr(fd, name, value, length);
}
