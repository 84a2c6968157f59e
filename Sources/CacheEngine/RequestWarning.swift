// lmcache · SPDX-License-Identifier: Apache-2.0

import Logging
import Synchronization
import Telemetry

/// Warnings that one request can cause, and thousands of requests a second as well.
enum RequestWarning: Hashable, Sendable {
    case noLayout, unknownWorker, refusedRange, refusedPlan, keysNotFound, failedTransfer, fullQueue, unknownPing
    case unknownUnregistration
}

extension CacheEngine {
    /// Logs what went wrong with a request, at most once a minute for each kind; the next line says how many were left
    /// out.
    func warn(_ kind: RequestWarning, _ text: @autoclosure () -> String) {
        let now = self.now
        guard case .write(let suppressed) = self.warnings.withLock({ $0.admit(kind, now: now) }) else { return }
        let more = suppressed > 0 ? " (and \(suppressed) more of this kind)" : ""
        self.logger.warning("\(text())\(more)")
    }
}
