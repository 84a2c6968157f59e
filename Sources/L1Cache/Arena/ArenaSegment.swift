// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// An open file that backs the arena: a named segment that this process owns, or memory without a name.
///
/// Ownership is the file's exclusive lock, which the kernel drops when the process ends, however it ends.
struct ArenaSegment {
    static let namePrefix = "lmcache_l1_pool_"
    /// Longest name that the file system takes.
    private static let nameLimit = 255
    private static let attemptLimit = 16

    let descriptor: Int32
    /// Nil for memory without a name.
    let name: String?

    /// The full name for what was configured.
    static func fullName(_ configured: String?, processID: Int32) throws(L1Error) -> String {
        let given = configured ?? String(processID)
        let name = given.hasPrefix(Self.namePrefix) ? given : Self.namePrefix + given
        let isSpelledWell = name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x2F }
        guard isSpelledWell, !given.isEmpty, name.utf8.count <= Self.nameLimit else {
            throw .invalidSetting(
                flag: "--shm-name",
                given: "\"\(given)\"",
                accepted: "up to \(Self.nameLimit - Self.namePrefix.utf8.count) printable characters without a slash"
            )
        }
        return name
    }

    /// Makes the named segment.
    ///
    /// One that a dead server left behind is replaced; a live server's is an error.
    static func create(_ name: String, system: some ArenaSystem) throws(L1Error) -> ArenaSegment {
        for _ in 0..<Self.attemptLimit {
            let descriptor: Int32
            do {
                descriptor = try system.createSegment(name)
            } catch {
                guard error.errno == EEXIST else { throw .system(call: error.call, errno: error.errno) }
                try Self.removeStale(name, system)
                continue
            }
            let segment = ArenaSegment(descriptor: descriptor, name: name)
            do {
                if try segment.takeOwnership(system) { return segment }
            } catch {
                segment.destroy(system: system)
                throw .system(call: error.call, errno: error.errno)
            }
            // Another server took it for a stale one between its creation and our lock, and removed it.
            system.close(descriptor)
        }
        throw .segmentInUse(name: name)
    }

    /// Makes memory without a name.
    static func createAnonymous(system: some ArenaSystem) throws(L1Error) -> ArenaSegment {
        do {
            return ArenaSegment(descriptor: try system.createAnonymous("lmcache_l1"), name: nil)
        } catch {
            throw .system(call: error.call, errno: error.errno)
        }
    }

    /// Forgets the name and closes the file.
    func destroy(system: some ArenaSystem) {
        if let name = self.name { try? system.unlinkSegment(name) }
        system.close(self.descriptor)
    }

    /// False when the file lost its name or its lock to somebody else.
    private func takeOwnership(_ system: some ArenaSystem) throws(SystemCallError) -> Bool {
        guard try system.lock(self.descriptor) else { return false }
        return try system.describe(self.descriptor).linkCount > 0
    }

    private static func removeStale(_ name: String, _ system: some ArenaSystem) throws(L1Error) {
        do throws(SystemCallError) {
            let descriptor = try system.openSegment(name)
            defer { system.close(descriptor) }
            let file = try system.describe(descriptor)
            guard file.owner == system.userID, file.isRegularFile else {
                throw SystemCallError(call: "fstat", errno: EACCES)
            }
            guard try system.lock(descriptor) else { throw SystemCallError(call: "flock", errno: EWOULDBLOCK) }
            // Without links the name is gone, or is already another server's segment.
            if try system.describe(descriptor).linkCount > 0 { try system.unlinkSegment(name) }
        } catch {
            switch error.errno {
            case ENOENT: return
            case EACCES, ELOOP: throw .segmentNotOwned(name: name)
            case EWOULDBLOCK: throw .segmentInUse(name: name)
            default: throw .system(call: error.call, errno: error.errno)
            }
        }
    }
}
