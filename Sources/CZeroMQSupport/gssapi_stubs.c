// lmcache · SPDX-License-Identifier: Apache-2.0
//
// Stands in for libgssapi_krb5, which has no static library, when libzmq.a is linked. libzmq calls these functions only
// for sockets that use the GSSAPI mechanism; ours never do.
#ifdef LMC_GSSAPI_STUBS

#include <stdint.h>

/// GSS_S_FAILURE: a call that does happen fails in the way its caller expects.
static const uint32_t failure = 13u << 16;

const void *const GSS_C_NT_HOSTBASED_SERVICE = 0;
const void *const GSS_C_NT_USER_NAME = 0;

#define STUB(name) \
    uint32_t name(void) { return failure; }

STUB(gss_accept_sec_context)
STUB(gss_acquire_cred)
STUB(gss_delete_sec_context)
STUB(gss_display_name)
STUB(gss_import_name)
STUB(gss_init_sec_context)
STUB(gss_release_buffer)
STUB(gss_release_cred)
STUB(gss_release_name)
STUB(gss_unwrap)
STUB(gss_wrap)

#endif
