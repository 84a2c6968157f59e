// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// A device that opens engines' memory and copies between it and the arena.
package protocol TransferDevice: AnyObject, Sendable {
    /// `cpu`, or a CUDA device's UUID.
    var name: String { get }
    /// True when every descriptor belongs to this device.
    func accepts(_ descriptors: [MemoryDescriptor]) -> Bool
    /// Opens a registration's tensors. Any thread. Nothing stays open when it throws.
    func open(
        _ registration: KVCacheRegistration, layout: KVCacheLayout
    ) throws(DeviceError) -> any EngineMemory
    /// What `/status` says about it.
    var report: DeviceReport { get }
    /// Finishes what is queued, fails what comes later, and joins the device's thread. Never call it from a callback.
    func stop()
}

/// One registration's opened memory. Any thread may call any method.
package protocol EngineMemory: AnyObject, Sendable {
    var layout: KVCacheLayout { get }
    /// False once a name of the registration leads to other memory, or nowhere: what is open then is of a process that
    /// has ended.
    var isCurrent: Bool { get }
    /// The one device that holds the memory, for metrics; nil where the device that opened it has no others.
    var deviceName: String? { get }
    /// Enqueues and returns at once. False, with nothing taken and no callback to come, when the device's queue is full
    /// or the memory is closed.
    func submit(_ transfer: Transfer) -> Bool
    /// Enqueues the hashing of blocks, `blocksPerChunk` (positive) at a time. False as for ``submit(_:)``.
    func checksums(
        blockIDs: [Int], blocksPerChunk: Int, layerwise: Bool,
        completion: @escaping @Sendable (Result<ChunkChecksums, ChecksumError>) -> Void
    ) -> Bool
    /// Refuses further work and unmaps once the work in flight is done. Idempotent; returns at once.
    func close()
}

extension EngineMemory {
    package var isCurrent: Bool { true }
    package var deviceName: String? { nil }
}

extension TransferDevice {
    package var report: DeviceReport { DeviceReport() }
}

/// What a device says about itself.
package struct DeviceReport: Sendable, Equatable {
    package var isHealthy: Bool
    package var figures: [Figure]
    /// Sentences for the reader, such as why memory could not be page-locked.
    package var notes: [String]

    /// One named number.
    package struct Figure: Sendable, Equatable {
        package var name: String
        package var value: Int

        package init(_ name: String, _ value: Int) {
            self.name = name
            self.value = value
        }
    }

    package init(isHealthy: Bool = true, figures: [Figure] = [], notes: [String] = []) {
        self.isHealthy = isHealthy
        self.figures = figures
        self.notes = notes
    }
}

/// MD5 digests, in lower-case hex, of an engine's blocks. Server surface §2.5.
package enum ChunkChecksums: Sendable, Equatable {
    /// One a chunk, over all layers.
    case chunks([String])
    /// For each layer in order: one a chunk.
    case layers([[String]])
}

/// Why blocks were not hashed.
package enum ChecksumError: Error, Equatable, CustomStringConvertible {
    /// The formats that cannot be hashed by block.
    case unsupportedFormat(KVFormat)
    case blockOutOfRange(id: Int, blockCount: Int)
    case engineMemoryShrunk(name: String)
    case closed
    /// The device or its driver failed; the text names the call.
    case device(String)

    package var description: String {
        switch self {
        case .device(let text): text
        case .unsupportedFormat(let format): "checksum not supported for GPU KV format \(format.name)"
        case .blockOutOfRange(let id, let count): "block id \(id) is outside 0 ..< \(count)"
        case .engineMemoryShrunk(let name): "shared memory \(name) became smaller than it was registered"
        case .closed: "the registration's memory is closed"
        }
    }
}

/// Why a registration's memory cannot be opened. The text names the tensor and what is accepted.
package enum DeviceError: Error, Equatable, CustomStringConvertible {
    /// The descriptor is of a kind that this device cannot open.
    case wrongKind(String)
    /// A name, size or layout in the descriptor is not acceptable.
    case invalid(String)
    /// The segment does not exist or may not be opened.
    case unavailable(String)
    /// A system call failed.
    case system(call: String, code: Int32, name: String)
    case stopped

    package var description: String {
        switch self {
        case .wrongKind(let text), .invalid(let text), .unavailable(let text): text
        case .system(let call, let code, let name): "\(call) failed for shared memory \(name) with errno \(code)"
        case .stopped: "the device has stopped"
        }
    }
}
