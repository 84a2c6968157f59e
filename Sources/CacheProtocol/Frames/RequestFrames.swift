// lmcache · SPDX-License-Identifier: Apache-2.0

/// What a client may say about a stream that it opened.
package enum StreamControl: String, Sendable, CaseIterable {
    /// One more batch may be sent.
    case ack
    case cancel
}

/// One message from a client, taken apart: `[uid, operation, payload…]`, wire protocol §1.2.
package enum RequestFrames: Sendable, Equatable {
    case request(Request)
    case streamControl(uid: [UInt8], StreamControl)
    /// Not a message of this protocol. There may be nothing to reply to.
    case unreadable(reason: String)

    /// A request before its payloads are decoded.
    package struct Request: Sendable, Equatable {
        /// Opaque; echoed in the reply.
        package let uid: [UInt8]
        /// As it arrived, in either spelling; echoed in the reply.
        package let operationFrame: [UInt8]
        /// Nil for an operation that this protocol does not have.
        package let operation: CacheOperation?
        package let payloads: [[UInt8]]

        package init(uid: [UInt8], operationFrame: [UInt8], payloads: [[UInt8]]) {
            self.uid = uid
            self.operationFrame = operationFrame
            self.operation = CacheOperation.decode(frame: operationFrame)
            self.payloads = payloads
        }

        /// The reply's frames.
        ///
        /// A nil value makes the message without a value.
        package func reply(_ value: [UInt8]?) -> [[UInt8]] {
            [self.uid, self.operationFrame] + (value.map { [$0] } ?? [])
        }

        /// The frames that make a 0.5.6 client raise an error with `reason` at once, instead of waiting.
        package func refusal(_ reason: String) -> [[UInt8]] {
            [self.uid, Refusal.operationFrame(reason: reason)]
        }
    }

    /// Takes a message's frames, without the identity that the transport removed.
    package init(_ frames: [[UInt8]]) {
        guard frames.count >= 2 else {
            self = .unreadable(reason: "\(frames.count) frames given, at least 2 accepted")
            return
        }
        guard frames[1].isEmpty else {
            let payloads = Array(frames[2...])
            self = .request(Request(uid: frames[0], operationFrame: frames[1], payloads: payloads))
            return
        }
        guard frames.count == 3, let control = StreamControl(rawValue: String(decoding: frames[2], as: UTF8.self))
        else {
            self = .unreadable(reason: "an empty operation without ack or cancel")
            return
        }
        self = .streamControl(uid: frames[0], control)
    }

    /// A request's frames as a client sends them.
    package static func encode(
        uid: UInt64,
        operation: CacheOperation,
        _ request: some OperationRequest
    ) -> [[UInt8]] {
        [RequestUID.encode(uid), operation.encodedFrame()] + request.encodedPayloads()
    }

    /// A stream control's frames as a client sends them.
    package static func encode(uid: UInt64, _ control: StreamControl) -> [[UInt8]] {
        [RequestUID.encode(uid), [], Array(control.rawValue.utf8)]
    }
}
