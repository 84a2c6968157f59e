// lmcache · SPDX-License-Identifier: Apache-2.0

import L2Conformance
import L2FileSystem
import L2Storage
import Testing

@Suite struct FileSystemConformanceTests {
    /// Every option that changes how files are written, except padding.
    private static let variants: [String] = [
        "fs", "fs fsync", "fs direct", "fs temporary", "fs_native", "fs read-ahead",
    ]

    private static func configuration(_ variant: String, _ path: String) -> FileSystemConfiguration {
        var configuration = FileSystemConfiguration(
            kind: variant.hasPrefix("fs_native") ? .native : .buffered, basePath: path)
        configuration.usesDirectIO = variant.hasSuffix("direct")
        configuration.synchronizes = variant.hasSuffix("fsync")
        configuration.temporaryDirectory = variant.hasSuffix("temporary") ? "a/b" : nil
        configuration.readAheadBytes = variant.hasSuffix("read-ahead") ? 1000 : nil
        return configuration
    }

    @Test(arguments: variants, L2ConformanceSuite.checks.map(\.name))
    func conforms(_ variant: String, _ name: String) throws {
        let directory = TemporaryDirectory()
        let check = try #require(L2ConformanceSuite.checks.first { $0.name == name })
        let calls = FaultingFileCalls()
        check.run(try FileSystemAdapter.start(Self.configuration(variant, directory.path), calls: calls))
        #expect(calls.openFiles == 0)
        #expect(!directory.names.contains { $0.hasSuffix(".tmp") })
    }

    @Test func paddedDirectFilesLoadDirectlyAndPlainly() throws {
        let directory = TemporaryDirectory()
        var configuration = Self.configuration("fs_native direct", directory.path)
        let sizes = [1, 4096, 5000, (1 << 20) + 1]
        let objects = sizes.enumerated().map { index, size in
            L2Object(
                key: L2ConformanceSuite.key(UInt64(index)),
                buffer: L2Buffer(copying: L2ConformanceSuite.content(size, seed: index)))
        }
        let medium = try FileMedium(configuration)
        for object in objects { #expect(medium.store(object) == .done(byteCount: object.buffer.byteCount)) }
        for (object, size) in zip(objects, [4096, 4096, 8192, (1 << 20) + 4096]) {
            let content = directory.read(try #require(FileKeyName.spelled(object.key)))
            #expect(content.count == size)
            expectContent(
                content, equals: object.buffer.content + [UInt8](repeating: 0, count: size - object.buffer.byteCount))
        }
        for isDirect in [true, false] {
            configuration.usesDirectIO = isDirect
            let reader = try FileMedium(configuration)
            #expect(reader.usage().usedBytes == 4096 + 4096 + 8192 + (1 << 20) + 4096)
            for object in objects {
                let blank = L2Object(key: object.key, buffer: L2Buffer(byteCount: object.buffer.byteCount))
                #expect(reader.load(blank).isSuccess)
                expectContent(blank.buffer.content, equals: object.buffer.content)
            }
        }
    }

    @Test func directIOMovesBuffersThatAreNotAlignedAndCallsThatAreCutShort() throws {
        let directory = TemporaryDirectory()
        let calls = FaultingFileCalls()
        let medium = try FileMedium(Self.configuration("fs direct", directory.path), calls: calls)
        calls.cut(to: 8192)
        let content = L2ConformanceSuite.content(40_001, seed: 3)
        for offset in [0, 1, 512] {
            let area = UnsafeMutableRawBufferPointer.allocate(byteCount: 50_000, alignment: 4096)
            nonisolated(unsafe) let owned = area
            let part = UnsafeMutableRawBufferPointer(rebasing: area[offset..<(offset + 40_001)])
            part.copyBytes(from: content)
            let object = L2Object(
                key: L2ConformanceSuite.key(UInt64(offset)), buffer: L2Buffer(part) { owned.deallocate() })
            #expect(medium.store(object) == .done(byteCount: 40_001))
            part.initializeMemory(as: UInt8.self, repeating: 0)
            #expect(medium.load(object) == .done(byteCount: 40_001))
            expectContent(object.buffer.content, equals: content)
        }
    }
}
