// lmcache · SPDX-License-Identifier: Apache-2.0

internal import KVModel

/// Numbers for pairs of model and salt.
struct ObjectNamespaces: Sendable {
    private struct Texts: Hashable, Sendable {
        let modelName: String
        let cacheSalt: String
    }

    private struct Spelling: Hashable, Sendable {
        let model: [UInt8]
        let salt: [UInt8]
    }

    private var numbers: [Texts: UInt32] = [:]
    private var entries: [Texts] = []
    private var spellings: [Spelling: UInt32] = [:]
    /// The spelling seen last: files of one model come in long runs.
    private var last: (spelling: Spelling, number: UInt32)?

    subscript(number: UInt32) -> (modelName: String, cacheSalt: String) {
        let texts = self.entries[Int(number)]
        return (texts.modelName, texts.cacheSalt)
    }

    mutating func intern(modelName: String, cacheSalt: String) -> UInt32? {
        let texts = Texts(modelName: modelName, cacheSalt: cacheSalt)
        if let known = self.numbers[texts] { return known }
        guard let number = UInt32(exactly: self.entries.count) else { return nil }
        self.entries.append(texts)
        self.numbers[texts] = number
        return number
    }

    /// Nil when the file's name is not one that a key is spelled as.
    mutating func intern(_ fields: FileKeyFields) -> UInt32? {
        if let last = self.last, last.spelling.model.elementsEqual(fields.model),
            last.spelling.salt.elementsEqual(fields.salt)
        {
            return last.number
        }
        let spelling = Spelling(model: Array(fields.model), salt: Array(fields.salt))
        if let known = self.spellings[spelling] {
            self.last = (spelling, known)
            return known
        }
        guard let key = fields.key, let number = self.intern(modelName: key.modelName, cacheSalt: key.cacheSalt) else {
            return nil
        }
        self.spellings[spelling] = number
        self.last = (spelling, number)
        return number
    }
}
