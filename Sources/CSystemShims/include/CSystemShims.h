// lmcache · SPDX-License-Identifier: Apache-2.0
//
// Linux calls and constants that Swift's Glibc module does not show. Thin: no logic lives here.
#ifndef LMCACHE_CSYSTEMSHIMS_H
#define LMCACHE_CSYSTEMSHIMS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// eventfd(2), non-blocking and close-on-exec. Returns the descriptor, or -1 with errno set.
int lmc_eventfd_create(void);
/// Adds one to an eventfd. Returns 0, or -1 with errno set.
int lmc_eventfd_signal(int fd);
/// Resets an eventfd to zero. Returns 0 also when it was zero already, or -1 with errno set.
int lmc_eventfd_drain(int fd);

/// memfd_create(2), close-on-exec. Returns the descriptor, or -1 with errno set.
int lmc_memfd_create(const char *name);

/// Allocates the file's pages for [offset, offset + length) so that touching them cannot raise SIGBUS.
/// Returns 0, or -1 with errno set (ENOSPC when the file system is full).
int lmc_file_allocate(int fd, off_t offset, off_t length);

/// fsetxattr(2), replacing what is there. Returns 0, or -1 with errno set (ENOTSUP where the file system has none).
int lmc_file_set_attribute(int fd, const char *name, const void *value, size_t length);
/// fgetxattr(2). Returns the value's length, or -1 with errno set (ENODATA without the attribute).
ssize_t lmc_file_attribute(int fd, const char *name, void *value, size_t length);

/// madvise(2) MADV_POPULATE_WRITE: maps pages ahead of use. Returns 0, or -1 with errno set (EINVAL before Linux 5.14).
int lmc_populate_write(void *address, size_t length);

/// mbind(2) MPOL_PREFERRED: pages that are not there yet come from this NUMA node while it has some. The address is a
/// multiple of the page size. Returns 0, or -1 with errno set.
int lmc_prefer_node(void *address, size_t length, unsigned int node);

/// Names the calling thread (15 characters at most are kept).
void lmc_thread_set_name(const char *name);
/// Kernel thread id of the caller.
pid_t lmc_thread_id(void);
/// setpriority(2) for one thread: a lower value runs sooner. Returns 0, or -1 with errno set.
int lmc_thread_set_nice(pid_t thread, int nice_value);

/// Copies with non-temporal stores where the processor has AVX2, else with memcpy. The areas must not overlap.
void lmc_copy_streaming(void *restrict destination, const void *restrict source, size_t length);

/// Rows of equal length in two nested loops. Strides are in bytes.
struct lmc_rows {
    size_t outer_count;
    size_t inner_count;
    size_t length;
    size_t destination_outer_stride;
    size_t destination_inner_stride;
    size_t source_outer_stride;
    size_t source_inner_stride;
};
/// Copies outer_count x inner_count rows, the inner loop first. The areas must not overlap, nor rows of the destination.
void lmc_copy_rows(void *restrict destination, const void *restrict source, const struct lmc_rows *rows);
/// lmc_copy_rows with non-temporal stores and one fence at the end, where the processor has AVX2 and the destination,
/// its strides and the length are multiples of 32.
void lmc_copy_rows_streaming(void *restrict destination, const void *restrict source, const struct lmc_rows *rows);
/// Asks for bytes that are read soon. Any address will do.
void lmc_fetch_ahead(const void *address, size_t length);

/// Writes to standard error as ``lmc_write_or_drop`` does.
void lmc_write_standard_error(const char *bytes, size_t length);
/// Writes a log line and never waits long: when nobody reads for 100 ms, this line and those after it are dropped until
/// somebody reads again. Any thread; lines do not mix. Returns 0, or -1 when bytes were dropped.
int lmc_write_or_drop(int fd, const char *bytes, size_t length);

/// Calls curl_easy_setopt or curl_easy_getinfo, found at run time: Swift cannot call functions with open argument lists.
/// Each returns what the function does.
int lmc_curl_set_long(void *function, void *handle, int option, long value);
int lmc_curl_set_offset(void *function, void *handle, int option, int64_t value);
int lmc_curl_set_pointer(void *function, void *handle, int option, const void *value);

/// CRC-32C of bytes that follow bytes with checksum `before` (0 for none). With the processor's instruction where there
/// is one.
uint32_t lmc_crc32c(uint32_t before, const void *bytes, size_t length);

#endif
