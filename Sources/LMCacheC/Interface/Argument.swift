// lmcache · SPDX-License-Identifier: Apache-2.0

import CLMCache
import InProcessConfiguration

/// Checks what a caller passed.
enum Argument {
    private static let documentLimit = 1 << 20
    private static let pathLimit = 107

    /// Where a reply goes.
    struct Reply {
        let bytes: UnsafeMutablePointer<UnsafeMutableRawPointer?>
        let length: UnsafeMutablePointer<Int>

        func set(_ frames: ArraySlice<[UInt8]>) throws(LibraryError) {
            let buffer = try MessageBuffer.buffer(frames)
            self.bytes.pointee = buffer.baseAddress
            self.length.pointee = buffer.count
        }
    }

    /// The configuration of a document.
    static func configuration(
        _ document: UnsafePointer<CChar>?, _ length: Int
    ) throws(LibraryError) -> InProcessConfiguration {
        guard document != nil || length == 0 else { throw LibraryError(.invalidArgument, "document is null") }
        guard (0...Self.documentLimit).contains(length) else {
            throw LibraryError(
                .invalidArgument, "document_length is \(length), accepted are at most \(Self.documentLimit) bytes")
        }
        let bytes = UnsafeRawBufferPointer(start: document, count: length)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw LibraryError(.invalidConfiguration, "the configuration document is not UTF-8")
        }
        do {
            return try InProcessConfiguration(document: text)
        } catch {
            throw LibraryError(.invalidConfiguration, error.description)
        }
    }

    /// The socket's path; nil for none.
    static func socketPath(_ path: UnsafePointer<CChar>?) throws(LibraryError) -> String? {
        guard let path else { return nil }
        guard let text = String(validatingCString: path), (1...Self.pathLimit).contains(text.utf8.count) else {
            throw LibraryError(.invalidArgument, "socket_path has to be 1 to \(Self.pathLimit) bytes of UTF-8")
        }
        return text
    }

    static func reply(
        _ bytes: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ length: UnsafeMutablePointer<Int>?
    ) throws(LibraryError) -> Reply {
        guard let bytes, let length else {
            throw LibraryError(.invalidArgument, "reply and reply_length must be set")
        }
        return Reply(bytes: bytes, length: length)
    }

    /// Every wait has a limit.
    static func milliseconds(_ timeout: Int64) throws(LibraryError) -> Int64 {
        guard timeout >= 0 else {
            throw LibraryError(.invalidArgument, "timeout_ms is \(timeout), accepted is 0 or more")
        }
        return timeout
    }

    static func frames(_ request: UnsafeRawPointer?, _ length: Int) throws(LibraryError) -> [[UInt8]] {
        guard let request else { throw LibraryError(.invalidArgument, "request is null") }
        guard length >= 0 else {
            throw LibraryError(.invalidArgument, "request_length is above \(Int.max)")
        }
        return try MessageBuffer.frames(UnsafeRawBufferPointer(start: request, count: length))
    }
}
