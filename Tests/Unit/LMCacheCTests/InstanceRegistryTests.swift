// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import InProcessConfiguration
import Testing

@testable import LMCacheC

@Suite struct InstanceRegistryTests {
    private static func cache() throws -> EmbeddedCache {
        try EmbeddedCache(
            configuration: try InProcessConfiguration(document: "max_local_cpu_size: 0.01"), socketPath: nil)
    }

    @Test func aHandleIsGoodUntilItsInstanceIsTakenOut() throws {
        let registry = InstanceRegistry.ofThisProcess
        #expect(registry === InstanceRegistry.ofThisProcess)
        let (first, second) = (try Self.cache(), try Self.cache())
        let handles = [try #require(registry.add(first)), try #require(registry.add(second))]
        #expect(handles[0] != handles[1])
        #expect(try registry.find(handles[0]) === first && registry.find(handles[1]) === second)
        #expect(try registry.remove(handles[0]) === first)
        #expect(try registry.remove(handles[0]) == nil)
        #expect(throws: LibraryError.closed) { try registry.find(handles[0]) }
        #expect(try registry.remove(handles[1]) === second)
        first.stop()
        second.stop()
    }

    @Test func handlesOfOtherProcessesAndNoHandlesAreToldApart() {
        let registry = InstanceRegistry.ofThisProcess
        let foreign = InstanceRegistry.Handle(processID: getpid() &+ 1, number: 1)
        #expect(foreign.pointer.map(InstanceRegistry.Handle.init) == foreign)
        #expect(self.result { () throws(LibraryError) in _ = try registry.find(foreign.pointer) } == .otherProcess)
        #expect(self.result { () throws(LibraryError) in _ = try registry.find(nil) } == .invalidArgument)
        #expect(
            self.result { () throws(LibraryError) in _ = try registry.find(OpaquePointer(bitPattern: 77)) } == .closed)
    }

    private func result(_ body: () throws(LibraryError) -> Void) -> LibraryError.Result? {
        do throws(LibraryError) {
            try body()
            return nil
        } catch {
            return error.result
        }
    }
}
