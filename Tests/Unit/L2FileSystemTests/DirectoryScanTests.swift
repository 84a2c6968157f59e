// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import KVModel
import L2Conformance
import L2FileSystem
import L2Storage
import Testing

@Suite struct DirectoryScanTests {
    /// Names as a directory of a million objects would give them, without the disk.
    private struct ManyFiles: FileCalls {
        let count: Int
        private let system = SystemFileCalls()

        init(count: Int) { self.count = count }

        func forEachName(in path: String, _ body: (UnsafeRawBufferPointer) -> Void) throws(FileCallError) {
            for number in 0..<self.count {
                let key = L2ConformanceSuite.key(UInt64(number), salt: number.isMultiple(of: 3) ? "a" : "")
                let name = FileKeyName.spelled(key) ?? ""
                Array(name.utf8).withUnsafeBytes { body($0) }
            }
        }

        func status(at path: String) throws(FileCallError) -> FileStatus {
            throw FileCallError(call: "lstat", code: ENOENT)
        }

        /// The time of change is the name's number, by which the scan is to put them in order.
        func status(ofName name: UnsafePointer<CChar>, in directory: Int32) throws(FileCallError) -> FileStatus {
            guard let key = FileKeyName.parsed(String(cString: name)) else {
                throw FileCallError(call: "fstatat", code: ENOENT)
            }
            return FileStatus(kind: .regular, byteCount: 10, changed: -Int(key.chunkHash.words.0 & 0xFFFF_FFFF))
        }

        func open(_ path: String, flags: Int32) throws(FileCallError) -> Int32 {
            try self.system.open("/", flags: flags)
        }
        func close(_ descriptor: Int32) throws(FileCallError) { try self.system.close(descriptor) }
        func status(of descriptor: Int32) throws(FileCallError) -> FileStatus { try self.system.status(of: descriptor) }
        func read(
            _ descriptor: Int32, into area: UnsafeMutableRawBufferPointer, at offset: Int
        ) throws(FileCallError) -> Int { 0 }
        func write(
            _ descriptor: Int32, from area: UnsafeRawBufferPointer, at offset: Int
        ) throws(FileCallError) -> Int { 0 }
        func truncate(_ descriptor: Int32, to byteCount: Int) throws(FileCallError) {}
        func synchronize(_ descriptor: Int32) throws(FileCallError) {}
        func setChecksum(_ descriptor: Int32, _ checksum: UInt32) throws(FileCallError) {}
        func checksum(of descriptor: Int32) throws(FileCallError) -> UInt32? { nil }
        func rename(_ source: String, to destination: String) throws(FileCallError) {}
        func unlink(_ path: String) throws(FileCallError) {}
        func makeDirectory(_ path: String) throws(FileCallError) {}
        func now() -> Int { 0 }
        func draw() -> UInt64 { 1 }
    }

    /// More files than one batch of names holds: several threads look them up.
    @Test func putsTheFilesOfSeveralBatchesInTheOrderOfTheirAge() throws {
        let medium = try FileMedium(
            FileSystemConfiguration(kind: .native, basePath: "/nowhere"), calls: ManyFiles(count: 20_000))
        #expect(medium.usage().objectCount == 20_000)
        // The scan meets the youngest first.
        let oldest = medium.leastRecent(limit: 20_000).map { $0.chunkHash.words.0 }
        let isInOrder = oldest == Array((0..<20_000 as Range<UInt64>).reversed())
        #expect(isInOrder)
    }

    @Test func accountsForEveryFileOfALargeDirectory() throws {
        let medium = try FileMedium(
            FileSystemConfiguration(kind: .native, basePath: "/nowhere"), calls: ManyFiles(count: 3000))
        #expect(medium.usage().objectCount == 3000)
        #expect(medium.usage().bytesBySalt == ["": 20_000, "a": 10_000])
        var keys: Set<String> = []
        var query = L2ListQuery(limit: 500)
        repeat {
            let page = try medium.list(query).get()
            for key in page.keys { keys.insert("\(key)") }
            query.cursor = page.next
        } while query.cursor != nil
        #expect(keys.count == 3000)
    }
}
