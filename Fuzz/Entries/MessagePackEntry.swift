// lmcache · SPDX-License-Identifier: Apache-2.0

import MessagePack

/// Reads arbitrary bytes in every way the reader offers, and stops the process when two ways disagree.
public func fuzzMessagePack(_ bytes: [UInt8]) {
    let start = MessagePackReader(bytes)
    var whole = start
    if let value = try? whole.readValue() {
        var skipping = start
        precondition((try? skipping.skip()) != nil && skipping.offset == whole.offset, "skip and read differ")
        let encoded = value.encoded
        precondition(encoded.count <= max(bytes.count, 9 * bytes.count), "a value grew")
        var again = MessagePackReader(encoded)
        let reread = try? again.readValue()
        precondition(reread?.encoded == encoded && again.remaining == 0, "a value changed on its way")
        compareIntegers(value, start)
    }
    tryScalars(start)
}

/// The fast path for integers must read what the general path reads.
private func compareIntegers(_ value: MessagePackValue, _ start: MessagePackReader) {
    var reader = start
    guard case .array(let elements) = value else { return }
    guard let fast = try? reader.readUInt32Array() else { return }
    precondition(fast.map { .integer(Int64($0)) } == elements, "the fast path read other integers")
}

private func tryScalars(_ start: MessagePackReader) {
    attempt(start) { _ = try? $0.readNilIfPresent() }
    attempt(start) { _ = try? $0.readBoolean() }
    attempt(start) { _ = try? $0.readInteger(as: UInt8.self) }
    attempt(start) { _ = try? $0.readInteger(as: Int64.self) }
    attempt(start) { _ = try? $0.readDouble() }
    attempt(start) { _ = try? $0.readString() }
    attempt(start) { _ = try? $0.readBinary() }
    attempt(start) { _ = try? $0.readInt32Array() }
    attempt(start) { _ = try? $0.readIntArray() }
    attempt(start) { _ = try? $0.readRawValue() }
    attempt(start) { reader in
        guard var data = try? reader.readExtension().data else { return }
        _ = try? data.readValue()
        precondition(data.offset <= reader.offset, "an extension's reader left it")
    }
}

private func attempt(_ start: MessagePackReader, _ read: (inout MessagePackReader) -> Void) {
    var reader = start
    read(&reader)
    precondition(reader.offset >= start.offset && reader.remaining >= 0, "the reader left its frame")
}
