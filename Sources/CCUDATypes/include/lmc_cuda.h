// lmcache · SPDX-License-Identifier: Apache-2.0
//
// The part of NVIDIA's driver interface that the copies use, declared here so that no toolkit is needed to build. The
// library is opened at run time; every name below is the driver's own, with the version suffix that fits the types.
#ifndef LMCACHE_CCUDATYPES_H
#define LMCACHE_CCUDATYPES_H

#include <stddef.h>
#include <stdint.h>

typedef struct lmc_cu_context *lmc_cu_context;
typedef struct lmc_cu_stream *lmc_cu_stream;
typedef struct lmc_cu_event *lmc_cu_event;
typedef struct lmc_cu_module *lmc_cu_module;
typedef struct lmc_cu_function *lmc_cu_function;

/// 64 opaque bytes: memory or an event of another process.
struct lmc_cu_handle {
    unsigned char bytes[64];
};

struct lmc_cu_uuid {
    unsigned char bytes[16];
};

/// CUDA_MEMCPY2D. Kinds of memory: 1 host, 2 device.
struct lmc_cu_copy_2d {
    size_t source_x, source_y;
    unsigned int source_kind;
    const void *source_host;
    uint64_t source_device;
    void *source_array;
    size_t source_pitch;
    size_t destination_x, destination_y;
    unsigned int destination_kind;
    void *destination_host;
    uint64_t destination_device;
    void *destination_array;
    size_t destination_pitch;
    size_t width, height;
};

/// CUmemAccessDesc.
struct lmc_cu_access {
    int location_kind;
    int location;
    unsigned long long flags;
};

/// One piece of a page and its place in an object, as the kernels read it. Both addresses are valid on the device.
struct lmc_copy_fragment {
    uint64_t page;
    uint64_t object;
    uint32_t byte_count;
    /// Index into the shapes for a block whose heads come before its slots; all ones for one run of bytes.
    uint32_t shape;
};

/// How one block lies in a page, as the kernels read it; in the object it is [slots][heads][row]. In bytes.
struct lmc_copy_shape {
    uint32_t slots;
    uint32_t heads;
    uint32_t row_bytes;
    uint32_t page_slot_stride;
    uint32_t page_head_stride;
    uint32_t reserved[3];
};

/// LMC_CUDA_CALL(our name, the driver's name, arguments, parameters): a call that must be there.
/// LMC_CUDA_OPTIONAL: one that newer drivers, or some machines, have.
#define LMC_CUDA_CALLS                                                                                                 \
    LMC_CUDA_CALL(init, "cuInit", (flags), unsigned int flags)                                                         \
    LMC_CUDA_CALL(driver_version, "cuDriverGetVersion", (version), int *version)                                       \
    LMC_CUDA_CALL(error_name, "cuGetErrorName", (code, text), int code, const char **text)                             \
    LMC_CUDA_CALL(device_count, "cuDeviceGetCount", (count), int *count)                                               \
    LMC_CUDA_CALL(device, "cuDeviceGet", (device, ordinal), int *device, int ordinal)                                  \
    LMC_CUDA_CALL(device_uuid, "cuDeviceGetUuid", (uuid, device), struct lmc_cu_uuid *uuid, int device)                \
    LMC_CUDA_CALL(device_name, "cuDeviceGetName", (name, length, device), char *name, int length, int device)          \
    LMC_CUDA_CALL(context_retain, "cuDevicePrimaryCtxRetain", (context, device), lmc_cu_context *context, int device)  \
    LMC_CUDA_CALL(context_release, "cuDevicePrimaryCtxRelease_v2", (device), int device)                               \
    LMC_CUDA_CALL(context_set_current, "cuCtxSetCurrent", (context), lmc_cu_context context)                           \
    LMC_CUDA_CALL(stream_create, "cuStreamCreateWithPriority", (stream, flags, priority), lmc_cu_stream *stream,       \
                  unsigned int flags, int priority)                                                                    \
    LMC_CUDA_CALL(stream_destroy, "cuStreamDestroy_v2", (stream), lmc_cu_stream stream)                                \
    LMC_CUDA_CALL(stream_synchronize, "cuStreamSynchronize", (stream), lmc_cu_stream stream)                           \
    LMC_CUDA_CALL(stream_wait_event, "cuStreamWaitEvent", (stream, event, flags), lmc_cu_stream stream,                \
                  lmc_cu_event event, unsigned int flags)                                                              \
    LMC_CUDA_CALL(event_create, "cuEventCreate", (event, flags), lmc_cu_event *event, unsigned int flags)              \
    LMC_CUDA_CALL(event_destroy, "cuEventDestroy_v2", (event), lmc_cu_event event)                                     \
    LMC_CUDA_CALL(event_record, "cuEventRecord", (event, stream), lmc_cu_event event, lmc_cu_stream stream)            \
    LMC_CUDA_CALL(event_query, "cuEventQuery", (event), lmc_cu_event event)                                            \
    LMC_CUDA_CALL(event_synchronize, "cuEventSynchronize", (event), lmc_cu_event event)                                \
    LMC_CUDA_CALL(ipc_open_memory, "cuIpcOpenMemHandle_v2", (address, handle, flags), uint64_t *address,               \
                  struct lmc_cu_handle handle, unsigned int flags)                                                     \
    LMC_CUDA_CALL(ipc_close_memory, "cuIpcCloseMemHandle", (address), uint64_t address)                                \
    LMC_CUDA_CALL(ipc_export_memory, "cuIpcGetMemHandle", (handle, address), struct lmc_cu_handle *handle,             \
                  uint64_t address)                                                                                    \
    LMC_CUDA_CALL(ipc_open_event, "cuIpcOpenEventHandle", (event, handle), lmc_cu_event *event,                        \
                  struct lmc_cu_handle handle)                                                                         \
    LMC_CUDA_CALL(ipc_export_event, "cuIpcGetEventHandle", (handle, event), struct lmc_cu_handle *handle,              \
                  lmc_cu_event event)                                                                                  \
    LMC_CUDA_CALL(address_range, "cuMemGetAddressRange_v2", (base, length, address), uint64_t *base, size_t *length,   \
                  uint64_t address)                                                                                    \
    LMC_CUDA_CALL(memory_allocate, "cuMemAlloc_v2", (address, length), uint64_t *address, size_t length)               \
    LMC_CUDA_CALL(memory_free, "cuMemFree_v2", (address), uint64_t address)                                            \
    LMC_CUDA_CALL(memory_fill, "cuMemsetD8_v2", (address, value, length), uint64_t address, unsigned char value,       \
                  size_t length)                                                                                       \
    LMC_CUDA_CALL(host_allocate, "cuMemHostAlloc", (address, length, flags), void **address, size_t length,            \
                  unsigned int flags)                                                                                  \
    LMC_CUDA_CALL(host_free, "cuMemFreeHost", (address), void *address)                                                \
    LMC_CUDA_CALL(host_register, "cuMemHostRegister_v2", (address, length, flags), void *address, size_t length,       \
                  unsigned int flags)                                                                                  \
    LMC_CUDA_CALL(host_unregister, "cuMemHostUnregister", (address), void *address)                                    \
    LMC_CUDA_CALL(host_device_address, "cuMemHostGetDevicePointer_v2", (device, host, flags), uint64_t *device,        \
                  void *host, unsigned int flags)                                                                      \
    LMC_CUDA_CALL(copy_to_device, "cuMemcpyHtoDAsync_v2", (device, host, length, stream), uint64_t device,             \
                  const void *host, size_t length, lmc_cu_stream stream)                                               \
    LMC_CUDA_CALL(copy_to_host, "cuMemcpyDtoHAsync_v2", (host, device, length, stream), void *host, uint64_t device,   \
                  size_t length, lmc_cu_stream stream)                                                                 \
    LMC_CUDA_CALL(copy_2d, "cuMemcpy2DAsync_v2", (copy, stream), const struct lmc_cu_copy_2d *copy,                    \
                  lmc_cu_stream stream)                                                                                \
    LMC_CUDA_CALL(launch_host, "cuLaunchHostFunc", (stream, function, argument), lmc_cu_stream stream,                 \
                  void (*function)(void *), void *argument)                                                            \
    LMC_CUDA_CALL(module_load, "cuModuleLoadData", (module, image), lmc_cu_module *module, const void *image)          \
    LMC_CUDA_CALL(module_unload, "cuModuleUnload", (module), lmc_cu_module module)                                     \
    LMC_CUDA_CALL(module_function, "cuModuleGetFunction", (function, module, name), lmc_cu_function *function,         \
                  lmc_cu_module module, const char *name)                                                              \
    LMC_CUDA_CALL(launch, "cuLaunchKernel",                                                                            \
                  (function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared, stream, parameters, extra),    \
                  lmc_cu_function function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,             \
                  unsigned int block_x, unsigned int block_y, unsigned int block_z, unsigned int shared,               \
                  lmc_cu_stream stream, void **parameters, void **extra)                                               \
    LMC_CUDA_OPTIONAL(device_bus_id, "cuDeviceGetPCIBusId", (text, length, device), char *text, int length, int device) \
    LMC_CUDA_OPTIONAL(stream_write_64, "cuStreamWriteValue64_v2", (stream, address, value, flags),                     \
                      lmc_cu_stream stream, uint64_t address, uint64_t value, unsigned int flags)                      \
    LMC_CUDA_OPTIONAL(memory_import, "cuMemImportFromShareableHandle", (handle, shared, kind), uint64_t *handle,       \
                      const void *shared, int kind)                                                                    \
    LMC_CUDA_OPTIONAL(memory_release, "cuMemRelease", (handle), uint64_t handle)                                       \
    LMC_CUDA_OPTIONAL(address_reserve, "cuMemAddressReserve", (address, length, alignment, wanted, flags),             \
                      uint64_t *address, size_t length, size_t alignment, uint64_t wanted, unsigned long long flags)   \
    LMC_CUDA_OPTIONAL(address_free, "cuMemAddressFree", (address, length), uint64_t address, size_t length)            \
    LMC_CUDA_OPTIONAL(memory_map, "cuMemMap", (address, length, offset, handle, flags), uint64_t address,              \
                      size_t length, size_t offset, uint64_t handle, unsigned long long flags)                         \
    LMC_CUDA_OPTIONAL(memory_unmap, "cuMemUnmap", (address, length), uint64_t address, size_t length)                  \
    LMC_CUDA_OPTIONAL(memory_set_access, "cuMemSetAccess", (address, length, access, count), uint64_t address,         \
                      size_t length, const struct lmc_cu_access *access, size_t count)

/// One pointer a call; pointers to optional calls may be null.
struct lmc_cuda_calls {
#define LMC_CUDA_CALL(name, symbol, arguments, ...) int (*name)(__VA_ARGS__);
#define LMC_CUDA_OPTIONAL(name, symbol, arguments, ...) int (*name)(__VA_ARGS__);
    LMC_CUDA_CALLS
#undef LMC_CUDA_CALL
#undef LMC_CUDA_OPTIONAL
};

/// What an absent optional call answers: CUDA_ERROR_NOT_SUPPORTED.
#define LMC_CUDA_NOT_SUPPORTED 801

// lmc_cuda_<name>(calls, …): the driver's answer, 0 for success.
#define LMC_CUDA_CALL(name, symbol, arguments, ...)                                                                    \
    static inline int lmc_cuda_##name(const struct lmc_cuda_calls *calls, __VA_ARGS__) { return calls->name arguments; }
#define LMC_CUDA_OPTIONAL(name, symbol, arguments, ...)                                                                \
    static inline int lmc_cuda_##name(const struct lmc_cuda_calls *calls, __VA_ARGS__) {                               \
        return calls->name ? calls->name arguments : LMC_CUDA_NOT_SUPPORTED;                                           \
    }
LMC_CUDA_CALLS
#undef LMC_CUDA_CALL
#undef LMC_CUDA_OPTIONAL

/// Finds the address of a symbol, or null.
typedef void *(*lmc_cuda_resolver)(void *library, const char *symbol);

/// Fills the table. Returns the name of the first symbol that must be there and is not; null when all were found.
const char *lmc_cuda_find(struct lmc_cuda_calls *calls, lmc_cuda_resolver resolver, void *library);

/// dlopen(3) with all symbols bound. On failure returns null and leaves the reason in `reason`.
void *lmc_cuda_open_library(const char *path, char *reason, size_t length);
/// dlsym(3), as a resolver.
void *lmc_cuda_library_symbol(void *library, const char *symbol);
void lmc_cuda_close_library(void *library);

/// Takes one from a counter in PyTorch's file of counters, so that the exporter may use the block again (wire protocol
/// §3.2). Does nothing unless the file has the name, owner, kind and size of such a file.
void lmc_cuda_drop_torch_reference(const char *name, uint64_t index);

#endif
