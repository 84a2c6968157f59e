// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes
import Synchronization

/// The engines' allocations that one context has mapped, each once, however many tensors lie in it. Any thread.
final class AllocationTable: Sendable {
    /// What names an allocation.
    enum Key: Hashable, Sendable {
        /// The driver's 64 bytes.
        case interprocess([UInt8])
        /// Names an export of virtual memory, whose blob travels beside it.
        case fabric(exportID: [UInt8], blob: [UInt8])
        /// Memory of this process, at a device address. Nothing is mapped.
        case process(address: Int)
    }

    /// Device addresses `base ..< base + byteCount`.
    struct Range: Sendable, Equatable {
        let base: UInt64
        let byteCount: Int
    }

    private struct Entry: Sendable {
        let range: Range
        var useCount: Int
    }

    private let driver: CUDADriver
    private let device: Int32
    private let entries = Mutex<[Key: Entry]>([:])

    init(driver: CUDADriver, device: Int32) {
        self.driver = driver
        self.device = device
    }

    var count: Int { self.entries.withLock { $0.count } }

    /// Maps an allocation, or counts one use more. The context must be current. Each success needs one ``close(_:)``.
    ///
    /// - Parameter byteCount: For virtual memory: the whole allocation's size.
    func open(_ key: Key, byteCount: Int) throws(CUDAFailure) -> Range {
        try self.entries.withLock { (entries) throws(CUDAFailure) -> Range in
            if let known = entries[key] {
                entries[key]?.useCount += 1
                return known.range
            }
            let range: Range
            switch key {
            case .interprocess(let bytes): range = try self.openInterprocess(bytes)
            case .fabric(_, let blob): range = try self.openFabric(blob, byteCount: byteCount)
            case .process(let address):
                // Its owner is this process: what it says of its size is true, also for memory of several parts.
                range = Range(base: UInt64(UInt(bitPattern: address)), byteCount: byteCount)
            }
            entries[key] = Entry(range: range, useCount: 1)
            return range
        }
    }

    /// Ends one use; the last one unmaps. The context must be current.
    func close(_ key: Key) {
        self.entries.withLock { entries in
            guard let entry = entries[key] else { return }
            if entry.useCount > 1 {
                entries[key]?.useCount -= 1
                return
            }
            entries[key] = nil
            switch key {
            case .interprocess: _ = lmc_cuda_ipc_close_memory(self.driver.calls, entry.range.base)
            case .fabric: self.closeFabric(entry.range)
            case .process: break
            }
        }
    }

    private func openInterprocess(_ bytes: [UInt8]) throws(CUDAFailure) -> Range {
        guard let handle = lmc_cu_handle(bytes) else {
            throw .call("cuIpcOpenMemHandle", code: CUDACode.invalidValue, name: "a handle of \(bytes.count) bytes")
        }
        var address: UInt64 = 0
        let lazyPeerAccess: UInt32 = 1
        try self.driver.check(
            "cuIpcOpenMemHandle", lmc_cuda_ipc_open_memory(self.driver.calls, &address, handle, lazyPeerAccess))
        do throws(CUDAFailure) {
            return try self.range(from: address)
        } catch {
            _ = lmc_cuda_ipc_close_memory(self.driver.calls, address)
            throw error
        }
    }
}

extension AllocationTable {
    /// The rest of an allocation, from an address in it.
    private func range(from address: UInt64) throws(CUDAFailure) -> Range {
        var (base, length) = (UInt64(0), 0)
        try self.driver.check(
            "cuMemGetAddressRange", lmc_cuda_address_range(self.driver.calls, &base, &length, address))
        let before = Int(clamping: address &- base)
        guard base <= address, length > before else {
            throw .call("cuMemGetAddressRange", code: CUDACode.invalidValue, name: "an empty range")
        }
        return Range(base: address, byteCount: length - before)
    }
}

// MARK: Virtual memory

extension AllocationTable {
    private static var fabricKind: Int32 { 8 }
    /// CU_MEM_LOCATION_TYPE_DEVICE and CU_MEM_ACCESS_FLAGS_PROT_READWRITE.
    private static var onDevice: Int32 { 1 }
    private static var readAndWrite: UInt64 { 3 }

    private func openFabric(_ blob: [UInt8], byteCount: Int) throws(CUDAFailure) -> Range {
        let calls = self.driver.calls
        var handle: UInt64 = 0
        let code = blob.withUnsafeBytes {
            lmc_cuda_memory_import(calls, &handle, $0.baseAddress, Self.fabricKind)
        }
        try self.driver.check("cuMemImportFromShareableHandle", code)
        // The mapping keeps the memory.
        defer { _ = lmc_cuda_memory_release(calls, handle) }
        var address: UInt64 = 0
        try self.driver.check(
            "cuMemAddressReserve", lmc_cuda_address_reserve(calls, &address, byteCount, 0, 0, 0))
        do throws(CUDAFailure) {
            // Fails where the allocation is smaller than it is said to be.
            try self.driver.check("cuMemMap", lmc_cuda_memory_map(calls, address, byteCount, 0, handle, 0))
        } catch {
            _ = lmc_cuda_address_free(calls, address, byteCount)
            throw error
        }
        let range = Range(base: address, byteCount: byteCount)
        do throws(CUDAFailure) {
            var access = lmc_cu_access(
                location_kind: Self.onDevice, location: self.device, flags: Self.readAndWrite)
            try self.driver.check(
                "cuMemSetAccess", lmc_cuda_memory_set_access(calls, address, byteCount, &access, 1))
        } catch {
            self.closeFabric(range)
            throw error
        }
        return range
    }

    private func closeFabric(_ range: Range) {
        _ = lmc_cuda_memory_unmap(self.driver.calls, range.base, range.byteCount)
        _ = lmc_cuda_address_free(self.driver.calls, range.base, range.byteCount)
    }
}
