// lmcache · SPDX-License-Identifier: Apache-2.0

/// Every setting of `lmcache server`, with LMCache's defaults except where a field says otherwise.
///
/// Source: `lmcache server --help` of LMCache 0.5.6. ``validate()`` tells what cannot be used.
package struct ServerConfiguration: Hashable, Sendable {
    /// Where registrations are kept for the next start.
    package enum RegistrationJournal: Hashable, Sendable {
        /// A file in `/dev/shm` named after user and port.
        case automatic
        case path(String)
        case disabled

        /// Reads the value of `--registration-journal`.
        package init(_ text: String) {
            switch text {
            case "": self = .automatic
            case "none": self = .disabled
            default: self = .path(text)
            }
        }
    }

    package var requests = RequestServerSettings()
    package var storage = StorageSettings()
    package var observability = ObservabilitySettings()
    package var http = HTTPSettings()
    package var coordinator = CoordinatorSettings()
    package var registrationJournal = RegistrationJournal.automatic

    package init() {}

    /// All endpoints of the request server, the one of `--host` and `--port` first.
    package var endpoints: [BindEndpoint] {
        [.tcp(host: self.requests.host, port: self.requests.port)] + self.requests.additionalEndpoints
    }

    /// Name of the pool's segment, or nil when engines cannot open it anyway.
    ///
    /// The port tells servers of one user apart; with port 0 the instance id does.
    package func segmentName(userID: UInt32) -> String? {
        if self.requests.isIsolatedIPC { return nil }
        if !self.requests.sharedMemoryName.isEmpty { return self.requests.sharedMemoryName }
        let server = self.requests.port == 0 ? self.requests.instanceID : String(self.requests.port)
        return server.map { "\(userID)_\($0)" }
    }

    /// Path of the registration journal, or nil when it is off.
    ///
    /// With port 0 there is nothing to find it by again.
    package func journalPath(userID: UInt32) -> String? {
        switch self.registrationJournal {
        case .disabled: nil
        case .path(let path): path
        case .automatic:
            self.requests.port == 0 ? nil : "/dev/shm/lmcache_registrations_\(userID)_\(self.requests.port)"
        }
    }
}
