// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// Why the engine refused a request. The text reaches the client or the log as it is.
package enum EngineError: Error, Equatable, CustomStringConvertible {
    /// The tensors cannot be laid out or opened.
    case registrationRefused(reason: String)
    /// The chunk size does not fit the worker's blocks.
    case unusableBlockSize(block: Int, chunk: Int)

    package var description: String {
        switch self {
        case .registrationRefused(let reason): "registration refused: \(reason)"
        case .unusableBlockSize(let block, let chunk):
            "registration refused: block_size \(block) does not divide the server's chunk size \(chunk)"
        }
    }
}
