// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes

/// What one lane has made with the driver, to be undone in one go. Used by one thread at a time.
final class LaneResources {
    let driver: CUDADriver
    private var streams: [OpaquePointer] = []
    private var events: [OpaquePointer] = []
    private var deviceMemory: [UInt64] = []
    private var hostMemory: [UnsafeMutableRawPointer] = []

    enum EventKind: UInt32 {
        /// Ordering between streams only.
        case ordering = 2
        /// A thread sleeps until it fires.
        case blocking = 3
        /// Other processes may open it.
        case interprocess = 6
    }

    init(driver: CUDADriver) { self.driver = driver }

    /// A stream that does not wait for the default one. A lower number runs first.
    func stream(priority: Int32) throws(CUDAFailure) -> OpaquePointer {
        var stream: OpaquePointer?
        let nonBlocking: UInt32 = 1
        try self.driver.check(
            "cuStreamCreate", lmc_cuda_stream_create(self.driver.calls, &stream, nonBlocking, priority))
        guard let stream else { throw .missingSymbol("cuStreamCreateWithPriority") }
        self.streams.append(stream)
        return stream
    }

    func event(_ kind: EventKind) throws(CUDAFailure) -> OpaquePointer {
        var event: OpaquePointer?
        try self.driver.check("cuEventCreate", lmc_cuda_event_create(self.driver.calls, &event, kind.rawValue))
        guard let event else { throw .missingSymbol("cuEventCreate") }
        self.events.append(event)
        return event
    }

    /// Ends one event before the others.
    func destroy(event: OpaquePointer) {
        self.events.removeAll { $0 == event }
        _ = lmc_cuda_event_destroy(self.driver.calls, event)
    }

    func deviceMemory(byteCount: Int) throws(CUDAFailure) -> UInt64 {
        var address: UInt64 = 0
        try self.driver.check("cuMemAlloc", lmc_cuda_memory_allocate(self.driver.calls, &address, byteCount))
        self.deviceMemory.append(address)
        return address
    }

    /// Page-locked, for every context and for kernels.
    func hostMemory(byteCount: Int) throws(CUDAFailure) -> UnsafeMutableRawPointer {
        var address: UnsafeMutableRawPointer?
        let portableAndMapped: UInt32 = 3
        try self.driver.check(
            "cuMemHostAlloc", lmc_cuda_host_allocate(self.driver.calls, &address, byteCount, portableAndMapped))
        guard let address else { throw .missingSymbol("cuMemHostAlloc") }
        self.hostMemory.append(address)
        return address
    }

    /// Waits for all streams and gives everything back. The context must be current.
    func release() {
        for stream in self.streams {
            _ = lmc_cuda_stream_synchronize(self.driver.calls, stream)
        }
        for event in self.events { _ = lmc_cuda_event_destroy(self.driver.calls, event) }
        for stream in self.streams { _ = lmc_cuda_stream_destroy(self.driver.calls, stream) }
        for address in self.deviceMemory { _ = lmc_cuda_memory_free(self.driver.calls, address) }
        for address in self.hostMemory { _ = lmc_cuda_host_free(self.driver.calls, address) }
        (self.streams, self.events, self.deviceMemory, self.hostMemory) = ([], [], [], [])
    }
}
