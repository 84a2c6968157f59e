// lmcache · SPDX-License-Identifier: Apache-2.0

/// What ``Server`` starts and stops.
///
/// ``LiveParts`` are the real ones; tests record the calls.
///
/// All methods are called by one thread, each start at most once, each stop only after its start.
package protocol ServerParts: AnyObject, Sendable {
    /// Maps the pool and builds engine and service. Nothing listens yet.
    func startEngine() throws(StartError)

    /// Binds the request endpoints and serves them.
    ///
    /// - Returns: The endpoints with their real ports.
    func startRequests(on endpoints: [String]) throws(StartError) -> [String]

    /// Serves HTTP; returns once it accepts connections.
    ///
    /// - Returns: The real port.
    func startAdministration(on address: SocketAddress) throws(StartError) -> Int

    /// Refuses new transfers and waits until those in flight are answered, at most this long.
    func drain(milliseconds: Int)

    func stopAdministration()
    func stopRequests()
    /// Releases the pool and removes its segment.
    func stopEngine()
}
