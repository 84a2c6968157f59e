// lmcache · SPDX-License-Identifier: Apache-2.0

package import AdminHTTP
package import KVModel
package import ZMQTransport

/// What the cache gives to its two fronts, and what the start order asks of it.
package protocol EngineSide: AnyObject, Sendable {
    /// Takes the messages of the request server.
    var receiver: any MessageReceiver { get }

    /// Answers the HTTP front.
    var operations: any AdminOperations { get }

    /// Tells where replies go. Called once, before the first message arrives; `send` may be called by any thread.
    func connect(_ send: @escaping @Sendable (_ frames: [[UInt8]], _ connection: ConnectionID) -> Void)

    /// Refuses new transfers and waits until those in flight are answered, at most this long.
    func drain(milliseconds: Int)

    /// Ends all threads, closes the engines' memory, releases the pool. No message arrives any more.
    func stop()
}
