// lmcache · SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE

#include "CZeroMQSupport.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict length, int flags) {
    long result = syscall(SYS_accept4, fd, address, length, flags);
    if (result < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
        // The connection stays in the backlog and the caller's poll returns at once: without a pause it would spin.
        struct timespec pause = {0, 1000000};
        nanosleep(&pause, 0);
        errno = ECONNABORTED;
    }
    return (int)result;
}
