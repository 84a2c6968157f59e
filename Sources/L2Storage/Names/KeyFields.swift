// lmcache · SPDX-License-Identifier: Apache-2.0

internal import KVModel

/// The fields of a spelled key, split at `@`.
struct KeyFields {
    let model: ArraySlice<UInt8>
    let salt: ArraySlice<UInt8>
    let kvRank: KVRank
    let objectGroup: Int
    let chunkHash: ChunkHash

    init(key: ObjectKey) {
        self.model = Array(key.modelName.utf8)[...]
        self.salt = Array(key.cacheSalt.utf8)[...]
        self.kvRank = key.kvRank
        self.objectGroup = key.objectGroup
        self.chunkHash = key.chunkHash
    }

    private init(
        model: ArraySlice<UInt8>, salt: ArraySlice<UInt8>, kvRank: KVRank, objectGroup: Int, chunkHash: ChunkHash
    ) {
        self.model = model
        self.salt = salt
        self.kvRank = kvRank
        self.objectGroup = objectGroup
        self.chunkHash = chunkHash
    }

    /// 8 lower-case hexadecimal digits.
    var rankText: String {
        let digits = String(self.kvRank.rawValue, radix: 16)
        return String(repeating: "0", count: max(0, 8 - digits.count)) + digits
    }

    var groupText: String { String(self.objectGroup, radix: 16) }

    /// Splits four fields, or five with a salt; nil for anything that no key is spelled like.
    static func parsed(_ bytes: ArraySlice<UInt8>, rankPrefix: StaticString) -> KeyFields? {
        var ends: [5 of Int] = [0, 0, 0, 0, 0]
        var count = 0
        for position in bytes.indices where bytes[position] == UInt8(ascii: "@") {
            guard count < 4 else { return nil }
            ends[count] = position
            count += 1
        }
        guard count == 3 || count == 4, ends[0] > bytes.startIndex else { return nil }
        ends[count] = bytes.endIndex
        count += 1
        func field(_ index: Int) -> ArraySlice<UInt8> { bytes[(ends[index - 1] + 1)..<ends[index]] }
        let salt = count == 5 ? field(4) : []
        let prefix = UnsafeBufferPointer(start: rankPrefix.utf8Start, count: rankPrefix.utf8CodeUnitCount)
        guard count == 4 || !salt.isEmpty, field(1).starts(with: prefix), field(1).count == prefix.count + 8,
            let rank = Self.number(field(1).dropFirst(prefix.count)), let rank = UInt32(exactly: rank),
            let group = Self.number(field(2)), field(2).count == 1 || field(2).first != UInt8(ascii: "0"),
            let hash = Self.hash(field(3))
        else { return nil }
        return KeyFields(
            model: bytes[bytes.startIndex..<ends[0]], salt: salt, kvRank: KVRank(rawValue: rank), objectGroup: group,
            chunkHash: hash)
    }

    /// The key with its texts; `rename` undoes what the medium does to model names.
    func key(_ rename: (String) -> String) -> ObjectKey? {
        guard let model = String(validating: self.model, as: UTF8.self),
            let salt = String(validating: self.salt, as: UTF8.self)
        else { return nil }
        let key = ObjectKey(
            chunkHash: self.chunkHash, modelName: rename(model), kvRank: self.kvRank, objectGroup: self.objectGroup,
            cacheSalt: salt)
        return Self.isSpellable(key) ? key : nil
    }

    /// No separator, no NUL and no path separator stands where it would change what the name means.
    static func isSpellable(_ key: ObjectKey) -> Bool {
        let (at, nul) = (UInt8(ascii: "@"), UInt8(0))
        let inSalt: [UInt8] = [at, nul, UInt8(ascii: "/"), UInt8(ascii: "\\")]
        return !key.modelName.isEmpty && key.objectGroup >= 0
            && !key.modelName.utf8.contains { $0 == at || $0 == nul }
            && !key.cacheSalt.utf8.contains { inSalt.contains($0) } && key.cacheSalt.unicodeScalars.count <= 128
    }

    /// A number in 1 to 15 lower-case hexadecimal digits.
    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard 1...15 ~= digits.count else { return nil }
        var value = 0
        for digit in digits {
            guard let one = Self.digit(digit) else { return nil }
            value = value << 4 | Int(one)
        }
        return value
    }

    private static func hash(_ digits: ArraySlice<UInt8>) -> ChunkHash? {
        guard digits.count == 2 * ChunkHash.byteCount else { return nil }
        var words: [4 of UInt64] = [0, 0, 0, 0]
        var position = 0
        for digit in digits {
            guard let one = Self.digit(digit) else { return nil }
            words[position >> 4] = words[position >> 4] << 4 | UInt64(one)
            position += 1
        }
        return ChunkHash(words: (words[0], words[1], words[2], words[3]))
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
