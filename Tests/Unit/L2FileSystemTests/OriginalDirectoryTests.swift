// lmcache · SPDX-License-Identifier: Apache-2.0

import Foundation
import KVModel
import L2Conformance
import L2FileSystem
import L2Storage
import Testing

/// A directory that LMCache 0.5.6 wrote, recorded beside this file with a manifest.
@Suite struct OriginalDirectoryTests {
    private struct Manifest: Decodable {
        struct Object: Decodable {
            let file: String
            let model: String
            let rank: UInt32
            let group: Int
            let salt: String
            let hash: String
            let byteCount: Int
            let seed: Int
        }

        let objects: [Object]
    }

    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Goldens")

    private static func objects() throws -> [(name: String, object: L2Object)] {
        let data = try Data(contentsOf: Self.folder.appendingPathComponent("MANIFEST.json"))
        return try JSONDecoder().decode(Manifest.self, from: data).objects.map { entry in
            let digits = Array(entry.hash)
            let hash = stride(from: 0, to: digits.count, by: 2).compactMap {
                UInt8(String(digits[$0..<($0 + 2)]), radix: 16)
            }
            let key = ObjectKey(
                chunkHash: try #require(ChunkHash(bytes: hash)), modelName: entry.model,
                kvRank: KVRank(rawValue: entry.rank), objectGroup: entry.group, cacheSalt: entry.salt)
            let content = (0..<entry.byteCount).map { UInt8(truncatingIfNeeded: $0 * 31 + entry.seed * 7 + $0 >> 8) }
            return (entry.file, L2Object(key: key, buffer: L2Buffer(copying: content)))
        }
    }

    @Test(arguments: FileSystemConfiguration.Kind.allCases, [false, true])
    func readsEveryObjectOfTheOriginal(_ kind: FileSystemConfiguration.Kind, _ isDirect: Bool) throws {
        let directory = TemporaryDirectory()
        let objects = try Self.objects()
        for (name, _) in objects {
            let data = try Data(contentsOf: Self.folder.appendingPathComponent("fs/\(name)"))
            directory.write(Array(data), to: name)
        }
        var configuration = FileSystemConfiguration(kind: kind, basePath: directory.path)
        configuration.usesDirectIO = isDirect
        let medium = try FileMedium(configuration)
        #expect(medium.usage().objectCount == objects.count)
        #expect(Set(medium.leastRecent(limit: 99)) == Set(objects.map(\.object.key)))
        for (_, object) in objects {
            let blank = L2Object(key: object.key, buffer: L2Buffer(byteCount: object.buffer.byteCount))
            #expect(medium.load(blank) == .done(byteCount: object.buffer.byteCount))
            expectContent(blank.buffer.content, equals: object.buffer.content)
            #expect(medium.store(object) == .present(byteCount: object.buffer.byteCount))
        }
    }

    @Test(arguments: FileSystemConfiguration.Kind.allCases)
    func writesTheSameNamesAndBytes(_ kind: FileSystemConfiguration.Kind) throws {
        let directory = TemporaryDirectory()
        let medium = try FileMedium(FileSystemConfiguration(kind: kind, basePath: directory.path))
        let objects = try Self.objects()
        for (_, object) in objects { #expect(medium.store(object).isSuccess) }
        #expect(directory.names == objects.map(\.name).sorted())
        for (name, _) in objects {
            let recorded = try Data(contentsOf: Self.folder.appendingPathComponent("fs/\(name)"))
            expectContent(directory.read(name), equals: Array(recorded))
        }
    }
}
