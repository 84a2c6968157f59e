// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Telemetry

/// The object key as JSON carries it: `chunk_hash_hex`, `model_name`, `kv_rank`, `object_group_id`, `cache_salt`.
enum ObjectKeySchema {
    /// What does not fit the schema.
    static func violations(_ key: JSONValue, position: Int) -> [SchemaViolation] {
        var reader = SchemaReader(key, location: ["body", "keys", .integer(position)])
        _ = reader.string("chunk_hash_hex", default: nil)
        _ = reader.string("model_name", default: nil)
        _ = reader.integer("kv_rank", default: nil)
        _ = reader.integer("object_group_id", default: 0)
        _ = reader.string("cache_salt", default: "")
        return reader.violations
    }

    /// What a key that fits the schema has wrong otherwise; nil when it is fine.
    static func flaw(_ key: JSONValue) -> String? {
        var reader = SchemaReader(key, location: [])
        let hash = reader.string("chunk_hash_hex", default: nil)
        let model = reader.string("model_name", default: nil)
        let group = reader.integer("object_group_id", default: 0)
        guard hash.utf8.count.isMultiple(of: 2), hash.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
            return "chunk_hash_hex must be hexadecimal digits in pairs"
        }
        if model.contains("@") { return "model_name must not contain '@'" }
        if group < 0 { return "object_group_id must be at least 0, got \(group)" }
        return SaltSchema.flaw(reader.string("cache_salt", default: ""))
    }

    /// The key without schema violation and flaw; nil when no object can have it, such as for a hash of another length.
    static func key(_ value: JSONValue) -> ObjectKey? {
        var reader = SchemaReader(value, location: [])
        guard let hash = ChunkHash(bytes: Self.bytes(reader.string("chunk_hash_hex", default: ""))),
            let rank = UInt32(exactly: reader.integer("kv_rank", default: 0))
        else { return nil }
        return ObjectKey(
            chunkHash: hash, modelName: reader.string("model_name", default: ""), kvRank: KVRank(rawValue: rank),
            objectGroup: reader.integer("object_group_id", default: 0),
            cacheSalt: reader.string("cache_salt", default: ""))
    }

    /// A key as lists show it.
    static func json(_ key: ObjectKey) -> JSONValue {
        [
            "chunk_hash_hex": .string(key.chunkHash.description), "model_name": .string(key.modelName),
            "kv_rank": .integer(Int(key.kvRank.rawValue)), "object_group_id": .integer(key.objectGroup),
            "cache_salt": .string(key.cacheSalt),
        ]
    }

    private static func bytes(_ hexadecimal: String) -> [UInt8] {
        let digits = hexadecimal.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}

/// The rules for cache salts.
enum SaltSchema {
    static let maximumLength = 128

    /// What is wrong with a salt; nil when it is fine.
    static func flaw(_ salt: String) -> String? {
        if salt.unicodeScalars.count > Self.maximumLength {
            return "cache_salt must be at most \(Self.maximumLength) characters"
        }
        if salt.contains(where: { "@/\\\0".contains($0) }) {
            return "cache_salt must not contain '@', '/', '\\' or NUL"
        }
        return nil
    }
}
