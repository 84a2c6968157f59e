// lmcache · SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CSystemShims.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
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

void lmc_thread_set_name(const char *name) {
    char truncated[16];
    strncpy(truncated, name, sizeof truncated - 1);
    truncated[sizeof truncated - 1] = '\0';
    pthread_setname_np(pthread_self(), truncated);
}

pid_t lmc_thread_id(void) { return (pid_t)syscall(SYS_gettid); }

int lmc_thread_set_nice(pid_t thread, int nice_value) { return setpriority(PRIO_PROCESS, (id_t)thread, nice_value); }

void lmc_write_standard_error(const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, bytes, length);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;
        bytes += written;
        length -= (size_t)written;
    }
}
