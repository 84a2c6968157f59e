// lmcache · SPDX-License-Identifier: Apache-2.0

/// The HTTP front end (`http` in `/config`).
///
/// It has no authentication.
package struct HTTPSettings: Hashable, Sendable {
    package var host = "127.0.0.1"
    package var port = 8080

    package init() {}
}

/// The fleet coordinator (`coordinator` in `/config`); not built, all that turns it on is refused.
package struct CoordinatorSettings: Hashable, Sendable {
    /// How cache events would travel.
    package enum EventTransport: String, CaseIterable, Sendable {
        case http, kafka
    }

    package var url = ""
    package var advertiseIP = ""
    package var heartbeatInterval = 5.0
    package var isEventReportingEnabled = false
    package var eventFlushInterval = 1.0
    package var eventTransport = EventTransport.http
    package var kafkaBootstrapServers = ""
    package var kafkaTopic = "lmcache-cache-events"
    package var kafkaDeliveryTimeout = 300.0
    package var blendTimeout = 1.0
    package var blendMatchConcurrency = 8

    package init() {}
}
