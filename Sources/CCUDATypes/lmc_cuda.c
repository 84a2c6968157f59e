// lmcache · SPDX-License-Identifier: Apache-2.0

#include "lmc_cuda.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(sizeof(struct lmc_copy_fragment) == 24, "as in copy_kernels.cu");
_Static_assert(sizeof(struct lmc_copy_shape) == 32, "as in copy_kernels.cu");

static int found(void *slot, lmc_cuda_resolver resolver, void *library, const char *symbol) {
    void *address = resolver(library, symbol);
    memcpy(slot, &address, sizeof address);
    return address != NULL;
}

const char *lmc_cuda_find(struct lmc_cuda_calls *calls, lmc_cuda_resolver resolver, void *library) {
    const char *missing = NULL;
#define LMC_CUDA_CALL(name, symbol, arguments, ...)                                                                    \
    if (!found(&calls->name, resolver, library, symbol) && !missing) missing = symbol;
#define LMC_CUDA_OPTIONAL(name, symbol, arguments, ...) found(&calls->name, resolver, library, symbol);
    LMC_CUDA_CALLS
#undef LMC_CUDA_CALL
#undef LMC_CUDA_OPTIONAL
    return missing;
}

void *lmc_cuda_open_library(const char *path, char *reason, size_t length) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library && length > 0) {
        const char *text = dlerror();
        snprintf(reason, length, "%s", text ? text : "unknown reason");
    }
    return library;
}

void *lmc_cuda_library_symbol(void *library, const char *symbol) { return dlsym(library, symbol); }

void lmc_cuda_close_library(void *library) { dlclose(library); }

void lmc_cuda_drop_torch_reference(const char *name, uint64_t index) {
    enum { header = 64, counters = 10000, length = header + 8 * counters };
    if (strncmp(name, "/torch_", 7) != 0 || strchr(name + 1, '/') || index >= counters) return;
    int file = shm_open(name, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0);
    if (file < 0) return;
    struct stat status;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
        status.st_size == length) {
        char *base = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (base != MAP_FAILED) {
            __atomic_fetch_sub((int64_t *)(base + header + 8 * index), 1, __ATOMIC_SEQ_CST);
            munmap(base, length);
        }
    }
    close(file);
}
