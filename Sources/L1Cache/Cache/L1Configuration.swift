// lmcache · SPDX-License-Identifier: Apache-2.0

/// How much memory the first tier has and how it makes room.
package struct L1Configuration: Sendable {
    /// Hard limit for the bytes of all objects.
    package var capacityBytes: Int
    /// Every object starts at a multiple of this and occupies a multiple of it; a power of two, at least 4096.
    package var alignment = 4096
    /// Name of the POSIX segment; `lmcache_l1_pool_` is put in front where missing.
    ///
    /// Nil: the process id.
    package var segmentName: String?
    /// False for memory without a name, which engines cannot open.
    package var isSharedByName = true
    /// Whether memory without a name is offered by its address, to workers in this process.
    package var isOfferedByAddress = false
    package var policy = EvictionPolicyKind.lru
    /// Fraction of the capacity from which on the evictor works.
    package var triggerWatermark = 0.8
    /// Fraction of all families that one round of the evictor removes.
    package var evictionRatio = 0.2
    /// Most objects at once, whatever their size.
    package var maximumObjects = 1 << 22
    /// Most (model, salt) pairs that are ever named.
    package var maximumNamespaces = 1 << 20
    /// Bytes kept committed ahead of what is used; doubled whenever stores outrun them.
    package var headStartBytes = 1 << 30
    /// Bytes committed in one step of the background thread.
    package var growthStepBytes = 64 << 20
    /// Most bytes that a store commits itself, on its caller's thread: about two milliseconds.
    package var growthBytesOfAStore = 4 << 20

    package init(
        capacityBytes: Int,
        segmentName: String? = nil,
        policy: EvictionPolicyKind = .lru,
        triggerWatermark: Double = 0.8,
        evictionRatio: Double = 0.2
    ) {
        self.capacityBytes = capacityBytes
        self.segmentName = segmentName
        self.policy = policy
        self.triggerWatermark = triggerWatermark
        self.evictionRatio = evictionRatio
    }
}

extension L1Configuration {
    /// The capacity in whole units of alignment, once every setting was found usable.
    func checkedCapacity() throws(L1Error) -> Int {
        func check(_ isAccepted: Bool, _ flag: String, _ given: Any, _ accepted: String) throws(L1Error) {
            if !isAccepted { throw .invalidSetting(flag: flag, given: "\(given)", accepted: accepted) }
        }
        let isPowerOfTwo = self.alignment > 0 && self.alignment & (self.alignment - 1) == 0
        try check(
            isPowerOfTwo && 4096...(1 << 30) ~= self.alignment,
            "--l1-align-bytes",
            self.alignment,
            "a power of two from 4096 to 1073741824"
        )
        let capacity = self.capacityBytes / self.alignment * self.alignment
        let largest = min(SpaceAllocator.unitLimit, Int.max / 2 / self.alignment) * self.alignment
        try check(
            capacity > 0 && capacity <= largest,
            "--l1-size-gb",
            "\(self.capacityBytes) bytes",
            "\(self.alignment) to \(largest) bytes"
        )
        try check(
            0...1 ~= self.triggerWatermark,
            "--eviction-trigger-watermark",
            self.triggerWatermark,
            "0 to 1"
        )
        try check(0...1 ~= self.evictionRatio, "--eviction-ratio", self.evictionRatio, "0 to 1")
        try check(
            1...Int(Int32.max) ~= self.maximumObjects,
            "maximum object count",
            self.maximumObjects,
            "1 to \(Int32.max)"
        )
        try check(
            0...(1 << 60) ~= self.headStartBytes, "memory head start", self.headStartBytes, "0 to 2^60 bytes")
        try check(
            1...(1 << 40) ~= self.growthStepBytes && self.growthStepBytes % self.alignment == 0,
            "memory growth step",
            self.growthStepBytes,
            "a multiple of \(self.alignment) bytes"
        )
        return capacity
    }
}

/// How objects are chosen for removal; raw values as on the command line.
package enum EvictionPolicyKind: String, Sendable, CaseIterable {
    /// The family that was used least recently goes first.
    case lru = "LRU"
    /// Nothing is ever removed to make room.
    case noop
}
