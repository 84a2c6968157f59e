// lmcache · SPDX-License-Identifier: Apache-2.0
//
// Only in a static build, where Debian's libzmq.a becomes a part of the shared library. Its objects were not compiled for
// that: they reach data of the C library directly, which a shared library cannot. Hidden twins of that data stand in.
#ifdef LMC_GSSAPI_STUBS

#define HIDDEN __attribute__((visibility("hidden")))

struct file;
struct file *fdopen(int descriptor, const char *mode);

// libzmq writes a line to it when it finds itself broken, before it aborts.
HIDDEN struct file *stderr;
// A hint for libstdc++ that it may leave atomic operations out; never taken.
HIDDEN char __libc_single_threaded;
HIDDEN const unsigned char in6addr_any[16];

__attribute__((constructor)) static void open_standard_error(void) { stderr = fdopen(2, "w"); }

#endif
