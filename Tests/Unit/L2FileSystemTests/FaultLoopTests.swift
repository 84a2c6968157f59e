// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import L2Conformance
import L2FileSystem
import L2Storage
import Testing

/// Lets every call of every operation fail in turn; afterwards nothing wrong is served and nothing has leaked.
@Suite struct FaultLoopTests {
    private static let content = L2ConformanceSuite.content(50_000, seed: 5)

    private func object() -> L2Object {
        L2Object(key: L2ConformanceSuite.key(1), buffer: L2Buffer(copying: Self.content))
    }

    private func configuration(_ path: String, direct: Bool) -> FileSystemConfiguration {
        var configuration = FileSystemConfiguration(kind: direct ? .native : .buffered, basePath: path)
        configuration.synchronizes = true
        configuration.usesDirectIO = direct
        return configuration
    }

    @Test(arguments: [false, true], [EIO, ENOSPC])
    func aStoreThatFailsAtAnyCallIsInvisibleOrWhole(_ isDirect: Bool, _ code: Int32) throws {
        for isSticky in [false, true] {
            var isClean = false
            var number = 0
            while !isClean {
                number += 1
                let directory = TemporaryDirectory()
                let calls = FaultingFileCalls()
                let medium = try FileMedium(self.configuration(directory.path, direct: isDirect), calls: calls)
                calls.cut(to: 16_384)
                calls.fail(number, code, sticky: isSticky)
                let result = medium.store(self.object())
                isClean = calls.failedCalls == 0
                calls.fail(nil, 0)
                // Only closing the directory, after everything is on the device, may fail without consequence.
                #expect(result.isSuccess || !isClean, "call \(number), \(result)")
                if !result.isSuccess, code == ENOSPC { #expect(result == .failed(.full)) }
                #expect(calls.openFiles == 0)
                self.checkWhatIsLeft(medium, directory, mayLeak: isSticky)
            }
            #expect(number > 8)
        }
    }

    /// Whatever happened, the object is absent or whole, and the next store makes it whole.
    private func checkWhatIsLeft(_ medium: FileMedium, _ directory: TemporaryDirectory, mayLeak: Bool) {
        // When unlinking fails too, the sweep of a later start removes the file.
        if !mayLeak { #expect(!directory.names.contains { $0.hasSuffix(".tmp") }) }
        let blank = L2Object(key: self.object().key, buffer: L2Buffer(byteCount: Self.content.count))
        let loaded = medium.load(blank)
        if loaded != .miss(.absent) { expectContent(blank.buffer.content, equals: Self.content) }
        #expect(medium.usage().objectCount == (loaded.isSuccess ? 1 : 0))
        #expect(medium.store(self.object()).isSuccess)
        #expect(medium.load(blank).isSuccess)
        expectContent(blank.buffer.content, equals: Self.content)
        #expect(medium.usage().objectCount == 1)
    }

    @Test(arguments: [false, true])
    func aLoadLookupOrDeleteThatFailsAtAnyCallServesNothingWrong(_ isDirect: Bool) throws {
        let operations: [(FileMedium, L2Object) -> L2Result] = [
            { $0.load($1) }, { $0.lookup(L2Probe(key: $1.key, byteCount: Self.content.count)) },
            { $0.delete($1.key) },
        ]
        for operation in operations {
            var isClean = false
            var number = 0
            while !isClean {
                number += 1
                let directory = TemporaryDirectory()
                let calls = FaultingFileCalls()
                let medium = try FileMedium(self.configuration(directory.path, direct: isDirect), calls: calls)
                #expect(medium.store(self.object()).isSuccess)
                calls.cut(to: 16_384)
                calls.fail(number, EIO)
                let result = operation(medium, self.object())
                isClean = calls.failedCalls == 0
                calls.fail(nil, 0)
                // A close that fails after a read changes nothing about the bytes.
                #expect(result.isSuccess || !isClean)
                #expect(calls.openFiles == 0)
            }
        }
    }

    @Test func aStartThatFailsAtAnyCallThrowsOrWorks() throws {
        let directory = TemporaryDirectory()
        var isClean = false
        var number = 0
        while !isClean {
            number += 1
            let calls = FaultingFileCalls()
            calls.fail(number, EIO)
            let medium = try? FileMedium(self.configuration(directory.path + "/x/y", direct: false), calls: calls)
            isClean = calls.failedCalls == 0
            #expect(isClean ? medium != nil : true)
            #expect(calls.openFiles == 0)
        }
    }

    @Test func aFullFileSystemCostsTheStoreOnly() throws {
        // A real one of 1 MiB, where this process may mount one.
        let directory = TemporaryDirectory()
        guard mount("tmpfs", directory.path, "tmpfs", 0, "size=1m") == 0 else { return }
        defer { umount(directory.path) }
        let medium = try FileMedium(self.configuration(directory.path, direct: false))
        func object(_ number: UInt64) -> L2Object {
            L2Object(key: L2ConformanceSuite.key(number), buffer: L2Buffer(byteCount: 600_000))
        }
        #expect(medium.store(object(1)).isSuccess)
        #expect(medium.store(object(2)) == .failed(.full))
        #expect(directory.names.count == 1)
        #expect(medium.load(object(1)).isSuccess)
        #expect(medium.usage().usedBytes == 600_000)
        #expect(medium.delete(object(1).key).isSuccess)
        #expect(medium.store(object(2)).isSuccess)
    }
}
