// lmcache · SPDX-License-Identifier: Apache-2.0

import ZMQTransport

/// Pings a request server over ZeroMQ: `noop`, then `ping` without an instance.
enum RequestProbe {
    static let timeoutMilliseconds = 5_000

    /// MessagePack of the operations' numbers, of nil, and of the two answers.
    private static let noop: [UInt8] = [24]
    private static let ping: [UInt8] = [22]
    private static let null: [UInt8] = [0xC0]
    private static let okay: [UInt8] = [0xA2, 0x4F, 0x4B]
    private static let yes: [UInt8] = [0xC3]

    /// Two round trips; the time is that of the second, the ping.
    static func run(endpoint: String) -> ProbeResult {
        do throws(TransportError) {
            let client = try DealerClient(endpoint: endpoint)
            defer { client.close() }
            if let failure = try Self.ask(client, [Self.noop], operation: "noop", expected: Self.okay) {
                return ProbeResult(milliseconds: 0, failure: "\(endpoint): \(failure)")
            }
            return ProbeResult.timed {
                do throws(TransportError) {
                    return try Self.ask(client, [Self.ping, Self.null], operation: "ping", expected: Self.yes)
                } catch {
                    return error.description
                }
            }
        } catch {
            return ProbeResult(milliseconds: 0, failure: error.description)
        }
    }

    private static func ask(
        _ client: DealerClient,
        _ frames: [[UInt8]],
        operation: String,
        expected: [UInt8]
    ) throws(TransportError) -> String? {
        guard let reply = try client.request(frames, timeoutMilliseconds: Self.timeoutMilliseconds) else {
            return "no answer to \(operation) within \(Self.timeoutMilliseconds) ms"
        }
        guard reply.count >= 2, reply[1] == expected else { return "unexpected answer to \(operation)" }
        return nil
    }
}
