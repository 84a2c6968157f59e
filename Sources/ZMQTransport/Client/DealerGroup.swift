// lmcache · SPDX-License-Identifier: Apache-2.0

/// The I/O thread that several clients share. Lives as long as one of them.
package final class DealerGroup: Sendable {
    let context: ZMQContext

    /// Starts the thread.
    package init() throws(TransportError) { self.context = try ZMQContext() }
}
