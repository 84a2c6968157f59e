// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import NativeThreads
import Synchronization

/// The first tier: one arena of shared memory and the table of what lies in it.
///
/// Any thread may call any method; each takes one short lock. The listener is called after the lock is released. Call
/// `stop` before dropping the last reference: the threads keep the object alive.
package final class L1Cache: Sendable {
    /// Why engines cannot open the memory although a name was wanted; worth a warning.
    package var fallbackReason: String? { self.arena.fallbackReason }

    let configuration: L1Configuration
    let arena: Arena
    let state: Mutex<L1State>
    let threads = Mutex<[NativeThread]>([])
    let stopSignal = StopSignal()
    let growthSignal = StopSignal()
    private let listenerBox: Mutex<(any L1Listener)?>

    /// Maps the arena and starts the threads that commit memory and watch the watermark.
    ///
    /// The listener is kept until `stop`.
    package convenience init(configuration: L1Configuration, listener: (any L1Listener)?) throws(L1Error) {
        var generator = SystemRandomNumberGenerator()
        try self.init(
            configuration: configuration,
            listener: listener,
            system: LinuxArenaSystem(),
            seeds: (generator.next(), generator.next()),
            startsThreads: true
        )
    }

    /// As above with every outside influence passed in.
    ///
    /// Without threads only stores commit memory.
    init(
        configuration: L1Configuration,
        listener: (any L1Listener)?,
        system: some ArenaSystem,
        seeds: (UInt64, UInt64),
        startsThreads: Bool
    ) throws(L1Error) {
        let capacity = try configuration.checkedCapacity()
        self.configuration = configuration
        self.arena = try Arena(configuration, capacityBytes: capacity, system: system)
        let table = ObjectTable(
            unit: configuration.alignment,
            limit: configuration.maximumObjects,
            policy: configuration.policy,
            seeds: seeds
        )
        let namespaces = NamespaceTable(limit: configuration.maximumNamespaces)
        self.state = Mutex(
            L1State(
                table: table, namespaces: namespaces, capacityBytes: capacity,
                headStartBytes: configuration.headStartBytes))
        self.listenerBox = Mutex(listener)
        guard startsThreads else { return }
        // The first stores find memory, however fast they come.
        self.grow(atLeast: 0)
        self.startThreads()
    }

    var listener: (any L1Listener)? { self.listenerBox.withLock { $0 } }

    /// Start of the arena, for the devices that copy.
    ///
    /// Valid until `stop`.
    package var arenaBase: UnsafeMutableRawPointer { self.arena.memory.base }

    /// What an engine needs to open the arena; nil when it has no name and is not offered by its address.
    package var pool: PoolOffer? {
        let byteCount = self.arena.capacityBytes
        if let name = self.arena.name { return PoolOffer(name: name, byteCount: byteCount) }
        guard self.configuration.isOfferedByAddress else { return nil }
        let address = UInt(bitPattern: self.arenaBase)
        return PoolOffer(name: "process:\(address)", byteCount: byteCount, isAddress: true)
    }

    /// The number of a (model, salt) pair; nil when too many were named.
    package func intern(_ namespace: Namespace) -> NamespaceID? {
        self.state.withLock { $0.namespaces.intern(namespace) }
    }

    /// The number of a pair that was interned before.
    package func identifier(of namespace: Namespace) -> NamespaceID? {
        self.state.withLock { $0.namespaces.identifier(of: namespace) }
    }

    /// The pair behind a number.
    ///
    /// - Precondition: `identifier` came from `intern`.
    package func namespace(_ identifier: NamespaceID) -> Namespace {
        self.state.withLock { $0.namespaces[identifier] }
    }

    /// Figures for gauges and status pages.
    package func usage() -> L1Usage {
        self.state.withLock { $0.usage }
    }

    /// Joins the threads, unmaps the arena and forgets its name.
    ///
    /// Devices must be done with the memory. Idempotent.
    ///
    /// - Parameter keepsMapping: True while somebody may still touch the memory: it then stays until the process ends.
    package func stop(keepsMapping: Bool = false) {
        let wasStopped = self.state.withLock { state in
            defer { state.isStopped = true }
            return state.isStopped
        }
        guard !wasStopped else { return }
        self.stopSignal.raise()
        self.growthSignal.raise()
        let threads = self.threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in threads { thread.join() }
        self.arena.close(keepsMapping: keepsMapping)
        self.listenerBox.withLock { $0 = nil }
    }
}
