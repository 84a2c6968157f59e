// lmcache · SPDX-License-Identifier: Apache-2.0
//
// What libzmq needs around it. Nothing here is called by name from our code: the linker puts it in libzmq's way.
#ifndef LMCACHE_CZEROMQSUPPORT_H
#define LMCACHE_CZEROMQSUPPORT_H

#include <sys/socket.h>

/// Takes the place of accept4(2) in the whole program: a failure for lack of descriptors or memory is reported as
/// ECONNABORTED, after a pause of a millisecond. libzmq 4.3 aborts the process on the true error when it listens on a
/// Unix socket, and spins on it when it listens on a port.
int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict length, int flags);

#endif
