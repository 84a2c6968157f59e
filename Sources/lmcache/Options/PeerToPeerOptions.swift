// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EngineKit

private let defaults = PeerToPeerSettings()

/// Flags of peer-to-peer sharing, which is not built.
struct PeerToPeerOptions: ParsableArguments {
    @Option(name: .customLong("p2p-advertise-url"), help: "Refused: peer-to-peer sharing is not built.")
    var advertiseURL = defaults.advertiseURL

    @Option(name: .customLong("p2p-listen-url"), help: "Refused: peer-to-peer sharing is not built.")
    var listenURL = defaults.listenURL

    @Option(
        name: .customLong("p2p-lookup-timeout"),
        help: .given("No effect: peer-to-peer sharing is not built.", "x", default: defaults.lookupTimeout),
        transform: Accepted.number(above: SettingLimits.seconds)
    )
    var lookupTimeout = defaults.lookupTimeout

    @Option(
        name: .customLong("p2p-load-timeout"),
        help: .given("No effect: peer-to-peer sharing is not built.", "x", default: defaults.loadTimeout),
        transform: Accepted.number(above: SettingLimits.seconds)
    )
    var loadTimeout = defaults.loadTimeout

    @Option(name: .customLong("p2p-transfer-engine"), help: "No effect: peer-to-peer sharing is not built.")
    var transferEngine = defaults.transferEngine

    func apply(to configuration: inout ServerConfiguration) {
        configuration.requests.peerToPeer.advertiseURL = self.advertiseURL
        configuration.requests.peerToPeer.listenURL = self.listenURL
        configuration.requests.peerToPeer.lookupTimeout = self.lookupTimeout
        configuration.requests.peerToPeer.loadTimeout = self.loadTimeout
        configuration.requests.peerToPeer.transferEngine = self.transferEngine
    }
}
