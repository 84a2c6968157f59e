// lmcache · SPDX-License-Identifier: Apache-2.0
//
// A CUDA driver over ordinary memory, for tests. Built into a test program it is reached through
// lmc_fake_cuda_symbol; built as a shared library it stands in for libcuda.so.1 (LMCACHE_CUDA_DRIVER).
//
// Streams are queues: nothing runs before somebody asks for a result (synchronise, query, or a free), and then the
// streams take turns in an order that a seed decides, as far as their events allow. A missing wait shows as wrong bytes.
#ifndef LMCACHE_FAKE_CUDA_H
#define LMCACHE_FAKE_CUDA_H

#include <stddef.h>
#include <stdint.h>

/// What is open now.
struct lmc_fake_counts {
    long contexts, streams, events, imported_events, device_allocations, host_allocations, registrations, mappings,
        reservations, modules, pending;
    /// Most contexts and mappings that were ever open at once.
    long most_contexts, most_mappings;
    /// Driver calls so far.
    long calls;
    /// Kernels that ran, fragments that they moved, and calls of a copy.
    long kernels, fragments, copies;
    /// Copies between the device and memory that is not page-locked.
    long pageable_copies;
};

/// The driver's function of that name, or null.
void *lmc_fake_cuda_symbol(void *unused, const char *name);

/// Forgets everything and starts anew with one device. Nothing may be in use.
void lmc_fake_cuda_reset(uint64_t seed);
void lmc_fake_cuda_counts(struct lmc_fake_counts *counts);

/// Lets call number `call`, counted from 1 from now on, answer `code`; with `sticky` every later one too. 0 for none.
void lmc_fake_cuda_fail(long call, int code, int sticky);
/// The name of the call that failed last, or an empty string.
const char *lmc_fake_cuda_failed_call(void);
/// Sets the version that the driver reports; 0 is the usual one.
void lmc_fake_cuda_set_version(int version);
/// Makes cuModuleLoadData refuse.
void lmc_fake_cuda_refuse_modules(int refuse);
/// Bytes that may be page-locked in all; negative for no limit.
void lmc_fake_cuda_limit_registration(long long bytes);

/// 64 bytes that name memory of an engine, to be opened with cuIpcOpenMemHandle.
void lmc_fake_cuda_make_memory(void *base, size_t length, unsigned char handle[64]);
/// The same for the blob of a fabric handle.
void lmc_fake_cuda_make_fabric(void *base, size_t length, unsigned char blob[64]);
/// Makes the memory's process end: it cannot be opened any more.
void lmc_fake_cuda_forget_memory(const unsigned char handle[64]);

/// Counts memory as a device's, as an engine of this process has it.
void lmc_fake_cuda_add_device_memory(void *base, size_t length);
/// The address of an event that ``lmc_fake_cuda_make_event`` made; 0 for another.
uintptr_t lmc_fake_cuda_event_address(uint64_t event);

/// An event of an engine, not fired yet, and its 64 bytes.
uint64_t lmc_fake_cuda_make_event(unsigned char handle[64]);
void lmc_fake_cuda_fire_event(uint64_t event);
/// Whether the work behind an event that the driver exported has run. Runs what may run. -1 for an unknown handle.
int lmc_fake_cuda_event_fired(const unsigned char handle[64]);
/// Holds back what copies in a direction: 1 from the device to the host, 2 to the device; 0 lets all go on.
void lmc_fake_cuda_hold(int direction);
/// Runs all that may run.
void lmc_fake_cuda_run(void);
/// The number in a semaphore buffer that the driver exported. Runs what may run.
uint64_t lmc_fake_cuda_semaphore(const unsigned char handle[64], size_t offset);

#endif
