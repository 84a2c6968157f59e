// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import ZMQTransport

/// One DEALER connection that waits for each reply.
final class CacheClient {
    let dealer: DealerClient

    /// - Parameter group: Clients of one group share an I/O thread.
    init(port: UInt16, group: DealerGroup? = nil) throws {
        self.dealer = try DealerClient(
            endpoint: "tcp://\(LoopbackSocket.host):\(port)", group: group, lingerMilliseconds: 0,
            sendTimeoutMilliseconds: 20_000)
    }

    deinit { self.dealer.close() }

    /// Sends a request and gives the value frame of its reply.
    @discardableResult
    func call(_ operation: CacheOperation, _ payloads: [[UInt8]]) throws -> [UInt8]? {
        try self.exchange([operation.encodedFrame()] + payloads, operation)
    }

    /// Sends frames made before and gives the value frame of the reply.
    @discardableResult
    func exchange(_ frames: [[UInt8]], _ operation: CacheOperation) throws -> [UInt8]? {
        guard let reply = try self.dealer.request(frames, timeoutMilliseconds: 60_000) else {
            throw BenchmarkError.noReply(operation: operation.rawValue)
        }
        return try replyValue(reply[...], operation)
    }
}

/// The value frame behind an operation frame.
func replyValue(_ frames: ArraySlice<[UInt8]>, _ operation: CacheOperation) throws -> [UInt8]? {
    guard let first = frames.first else { throw BenchmarkError.noReply(operation: operation.rawValue) }
    guard CacheOperation.decode(frame: first) == operation else {
        throw BenchmarkError.refused(operation: operation.rawValue, reason: String(decoding: first, as: UTF8.self))
    }
    return frames.dropFirst().first
}
