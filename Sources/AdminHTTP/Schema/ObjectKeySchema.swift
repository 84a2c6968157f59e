// lmcache · SPDX-License-Identifier: Apache-2.0

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
