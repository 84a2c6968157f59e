// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol

/// Decodes arbitrary payloads as a request and as a reply, and stops the process when a decoded value does not survive
/// encoding.
///
/// Input: one byte that picks the operation, then frames, each after its length in two bytes, little-endian; a length
/// beyond the input takes what is left.
public func fuzzOperations(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    let operation = CacheOperation.allCases[Int(first) % CacheOperation.allCases.count]
    let frames = splitFrames(bytes.dropFirst())
    checkRequest(operation.requestType, frames)
    checkReply(operation.replyType, frames.first)
    _ = RequestFrames(frames)
    _ = ReplyFrames(frames)
    if let frame = frames.first {
        _ = CacheOperation.decode(frame: frame)
        precondition(EventHandle(bytes: frame).bytes == frame, "an event handle changed on its way")
    }
}

private func splitFrames(_ bytes: ArraySlice<UInt8>) -> [[UInt8]] {
    var rest = bytes
    var frames: [[UInt8]] = []
    while rest.count >= 2 {
        let length = Int(rest[rest.startIndex]) | Int(rest[rest.startIndex + 1]) << 8
        rest = rest.dropFirst(2)
        frames.append(Array(rest.prefix(length)))
        rest = rest.dropFirst(length)
    }
    return frames
}

private func checkRequest<Request: OperationRequest>(_ type: Request.Type, _ frames: [[UInt8]]) {
    do {
        let request = try Request(payloads: frames)
        precondition((try? Request(payloads: request.encodedPayloads())) == request, "a request changed on its way")
    } catch {
        precondition(error.description.utf8.count < 1 << 20, "an error grew beyond reason")
    }
}

private func checkReply<Reply: OperationReply>(_ type: Reply.Type, _ frame: [UInt8]?) {
    guard let reply = try? Reply(frame: frame) else { return }
    precondition((try? Reply(frame: reply.encoded())) == reply, "a reply changed on its way")
}
