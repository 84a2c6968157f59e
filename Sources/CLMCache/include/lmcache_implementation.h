// lmcache · SPDX-License-Identifier: Apache-2.0
//
// What the library's Swift side needs of its C side. Not part of the contract.
#ifndef LMCACHE_IMPLEMENTATION_H
#define LMCACHE_IMPLEMENTATION_H

/// Sets the calling thread's lmcache_last_error(); what is too long is cut.
void lmc_library_set_last_error(const char *text);

#endif
