// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import L2Conformance
import L2FileSystem
import L2Storage
import Testing

@Suite struct ChecksumTests {
    private static let key = L2ConformanceSuite.key(1)

    /// A directory with extended attributes, or nil where the test's own place has none.
    private static func directory() throws -> TemporaryDirectory? {
        let directory = TemporaryDirectory()
        directory.write([1], to: "probe")
        let descriptor = open(directory.path + "/probe", O_RDWR)
        defer { close(descriptor) }
        let calls = SystemFileCalls()
        guard (try? calls.setChecksum(descriptor, 0xABC)) != nil else { return nil }
        #expect(try calls.checksum(of: descriptor) == 0xABC)
        unlink(directory.path + "/probe")
        return directory
    }

    /// Changes one byte in place, as a failing disk does.
    private static func spoil(_ directory: TemporaryDirectory, at offset: Int) throws {
        let descriptor = open(directory.path + "/" + (try #require(FileKeyName.spelled(Self.key))), O_RDWR)
        defer { close(descriptor) }
        var byte: UInt8 = 0
        pread(descriptor, &byte, 1, offset)
        byte ^= 0x10
        #expect(pwrite(descriptor, &byte, 1, offset) == 1)
    }

    @Test(arguments: ["fs", "fs_native direct", "fs without"])
    func aByteThatChangesIsAMissAndTheNextStorePutsItRight(_ variant: String) throws {
        guard let directory = try Self.directory() else { return }
        var configuration = FileSystemConfiguration(
            kind: variant.hasPrefix("fs_native") ? .native : .buffered, basePath: directory.path)
        configuration.usesDirectIO = variant.hasSuffix("direct")
        configuration.usesChecksums = !variant.hasSuffix("without")
        let adapter = try FileSystemAdapter.start(configuration)
        defer { #expect(adapter.close(milliseconds: 10_000)) }
        let content = L2ConformanceSuite.content(50_000, seed: 3)
        let object = L2Object(key: Self.key, buffer: L2Buffer(copying: content))
        let blank = L2Object(key: Self.key, buffer: L2Buffer(byteCount: content.count))
        #expect(adapter.perform(.store([object])) == [.done(byteCount: content.count)])
        #expect(adapter.perform(.load([blank])) == [.done(byteCount: content.count)])
        for offset in [0, 4096, content.count - 1] {
            try Self.spoil(directory, at: offset)
            guard configuration.usesChecksums else {
                #expect(adapter.perform(.load([blank])) == [.done(byteCount: content.count)])
                continue
            }
            #expect(adapter.perform(.load([blank])) == [.miss(.corrupted)])
            #expect(adapter.usage().objectCount == 0)
            #expect(adapter.perform(.load([blank])) == [.miss(.absent)])
            #expect(adapter.perform(.store([object])) == [.done(byteCount: content.count)])
            #expect(adapter.perform(.load([blank])) == [.done(byteCount: content.count)])
            expectContent(blank.buffer.content, equals: content)
        }
        #expect(adapter.counters().corrupted == (configuration.usesChecksums ? 3 : 0))
    }

    @Test func filesWithoutAChecksumAreServed() throws {
        let directory = TemporaryDirectory()
        directory.write([1, 2, 3], to: try #require(FileKeyName.spelled(Self.key)))
        let medium = try FileMedium(FileSystemConfiguration(kind: .buffered, basePath: directory.path))
        #expect(medium.load(L2Object(key: Self.key, buffer: L2Buffer(byteCount: 3))) == .done(byteCount: 3))
    }
}
