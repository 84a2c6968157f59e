// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// The file names of `fs` and `fs_native`: `model@0xrank@group@hash[@salt].data`, with `-SEP-` for a model's slashes.
///
/// Source: storage reference §4.3, LMCache 0.5.6.
package enum FileKeyName {
    package static let suffix = ".data"
    static let slash = "-SEP-"

    /// Longest file name that Linux file systems take, in bytes.
    static let lengthLimit = 255

    /// The key's file name, or nil when it has none.
    ///
    /// A model whose own name contains `-SEP-` has none either: its files could not be told from those of the model
    /// with slashes there. Neither have keys with characters that the original refuses, or names that are too long.
    package static func spelled(_ key: ObjectKey) -> String? {
        guard KeyFields.isSpellable(key), !Self.contains(key.modelName, Self.slash) else { return nil }
        let model = key.modelName.utf8.contains(UInt8(ascii: "/")) ? Self.withoutSlashes(key.modelName) : key.modelName
        let fields = KeyFields(key: key)
        let name = "\(model)@0x\(fields.rankText)@\(fields.groupText)@\(key.chunkHash)"
        let whole = key.cacheSalt.isEmpty ? name + Self.suffix : "\(name)@\(key.cacheSalt)\(Self.suffix)"
        return whole.utf8.count <= Self.lengthLimit ? whole : nil
    }

    /// File name of a model's manifest, or nil when the model has none.
    package static func manifest(modelName: String) -> String? {
        let key = ObjectKey(
            chunkHash: ChunkHash(words: (0, 0, 0, 0)), modelName: modelName, kvRank: KVRank(rawValue: 0),
            objectGroup: 0, cacheSalt: "")
        guard KeyFields.isSpellable(key), !Self.contains(modelName, Self.slash) else { return nil }
        let name = "lmc-manifest-\(Self.withoutSlashes(modelName)).json"
        return name.utf8.count <= Self.lengthLimit ? name : nil
    }

    /// The key behind a file name, or nil for a file of another origin.
    package static func parsed(_ name: String) -> ObjectKey? {
        FileKeyFields.parsed(Array(name.utf8))?.key
    }

    static func withSlashes(_ text: String) -> String {
        Self.replaced(text, Array(Self.slash.utf8), Array("/".utf8))
    }

    private static func withoutSlashes(_ text: String) -> String {
        Self.replaced(text, Array("/".utf8), Array(Self.slash.utf8))
    }

    private static func contains(_ text: String, _ part: String) -> Bool {
        Self.replaced(text, Array(part.utf8), []) != text
    }

    private static func replaced(_ text: String, _ from: [UInt8], _ to: [UInt8]) -> String {
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var position = 0
        while position < bytes.count {
            if bytes[position...].starts(with: from) {
                result += to
                position += from.count
            } else {
                result.append(bytes[position])
                position += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

/// A file name taken apart, its texts still bytes: what a scan of a million names works with.
package struct FileKeyFields {
    /// The model as the file name spells it.
    package let model: ArraySlice<UInt8>
    package let salt: ArraySlice<UInt8>
    package let kvRank: KVRank
    package let objectGroup: Int
    package let chunkHash: ChunkHash

    /// Takes a name apart, or nil for a file of another origin.
    package static func parsed(_ name: [UInt8]) -> FileKeyFields? {
        let suffix = FileKeyName.suffix.utf8
        guard name.count > suffix.count, name.suffix(suffix.count).elementsEqual(suffix),
            let fields = KeyFields.parsed(name[..<(name.count - suffix.count)], rankPrefix: "0x")
        else { return nil }
        return FileKeyFields(
            model: fields.model, salt: fields.salt, kvRank: fields.kvRank, objectGroup: fields.objectGroup,
            chunkHash: fields.chunkHash)
    }

    /// Model and salt as they are in keys.
    package var texts: (modelName: String, cacheSalt: String)? {
        guard let model = String(validating: self.model, as: UTF8.self),
            let salt = String(validating: self.salt, as: UTF8.self)
        else { return nil }
        return (FileKeyName.withSlashes(model), salt)
    }

    /// The key, if the name is exactly the one that the key is stored under.
    package var key: ObjectKey? {
        guard let texts = self.texts else { return nil }
        let key = ObjectKey(
            chunkHash: self.chunkHash, modelName: texts.modelName, kvRank: self.kvRank, objectGroup: self.objectGroup,
            cacheSalt: texts.cacheSalt)
        return KeyFields.isSpellable(key) ? key : nil
    }
}
