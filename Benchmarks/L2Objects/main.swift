// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import KVModel
import L2FileSystem
import L2RESP
import L2S3
import L2Storage
import Telemetry

/// Moves the objects of a folder to or from one second tier, for runs against LMCache 0.5.6 (lmcache_peers/l2_interop.py).
///
///     lmcache-l2-objects store|load|lookup|delete|probe ADAPTER-JSON FOLDER
///
/// `probe` prints how long the adapter took to start, its memory, and the medians of lookups one by one and all at once.
/// `FOLDER/keys.json` is a list of `{"model", "rank", "group", "hash", "salt", "file", "size"}`. A store reads each file
/// and a load writes it. Prints one line for each key: its file's name and how it ended.
struct ObjectMover {
    struct Entry {
        let key: ObjectKey
        let path: String
        let name: String
        let size: Int
    }

    struct Problem: Error, CustomStringConvertible {
        let description: String
    }

    static func run(_ arguments: [String]) throws {
        guard arguments.count == 4 else {
            throw Problem(description: "usage: lmcache-l2-objects store|load|lookup|delete|probe ADAPTER-JSON FOLDER")
        }
        let entries = try Self.entries(in: arguments[3])
        let clock = MonotonicL2Clock()
        var began = clock.now()
        let adapter = try Self.adapter(arguments[2])
        if arguments[1] == "probe" {
            print("started_us \((clock.now().nanoseconds - began.nanoseconds) / 1000)")
            return Self.probe(adapter, entries, clock)
        }
        began = clock.now()
        let results: [L2Result]
        switch arguments[1] {
        case "store":
            let objects = try entries.map { entry in
                L2Object(key: entry.key, buffer: L2Buffer(copying: try Self.read(entry.path)))
            }
            began = clock.now()
            results = adapter.perform(.store(objects))
        case "load":
            let objects = entries.map { L2Object(key: $0.key, buffer: L2Buffer(byteCount: $0.size)) }
            began = clock.now()
            results = adapter.perform(.load(objects))
            Self.tell(began, clock.now(), entries)
            for (entry, (object, result)) in zip(entries, zip(objects, results)) where result.isSuccess {
                try Self.write(object.buffer, entry.path)
            }
        case "lookup": results = adapter.perform(.lookup(entries.map { L2Probe(key: $0.key, byteCount: $0.size) }))
        case "delete": results = adapter.perform(.delete(entries.map(\.key)))
        case let other: throw Problem(description: "unknown command '\(other)'")
        }
        if arguments[1] != "load" { Self.tell(began, clock.now(), entries) }
        for (entry, result) in zip(entries, results) { print("\(entry.name) \(Self.words(result))") }
        _ = adapter.close(milliseconds: 10_000)
    }

    /// Prints the adapter's size and the medians of its lookups.
    private static func probe(_ adapter: any L2Adapter, _ entries: [Entry], _ clock: MonotonicL2Clock) {
        let probes = entries.map { L2Probe(key: $0.key, byteCount: $0.size) }
        func median(_ batches: [[L2Probe]]) -> UInt64 {
            let times = batches.map { batch in
                let began = clock.now()
                _ = adapter.perform(.lookup(batch))
                return clock.now().nanoseconds - began.nanoseconds
            }
            return times.sorted()[times.count / 2]
        }
        let rounds = 0..<49
        let present = adapter.perform(.lookup(probes)).count { $0.isSuccess }
        print("objects \(adapter.usage().objectCount)")
        print("resident_kib \(Self.residentKiB())")
        print("present \(present)")
        print("one_lookup_ns \(median(rounds.prefix(9).flatMap { _ in probes.map { [$0] } }))")
        print("all_lookups_us \(median(rounds.map { _ in probes }) / 1000)")
        _ = adapter.close(milliseconds: 10_000)
    }

    /// Memory of this process that is in RAM, 0 when the system does not say.
    private static func residentKiB() -> Int {
        guard let status = try? Self.read("/proc/self/status") else { return 0 }
        let lines = String(decoding: status, as: UTF8.self).split(separator: "\n")
        let words = lines.first { $0.hasPrefix("VmRSS:") }?.split(separator: " ") ?? []
        return words.count > 1 ? Int(words[1]) ?? 0 : 0
    }

    /// Says how long the operation took.
    private static func tell(_ began: L2Instant, _ ended: L2Instant, _ entries: [Entry]) {
        let microseconds = max(1, (ended.nanoseconds - began.nanoseconds) / 1000)
        let bytes = entries.reduce(0) { $0 + $1.size }
        print("# \(entries.count) objects in \(microseconds) us, \(UInt64(bytes) / microseconds) MB/s")
    }

    private static func words(_ result: L2Result) -> String {
        switch result {
        case .done(let count): "done \(count)"
        case .present(let count): "present \(count)"
        case .miss(let miss): "miss \(miss)"
        case .failed(let failure): "failed \(failure.label)"
        }
    }

    private static func adapter(_ text: String) throws -> any L2Adapter {
        let types = FileSystemAdapter.types + RESPAdapter.types + S3Adapter.types
        let configuration = try L2AdapterConfiguration(try JSONParser.parse(Array(text.utf8)), types: types)
        let log = L2Log { line in print("# \(line)") }
        if RESPAdapter.types.contains(configuration.type) {
            return try RESPAdapter.make(configuration: configuration, environment: [:], log: log)
        }
        if S3Adapter.types.contains(configuration.type) {
            return try S3Adapter.make(configuration: configuration, environment: [:], log: log)
        }
        return try FileSystemAdapter.start(try FileSystemConfiguration(configuration))
    }

    private static func entries(in folder: String) throws -> [Entry] {
        guard case .array(let values) = try JSONParser.parse(try Self.read(folder + "/keys.json")) else {
            throw Problem(description: "keys.json is no list")
        }
        return try values.map { value in
            guard case .string(let model) = value["model"], case .integer(let rank) = value["rank"],
                case .integer(let group) = value["group"], case .string(let hash) = value["hash"],
                case .string(let salt) = value["salt"], case .string(let file) = value["file"],
                case .integer(let size) = value["size"], let chunkHash = Self.hash(hash), let rank = UInt32(exactly: rank)
            else { throw Problem(description: "a key is not understood: \(value.serialized())") }
            let key = ObjectKey(
                chunkHash: chunkHash, modelName: model, kvRank: KVRank(rawValue: rank), objectGroup: group,
                cacheSalt: salt)
            return Entry(key: key, path: folder + "/" + file, name: file, size: size)
        }
    }

    private static func hash(_ text: String) -> ChunkHash? {
        let digits = Array(text.utf8).compactMap { Int(String(UnicodeScalar($0)), radix: 16) }
        guard digits.count == 64 else { return nil }
        return ChunkHash(bytes: stride(from: 0, to: 64, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) })
    }

    private static func read(_ path: String) throws -> [UInt8] {
        guard let file = fopen(path, "r") else { throw Problem(description: "\(path) cannot be read") }
        defer { fclose(file) }
        var content: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = fread(&part, 1, part.count, file)
            if count == 0 { return content }
            content += part[..<count]
        }
    }

    private static func write(_ buffer: L2Buffer, _ path: String) throws {
        guard let file = fopen(path, "w") else { throw Problem(description: "\(path) cannot be written") }
        defer { fclose(file) }
        guard fwrite(buffer.bytes.baseAddress, 1, buffer.byteCount, file) == buffer.byteCount else {
            throw Problem(description: "\(path) cannot be written whole")
        }
    }
}

do {
    try ObjectMover.run(CommandLine.arguments)
} catch {
    print("error: \(error)")
    exit(1)
}
