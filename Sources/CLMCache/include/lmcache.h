// lmcache · SPDX-License-Identifier: Apache-2.0
//
// liblmcache.so: the cache inside an engine's process. This file is the contract.
//
// An instance is one cache with two doors. The direct door is lmcache_call and lmcache_submit, for the process that holds
// the engine's memory. The other door is a Unix socket at a given path that speaks the same protocol over ZeroMQ, for
// other processes, such as the engine's scheduler; their LMCache clients connect to "ipc://PATH".
//
// Threads: every function may be called by any thread at any time, also while another destroys the instance.
// Errors: functions return one of enum lmcache_result, or null; lmcache_last_error() then gives one line of text. Nothing
// is thrown and no signal handler is installed. Null, wrong lengths and destroyed instances are errors, never crashes;
// what cannot be told is a pointer that leads nowhere.
// Fork: an instance belongs to the process that created it. In a child, calls return LMCACHE_OTHER_PROCESS and
// lmcache_destroy does nothing; the parent's instance works on, and the child may create instances of its own.
#ifndef LMCACHE_H
#define LMCACHE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The contract's version. A library with another number from lmcache_abi_version() must not be used.
#define LMCACHE_ABI_VERSION 1u

/// What functions return.
enum lmcache_result {
    LMCACHE_OK = 0,
    /// A null pointer, a length that does not fit, a message that is none.
    LMCACHE_INVALID_ARGUMENT = 1,
    /// The configuration document cannot be used.
    LMCACHE_INVALID_CONFIGURATION = 2,
    /// The memory or the socket cannot be had.
    LMCACHE_UNAVAILABLE = 3,
    /// No reply in time. A call is given up with it, a ticket stays valid.
    LMCACHE_TIMED_OUT = 4,
    /// The instance was destroyed, also while the call waited, or never existed.
    LMCACHE_CLOSED = 5,
    /// The instance was created by a process that this one was forked from.
    LMCACHE_OTHER_PROCESS = 6,
    /// The ticket was never given out, or its reply was taken.
    LMCACHE_UNKNOWN_TICKET = 7,
    /// LMCACHE_TICKET_LIMIT requests have replies that nobody took.
    LMCACHE_TOO_MANY = 8
};

/// Most tickets at once in one instance.
#define LMCACHE_TICKET_LIMIT 65536

/// Longest message and longest configuration document, in bytes.
#define LMCACHE_MESSAGE_LIMIT (1u << 30)
#define LMCACHE_DOCUMENT_LIMIT (1u << 20)

/// An instance. The value is a number in disguise: it is never followed, so a destroyed one is recognised.
typedef struct lmcache_instance lmcache_instance;

/// How full an instance is, see lmcache_read_usage().
struct lmcache_usage {
    /// Set by the caller to sizeof(struct lmcache_usage); later versions of the library append fields.
    uint64_t size;
    /// Hard limit for all objects, in bytes.
    uint64_t capacity_bytes;
    /// Bytes of all objects.
    uint64_t used_bytes;
    /// Readable objects.
    uint64_t object_count;
    /// Objects that a lookup or a copy keeps.
    uint64_t leased_object_count;
    /// Requests of the direct door whose reply is not there yet, or was not taken.
    uint64_t ticket_count;
};

/// LMCACHE_ABI_VERSION of the library.
uint32_t lmcache_abi_version(void);

/// The library's version as text, such as "0.1.0". Static.
const char *lmcache_version(void);

/// Why the calling thread's last failed call failed: one line of UTF-8, empty before the first. Never null; valid until
/// the thread's next failed call.
const char *lmcache_last_error(void);

// Configuration
//
// A document is YAML (JSON is YAML) in UTF-8, in one of two forms:
//
//   1. Keys of LMCache's in-process configuration, as in the file that LMCACHE_CONFIG_FILE names:
//          chunk_size: 256
//          max_local_cpu_size: 5.0
//   2. Layers, told by having none but these keys, later ones winning:
//          {"file": "chunk_size: 256\n...",          text of a configuration file, or null
//           "file_name": "lmcache.yaml",             what messages call it
//           "environment": {"LMCACHE_CHUNK_SIZE": "256", ...},   text values; others than LMCACHE_* are not looked at
//           "overlay": {"chunk_size": 256, ...},     typed values, or texts as in the environment; the prefix
//                                                    "lmcache." is taken off
//           "rank": 0}                               which worker of the engine this is; picks one of several paths
//
// An empty document means the defaults. Unknown keys, values of a wrong type and what is not supported are errors that
// name the key. Keys that are known, not supported and at their default are accepted.

/// Resolves a document: *json gets a JSON object with every supported key and its value, and "notices", a list of lines
/// to log. It is *json_length bytes and a terminating zero, freed with lmcache_free_bytes().
int lmcache_configuration_resolve(const char *document, size_t document_length, char **json, size_t *json_length);

/// Creates and starts an instance from a document, see above.
///
/// socket_path: where to listen, at most 107 bytes, in a writable directory; null for the direct door alone. A socket
/// file that nobody listens on is replaced. Null on failure.
lmcache_instance *lmcache_create(const char *document, size_t document_length, const char *socket_path);

/// Answers what is in flight for at most two seconds, ends every waiting call with LMCACHE_CLOSED, stops all threads and
/// gives the memory back. Nothing touches registered memory any more once it has returned. Null is accepted.
void lmcache_destroy(lmcache_instance *instance);

// Messages
//
// A message is the frames of LMCache's wire protocol behind a ZeroMQ envelope, without the request's number, in one
// buffer; numbers are little-endian and nothing is aligned:
//
//     u32 number of frames      at least 1, at most 255
//     for each frame: u32 length, bytes
//
// Frame 0 of a request is the operation, then one frame for each argument. Frame 0 of a reply repeats the operation, or
// is a text that starts with "error: "; frame 1 is the value, absent for operations without one.
//
// Requests may name memory of this process: register_kv_cache takes one more kind of descriptor here, and only here,
//     {"type": "process", "address": uint, "nbytes": uint, "version": 1, "metadata": {...}}
// whose metadata is that of "cpu_shm". The memory must stay as it is until every store and retrieve of the registration
// was answered and unregister_kv_cache was, or lmcache_destroy() has returned. Stores and retrieves are answered when
// all bytes are in place.
//
// A caller that copies itself registers with register_kv_cache_engine_driven_context, here and only here. shm_name in the
// reply is then "process:ADDRESS", decimal: where in this process the slots of prepare_store and prepare_retrieve are
// counted from. A slot may be touched until its commit, and none after lmcache_destroy() has been called.
//
// subscribe_kv_events is for the socket only.

/// Sends a request and waits for its reply, at most timeout_ms milliseconds.
///
/// *reply gets reply_length bytes, freed with lmcache_free_bytes(). After LMCACHE_TIMED_OUT the request is still carried
/// out and its reply thrown away.
int lmcache_call(lmcache_instance *instance, const void *request, size_t request_length, int64_t timeout_ms,
                 void **reply, size_t *reply_length);

/// Sends a request without waiting. Returns a ticket for its reply, or 0 with the reason in lmcache_last_error().
uint64_t lmcache_submit(lmcache_instance *instance, const void *request, size_t request_length);

/// Takes the reply of a ticket, waiting for it at most timeout_ms milliseconds (0: not at all).
///
/// LMCACHE_TIMED_OUT leaves the ticket as it is.
int lmcache_take(lmcache_instance *instance, uint64_t ticket, int64_t timeout_ms, void **reply, size_t *reply_length);

/// Takes the oldest reply that is there, whatever its ticket, waiting for one at most timeout_ms milliseconds.
int lmcache_take_any(lmcache_instance *instance, int64_t timeout_ms, uint64_t *ticket, void **reply,
                     size_t *reply_length);

/// Gives a ticket up: its reply, now or later, is thrown away. The request is carried out all the same.
int lmcache_forget(lmcache_instance *instance, uint64_t ticket);

/// How full the instance is. usage->size must be set.
int lmcache_read_usage(lmcache_instance *instance, struct lmcache_usage *usage);

/// Frees what this library handed out. Null is accepted.
void lmcache_free_bytes(void *bytes);

#ifdef __cplusplus
}
#endif

#endif
