// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// Takes what a ``RouterServer`` receives.
///
/// Every method runs on the server's control thread and holds up all clients until it returns.
package protocol MessageReceiver: AnyObject, Sendable {
    /// Called once for each message, in the order of arrival: true when it is served before the ones that wait.
    func arrived(_ message: InboundMessage) -> Bool
    /// Serves a message. The messages of one connection arrive in the order they were sent, urgent ones apart.
    func received(_ message: InboundMessage)
    /// The connection has ended and its last message was served. Called once for each connection that sent something.
    func connectionClosed(_ connection: ConnectionID)
    /// Called about every 100 ms, also while messages wait.
    func tick()
}
