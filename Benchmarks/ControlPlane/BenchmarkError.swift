// lmcache · SPDX-License-Identifier: Apache-2.0

/// Why the benchmark stopped.
enum BenchmarkError: Error, CustomStringConvertible {
    case system(call: String, code: Int32)
    case notStarted(server: String, log: String, reason: String)
    case noReply(operation: String)
    case refused(operation: String, reason: String)
    case unexpected(String)

    var description: String {
        switch self {
        case .system(let call, let code): "\(call) failed with errno \(code)"
        case .notStarted(let server, let log, let reason): "\(server) did not start: \(reason); its output is in \(log)"
        case .noReply(let operation): "no reply to \(operation)"
        case .refused(let operation, let reason): "\(operation) was refused: \(reason)"
        case .unexpected(let text): text
        }
    }
}
