// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import KVModel
import L2Conformance
import L2FileSystem
import L2Storage
import Testing

@Suite struct FileMediumTests {
    private let directory = TemporaryDirectory()

    private func medium(capacity: Int? = nil, calls: any FileCalls = SystemFileCalls()) throws -> FileMedium {
        var configuration = FileSystemConfiguration(kind: .buffered, basePath: self.directory.path)
        configuration.capacityBytes = capacity
        return try FileMedium(configuration, calls: calls)
    }

    private func object(_ number: UInt64, _ size: Int, salt: String = "") -> L2Object {
        L2Object(
            key: L2ConformanceSuite.key(number, salt: salt),
            buffer: L2Buffer(copying: L2ConformanceSuite.content(size, seed: Int(number))))
    }

    private func name(_ object: L2Object) throws -> String { try #require(FileKeyName.spelled(object.key)) }

    @Test(arguments: [0, 1, 4999, 5001, 8191, 8193, 10_000])
    func aFileOfAnotherLengthIsAMissAndTheNextStoreReplacesIt(_ length: Int) throws {
        let object = self.object(1, 5000)
        let name = try self.name(object)
        self.directory.write([UInt8](repeating: 7, count: length), to: name)
        let medium = try self.medium()
        let probe = L2Probe(key: object.key, byteCount: 5000)
        #expect(medium.lookup(probe) == .miss(.wrongLength(found: length)))
        #expect(medium.load(object) == .miss(.wrongLength(found: length)))
        #expect(self.directory.read(name).count == length)
        #expect(medium.store(object) == .done(byteCount: 5000))
        expectContent(self.directory.read(name), equals: object.buffer.content)
        #expect(medium.usage().usedBytes == 5000)
    }

    @Test func aDirectoryInPlaceOfAFileIsAMissForEveryOperation() throws {
        let object = self.object(1, 100)
        mkdir("\(self.directory.path)/\(try self.name(object))", 0o755)
        let medium = try self.medium()
        #expect(medium.lookup(L2Probe(key: object.key, byteCount: 100)) == .miss(.notAnObject))
        #expect(medium.load(object) == .miss(.notAnObject))
        #expect(medium.store(object) == .miss(.notAnObject))
        #expect(medium.delete(object.key) == .miss(.notAnObject))
        #expect(medium.usage().objectCount == 0)
        #expect(self.directory.names == [try self.name(object)])
    }

    @Test func aSymbolicLinkIsNeverFollowed() throws {
        let object = self.object(1, 100)
        self.directory.write(object.buffer.content, to: "target")
        symlink("target", "\(self.directory.path)/\(try self.name(object))")
        let medium = try self.medium()
        #expect(medium.load(object) == .miss(.notAnObject))
        #expect(medium.lookup(L2Probe(key: object.key, byteCount: 100)) == .miss(.notAnObject))
    }

    @Test func aStoreBeyondTheCapacityIsRefusedAndRoomComesBack() throws {
        let medium = try self.medium(capacity: 250)
        #expect(medium.store(self.object(1, 100)).isSuccess)
        #expect(medium.store(self.object(2, 100)).isSuccess)
        #expect(medium.store(self.object(3, 51)) == .failed(.full))
        #expect(medium.store(self.object(1, 150)) == .done(byteCount: 150))
        #expect(medium.leastRecent(limit: 1) == [self.object(2, 1).key])
        #expect(medium.delete(self.object(2, 1).key) == .done(byteCount: 100))
        #expect(medium.store(self.object(3, 51)).isSuccess)
        #expect(medium.usage().usedBytes == 201)
    }

    @Test func aRestartRestoresUsageAndTheOrderOfAge() throws {
        let first = try self.medium()
        let objects = (1...5).map { self.object($0, 100 * Int($0), salt: $0 == 2 ? "t" : "") }
        for object in objects { #expect(first.store(object).isSuccess) }
        for (time, index) in [3, 0, 4, 1, 2].enumerated() {
            self.directory.setTime(1_000_000 + time, of: try self.name(objects[index]))
        }
        self.directory.write([1], to: "README")
        self.directory.write([1], to: "m@0x00000000@00.data")
        let second = try self.medium()
        #expect(second.usage() == first.usage())
        #expect(second.usage().bytesBySalt == ["": 1300, "t": 200])
        #expect(second.leastRecent(limit: 9) == [3, 0, 4, 1, 2].map { objects[$0].key })
    }

    @Test func theStartRemovesOldTemporaryFilesOnly() throws {
        self.directory.write([1], to: "old.tmp")
        self.directory.write([1], to: "new.tmp")
        self.directory.write([1], to: "old.txt")
        for name in ["old.tmp", "old.txt"] { self.directory.setTime(1_000_000, of: name) }
        let medium = try self.medium()
        #expect(medium.sweptCount == 1)
        #expect(self.directory.names == ["new.tmp", "old.txt"])
    }

    @Test func followsWhatOtherServersDoToTheDirectory() throws {
        let (mine, other) = (try self.medium(), try self.medium())
        let object = self.object(1, 100)
        #expect(other.store(object) == .done(byteCount: 100))
        #expect(mine.usage().objectCount == 0)
        #expect(mine.store(object) == .present(byteCount: 100))
        #expect(mine.usage().usedBytes == 100)
        #expect(other.delete(object.key).isSuccess)
        #expect(mine.load(object) == .miss(.absent))
        #expect(mine.usage() == L2Usage())
    }

    @Test func aModelInAnotherLayoutIsAMiss() throws {
        func manifest(_ layout: String) -> L2NamespaceManifest {
            L2NamespaceManifest(modelName: "org/model", layoutSignature: layout, hashAlgorithm: "blake3")
        }
        let first = try self.medium()
        #expect(try first.bind(manifest("a")) == .written)
        #expect(try first.bind(manifest("a")) == .matches)
        let object = self.object(1, 100)
        #expect(first.store(object).isSuccess)
        let second = try self.medium()
        #expect(second.usage().objectCount == 1)
        #expect(try second.bind(manifest("b")) == .conflicts)
        #expect(second.load(object) == .miss(.otherLayout))
        #expect(second.store(object) == .miss(.otherLayout))
        #expect(second.lookup(L2Probe(key: object.key, byteCount: 100)) == .miss(.otherLayout))
        #expect(try second.bind(manifest("a")) == .matches)
        #expect(second.load(object).isSuccess)
    }
}
