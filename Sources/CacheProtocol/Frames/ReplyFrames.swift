// lmcache · SPDX-License-Identifier: Apache-2.0

import MessagePack

/// The reply that stands for an error: an operation name that no request has.
///
/// Wire protocol §1.5.
package enum Refusal {
    package static let prefix = "error: "

    /// The operation frame that carries `reason`, shortened when very long.
    package static func operationFrame(reason: String) -> [UInt8] {
        var shortened = String(reason.prefix(ProtocolLimits.reasonByteCount))
        while shortened.utf8.count > ProtocolLimits.reasonByteCount { shortened.removeLast() }
        return encodedFrame { $0.write(Self.prefix + shortened) }
    }
}

/// One message from a server, taken apart by a client.
package struct ReplyFrames: Sendable, Equatable {
    package let uid: UInt64
    package let outcome: Outcome

    package enum Outcome: Sendable, Equatable {
        /// The value frame, or nil for a message without one.
        case value(CacheOperation, [UInt8]?)
        case refused(reason: String)
    }

    /// Takes a message's frames, or nil when they are no reply.
    ///
    /// Frames after the value are ignored.
    package init?(_ frames: [[UInt8]]) {
        guard frames.count >= 2, let uid = RequestUID.decode(frame: frames[0]) else { return nil }
        self.uid = uid
        if let operation = CacheOperation.decode(frame: frames[1]) {
            self.outcome = .value(operation, frames.count > 2 ? frames[2] : nil)
            return
        }
        var reader = MessagePackReader(frames[1])
        guard let text = try? reader.readString(), reader.remaining == 0 else { return nil }
        let reason = text.hasPrefix(Refusal.prefix) ? String(text.dropFirst(Refusal.prefix.count)) : text
        self.outcome = .refused(reason: reason)
    }
}
