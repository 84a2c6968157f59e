// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EngineKit

private let defaults = RequestServerSettings()

/// Flags about workers and sessions that fall silent.
struct LivenessOptions: ParsableArguments {
    @Option(
        help: .given(
            "Silence in seconds after which a worker that has pinged is dropped; 0 = never, else at least 30.",
            "x",
            default: defaults.workerReapTimeoutSeconds
        ),
        transform: Accepted.numberOrZero("0 (never) or a number of seconds from 30 on")
    )
    var workerReapTimeoutSeconds = defaults.workerReapTimeoutSeconds

    @Option(
        name: .customLong("session-ttl-seconds"),
        help: .given("Idle lifetime of a session in seconds.", "x", default: defaults.sessionTTLSeconds),
        transform: Accepted.number(above: SettingLimits.seconds)
    )
    var sessionTTLSeconds = defaults.sessionTTLSeconds

    @Option(
        help: .given(
            "Silence in seconds after which a worker that never pinged is dropped.",
            "x",
            default: defaults.workerRegistrationGraceSeconds
        ),
        transform: Accepted.number(above: SettingLimits.seconds)
    )
    var workerRegistrationGraceSeconds = defaults.workerRegistrationGraceSeconds

    func apply(to configuration: inout ServerConfiguration) {
        configuration.requests.workerReapTimeoutSeconds = self.workerReapTimeoutSeconds
        configuration.requests.sessionTTLSeconds = self.sessionTTLSeconds
        configuration.requests.workerRegistrationGraceSeconds = self.workerRegistrationGraceSeconds
    }
}
