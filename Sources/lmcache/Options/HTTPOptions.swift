// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EngineKit

private let defaults = HTTPSettings()

/// Flags of the HTTP front end.
struct HTTPOptions: ParsableArguments {
    @Option(name: .customLong("http-host"), help: "Bind host of the HTTP front end, which has no authentication.")
    var host = defaults.host

    @Option(
        name: .customLong("http-port"),
        help: .given("Bind port of the HTTP front end.", "n", default: defaults.port),
        transform: Accepted.integer(SettingLimits.port)
    )
    var port = defaults.port

    func apply(to configuration: inout ServerConfiguration) {
        configuration.http.host = self.host
        configuration.http.port = self.port
    }
}
