// lmcache · SPDX-License-Identifier: Apache-2.0
#include "CSystemShims.h"

typedef int (*lmc_curl_function)(void *handle, int option, ...);

int lmc_curl_set_long(void *function, void *handle, int option, long value) {
    return ((lmc_curl_function)function)(handle, option, value);
}

int lmc_curl_set_offset(void *function, void *handle, int option, int64_t value) {
    return ((lmc_curl_function)function)(handle, option, value);
}

int lmc_curl_set_pointer(void *function, void *handle, int option, const void *value) {
    return ((lmc_curl_function)function)(handle, option, value);
}
