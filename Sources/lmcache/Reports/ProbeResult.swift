// lmcache · SPDX-License-Identifier: Apache-2.0

/// What a ping found.
struct ProbeResult: Equatable {
    let milliseconds: Double
    /// Nil when all is well.
    let failure: String?

    var roundedMilliseconds: Double { Decimals.rounded(self.milliseconds, 2) }

    /// Times `body`, which returns a failure or nil.
    static func timed(_ body: () -> String?) -> ProbeResult {
        let start = ContinuousClock.now
        let failure = body()
        let elapsed = ContinuousClock.now - start
        return ProbeResult(milliseconds: elapsed / .milliseconds(1), failure: failure)
    }
}

/// Pings over HTTP.
enum HTTPProbe {
    /// One GET; anything but 200 is a failure.
    static func run(url: String, path: String) -> ProbeResult {
        ProbeResult.timed {
            do throws(HTTPFailure) {
                let response = try HTTPExchange.get(try HTTPURL(url), path: path)
                return response.status == 200 ? nil : "HTTP \(response.status): \(response.reason)"
            } catch {
                return error.description
            }
        }
    }
}
