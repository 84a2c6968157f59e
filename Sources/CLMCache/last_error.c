// lmcache · SPDX-License-Identifier: Apache-2.0

#include <string.h>

#include "include/lmcache.h"
#include "include/lmcache_implementation.h"

// Swift has no thread-local storage that ends with the thread.
static _Thread_local char last_error[1024];

const char *lmcache_last_error(void) { return last_error; }

void lmc_library_set_last_error(const char *text) {
    size_t length = strlen(text);
    if (length >= sizeof last_error) {
        length = sizeof last_error - 1;
        // Never half of a character.
        while (length > 0 && (text[length] & 0xC0) == 0x80) length--;
    }
    memmove(last_error, text, length);
    last_error[length] = 0;
}
