// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import ServerKit

/// `timeout`, and launchers that pass signals on, deliver one request to end twice.
@Suite struct RepeatedSignalRegressionTests {
    @Test func aSignalThatIsDeliveredTwiceDoesNotCutTheShutdownShort() async {
        await #expect(processExitsWith: .exitCode(0)) {
            let signals = TerminationSignals()
            raise(SIGTERM)
            _ = signals.wait()
            raise(SIGTERM)
            raise(SIGINT)
            exit(0)
        }
    }
}
