// lmcache · SPDX-License-Identifier: Apache-2.0

#include "lmc_cuda.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

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
