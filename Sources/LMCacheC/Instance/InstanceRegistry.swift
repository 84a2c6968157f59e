// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// The instances of this process by handle. Handles are numbers that are never given out twice.
///
/// After a fork the child starts with a registry of its own and never touches the parent's: a lock in it may have been
/// held at that moment by a thread that the child does not have.
final class InstanceRegistry: Sendable {
    private struct State {
        var last: UInt32 = 0
        var instances: [UInt32: EmbeddedCache] = [:]
    }

    private let processID: Int32
    private let state = Mutex(State())

    private init(processID: Int32) { self.processID = processID }

    /// A handle as the caller sees it: the process's number above, the instance's below.
    struct Handle: Equatable {
        let processID: Int32
        let number: UInt32

        init(processID: Int32, number: UInt32) {
            self.processID = processID
            self.number = number
        }

        init(_ pointer: OpaquePointer) {
            let bits = UInt(bitPattern: pointer)
            self.processID = Int32(truncatingIfNeeded: bits >> 32)
            self.number = UInt32(truncatingIfNeeded: bits)
        }

        var pointer: OpaquePointer? {
            OpaquePointer(bitPattern: UInt(UInt32(bitPattern: self.processID)) << 32 | UInt(self.number))
        }
    }

    /// Gives an instance a handle; nil when the numbers are used up.
    func add(_ cache: EmbeddedCache) -> OpaquePointer? {
        let number = self.state.withLock { state -> UInt32? in
            guard state.last < .max else { return nil }
            state.last += 1
            state.instances[state.last] = cache
            return state.last
        }
        return number.flatMap { Handle(processID: self.processID, number: $0).pointer }
    }

    /// The instance of a handle.
    func find(_ pointer: OpaquePointer?) throws(LibraryError) -> EmbeddedCache {
        guard let cache = try self.instance(pointer, { $0.instances[$1] }) else { throw .closed }
        return cache
    }

    /// Takes an instance out; nil when the handle is of none.
    func remove(_ pointer: OpaquePointer?) throws(LibraryError) -> EmbeddedCache? {
        try self.instance(pointer) { $0.instances.removeValue(forKey: $1) }
    }

    private func instance(
        _ pointer: OpaquePointer?, _ body: (inout State, UInt32) -> EmbeddedCache?
    ) throws(LibraryError) -> EmbeddedCache? {
        guard let pointer else { throw LibraryError(.invalidArgument, "instance is null") }
        let handle = Handle(pointer)
        guard handle.processID == self.processID else {
            // A number that no process has: not a handle at all.
            guard handle.processID > 0, handle.number > 0 else { throw .closed }
            throw LibraryError(
                .otherProcess, "the instance belongs to process \(handle.processID), from which this one was forked")
        }
        return self.state.withLock { body(&$0, handle.number) }
    }

    // MARK: The process's registry

    /// Address of a retained registry, or 0.
    private static let current = Atomic<UInt>(0)

    /// The registry of this process. Takes no lock that a fork could have left held.
    static var ofThisProcess: InstanceRegistry {
        let processID = getpid()
        while true {
            let known = Self.current.load(ordering: .acquiring)
            if let known = UnsafeRawPointer(bitPattern: known) {
                let registry = Unmanaged<InstanceRegistry>.fromOpaque(known).takeUnretainedValue()
                if registry.processID == processID { return registry }
            }
            // What a parent process left is never released: its instances have threads that this process lacks.
            let made = Unmanaged.passRetained(InstanceRegistry(processID: processID))
            let (isExchanged, _) = Self.current.compareExchange(
                expected: known, desired: UInt(bitPattern: made.toOpaque()), ordering: .acquiringAndReleasing)
            if isExchanged { return made.takeUnretainedValue() }
            made.release()
        }
    }
}
