// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

extension PickleMachine {
    private static let magicStream: [UInt8] = [
        0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e,
    ]
    private static let versionStream: [UInt8] = [0x80, 0x02, 0x4d, 0xe9, 0x03, 0x2e]
    private static let maximumRank = 8

    /// What REDUCE means for the names we accept.
    mutating func reduce() throws(PickleError) {
        guard case .tuple(let range) = try self.pop(), case .global(let global) = try self.pop() else {
            throw self.error("a call of something that is no name, or without a tuple")
        }
        let arguments = self.tupleElements[range]
        switch global {
        case .orderedDictionary:
            guard arguments.isEmpty else { throw self.error("OrderedDict with content") }
            self.stack.append(.dictionary)
        case .loadFromBytes:
            guard arguments.count == 1, case .bytes(let bytes)? = arguments.first else {
                throw self.error("_load_from_bytes needs one bytes object")
            }
            let storage = try self.readInner(bytes) { (machine) throws(PickleError) in try machine.storage() }
            self.stack.append(.storage(storage))
        case .rebuildTensor2, .rebuildTensor3:
            let tensor = try self.tensor(Array(arguments), hasType: global == .rebuildTensor3)
            self.stack.append(.tensor(self.tensors.count))
            self.tensors.append(tensor)
        case .storageClass, .elementType: throw self.error("a call of a class")
        }
    }

    /// `(storage, offset, size, stride, requires grad, hooks[, element type])`
    private func tensor(_ arguments: [PickleValue], hasType: Bool) throws(PickleError) -> PickledTensor {
        guard arguments.count == (hasType ? 7 : 6), case .storage(let storage) = arguments[0],
            case .integer(let offset) = arguments[1], case .boolean = arguments[4], case .dictionary = arguments[5]
        else { throw self.error("unexpected arguments of a tensor") }
        let type: ElementType
        if hasType {
            guard case .global(.elementType(let given)) = arguments[6] else {
                throw self.error("a tensor without dtype")
            }
            type = given
        } else {
            guard let given = storage.elementType else { throw self.error("an untyped storage without dtype") }
            type = given
        }
        let tensor = TensorDescription(
            elementType: type, shape: try self.integers(arguments[2]), stride: try self.integers(arguments[3]),
            storageOffset: offset)
        guard let span = tensor.byteSpan, span <= storage.bytes.count else {
            throw self.error("shape \(tensor.shape) with stride \(tensor.stride) does not fit its storage")
        }
        return PickledTensor(tensor: tensor, storage: storage.bytes)
    }

    private func integers(_ value: PickleValue) throws(PickleError) -> [Int] {
        guard case .tuple(let range) = value, range.count <= Self.maximumRank else {
            throw self.error("a shape or stride is no tuple of at most \(Self.maximumRank)")
        }
        var result: [Int] = []
        for element in self.tupleElements[range] {
            guard case .integer(let number) = element else { throw self.error("a shape or stride is no integer") }
            result.append(number)
        }
        return result
    }

    /// What BINPERSID means: `('storage', class, key, 'cpu', count, None)`.
    mutating func persistentID() throws(PickleError) {
        guard case .tuple(let range) = try self.pop(), range.count == 6 else {
            throw self.error("a persistent id is no tuple of six")
        }
        let parts = Array(self.tupleElements[range])
        guard case .text(let kind) = parts[0], self.matches(kind, "storage"),
            case .global(.storageClass(let type)) = parts[1], case .text(let key) = parts[2],
            case .text(let location) = parts[3], self.matches(location, "cpu"),
            case .integer(let count) = parts[4], count >= 0, case .none = parts[5]
        else { throw self.error("a persistent id that names no whole CPU storage") }
        self.stack.append(.storageKey(PickledStorageKey(elementType: type, key: key, count: count)))
    }

    private func matches(_ range: Range<Int>, _ text: String) -> Bool {
        self.input[range].elementsEqual(text.utf8)
    }

    /// The five parts of torch's legacy stream, with the bytes last.
    private mutating func storage() throws(PickleError) -> PickledStorage {
        for expected in [Self.magicStream, Self.versionStream] {
            guard self.input[try self.take(expected.count)].elementsEqual(expected) else {
                throw self.error("a storage does not start with torch's legacy header")
            }
        }
        guard case .dictionary = try self.runStream() else { throw self.error("no system information") }
        guard case .storageKey(let key) = try self.runStream() else { throw self.error("no storage") }
        guard case .list(let list) = try self.runStream(), self.lists[list].count == 1,
            case .text(let listed) = self.lists[list][0], self.input[listed].elementsEqual(self.input[key.key])
        else { throw self.error("the key list does not name the storage") }
        guard try self.integer(byteCount: 8) == key.count else { throw self.error("two different element counts") }
        let (size, overflowed) = key.count.multipliedReportingOverflow(by: key.elementType?.byteCount ?? 1)
        guard !overflowed else { throw self.error("a storage too large") }
        return PickledStorage(elementType: key.elementType, bytes: try self.take(size))
    }
}
