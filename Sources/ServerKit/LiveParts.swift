// lmcache · SPDX-License-Identifier: Apache-2.0

package import EngineKit
package import Logging

/// The real parts of a server: engine and service, request server, HTTP front.
package final class LiveParts: ServerParts {
    private let configuration: ServerConfiguration
    private let log: Logger

    /// Nothing is built or bound yet.
    package init(configuration: ServerConfiguration, log: Logger) {
        self.configuration = configuration
        self.log = log
    }

    package func startEngine() throws(StartError) {
        throw .failed(part: "engine", reason: "this build has none")
    }

    package func startRequests(on endpoints: [String]) throws(StartError) -> [String] { endpoints }

    package func startAdministration(on address: SocketAddress) throws(StartError) -> Int { address.port }

    package func drain(milliseconds: Int) {}

    package func stopAdministration() {}

    package func stopRequests() {}

    package func stopEngine() {}
}
