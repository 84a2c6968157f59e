// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// How the copies work. docs/gpu.md lists the environment variables.
package struct CUDASettings: Sendable {
    /// The driver's library, as dlopen(3) takes it.
    package var driverPath = CUDADriver.defaultPath
    /// One strategy for everything, for measurements; nil chooses by ``CopyStrategy/chosen(for:fragmentBytes:)``.
    package var forcedStrategy: CopyStrategy?
    /// Bytes of one slot of a staging ring.
    package var slotByteCount = 16 << 20
    /// Slots of a staging ring.
    package var slotCount = 2
    /// Thread blocks of one kernel.
    package var gridSize = 128
    /// Whether the lists of fragments are copied to the device; nil: those of loads. Otherwise kernels read them from
    /// page-locked memory.
    package var sendsLists: Bool?
    /// Of the streams of loads; lower runs first, stores have 0.
    package var loadPriority: Int32 = -1
    /// Bytes that are page-locked in one step.
    package var pinStepByteCount = 128 << 20
    /// Transfers of one worker and direction that wait at once.
    package var queueLimit = 1024

    package init() {}

    /// The defaults, with what the environment says. Unusable values are ignored.
    package static func fromEnvironment() -> CUDASettings {
        var settings = CUDASettings()
        if let path = Self.text("LMCACHE_CUDA_DRIVER") { settings.driverPath = path }
        settings.forcedStrategy = Self.text("LMCACHE_CUDA_COPY").flatMap { CopyStrategy(rawValue: $0) }
        settings.slotByteCount =
            Self.number("LMCACHE_CUDA_STAGING_MB", in: 1...512).map { $0 << 20 } ?? settings.slotByteCount
        settings.slotCount = Self.number("LMCACHE_CUDA_STAGING_SLOTS", in: 2...8) ?? settings.slotCount
        settings.gridSize = Self.number("LMCACHE_CUDA_GRID", in: 1...65_535) ?? settings.gridSize
        settings.sendsLists = Self.text("LMCACHE_CUDA_LISTS").flatMap { ["device": true, "host": false][$0] }
        settings.loadPriority = Self.number("LMCACHE_CUDA_LOAD_PRIORITY", in: -5...0).map { Int32($0) } ?? -1
        settings.pinStepByteCount =
            Self.number("LMCACHE_CUDA_PIN_STEP_MB", in: 1...4096).map { $0 << 20 } ?? settings.pinStepByteCount
        return settings
    }

    private static func text(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func number(_ name: String, in range: ClosedRange<Int>) -> Int? {
        Self.text(name).flatMap { Int($0) }.flatMap { range.contains($0) ? $0 : nil }
    }
}

/// What the device tells its owner, for the log.
package enum CUDANotice: Sendable, Equatable {
    case info(String)
    case warning(String)
    case error(String)
}
