// lmcache · SPDX-License-Identifier: Apache-2.0

import L2Storage
import Testing

@Suite struct L2BreakerTests {
    private func at(_ milliseconds: UInt64) -> L2Instant {
        L2Instant(nanoseconds: 0).advanced(milliseconds: milliseconds)
    }

    private func breaker() -> L2Breaker {
        var settings = L2Breaker.Settings()
        settings.failureLimit = 3
        settings.pauseMilliseconds = 100
        settings.longestPauseMilliseconds = 250
        return L2Breaker(settings)
    }

    @Test func opensAfterFailuresInARowOnly() {
        var breaker = self.breaker()
        for _ in 0..<2 { breaker.failed(now: self.at(0)) }
        breaker.succeeded()
        for _ in 0..<2 { breaker.failed(now: self.at(0)) }
        #expect(breaker.request(now: self.at(0)) == .pass)
        breaker.failed(now: self.at(1))
        #expect(breaker.state == .open(until: self.at(101)))
        #expect(breaker.request(now: self.at(100)) == .refuse)
    }

    @Test func letsOneProbePassAndClosesOnItsSuccess() {
        var breaker = self.breaker()
        for _ in 0..<3 { breaker.failed(now: self.at(0)) }
        breaker.succeeded()
        #expect(breaker.request(now: self.at(100)) == .probe)
        #expect(breaker.request(now: self.at(100)) == .refuse)
        breaker.succeeded()
        #expect(breaker.state == .closed)
        #expect(breaker.request(now: self.at(100)) == .pass)
        #expect(breaker.openings == 1)
    }

    @Test func doublesThePauseUpToItsLimitAndForgetsItOnSuccess() {
        var breaker = self.breaker()
        for _ in 0..<3 { breaker.failed(now: self.at(0)) }
        #expect(breaker.request(now: self.at(100)) == .probe)
        breaker.failed(now: self.at(100))
        #expect(breaker.state == .open(until: self.at(300)))
        #expect(breaker.request(now: self.at(300)) == .probe)
        breaker.failed(now: self.at(300))
        #expect(breaker.state == .open(until: self.at(550)))
        #expect(breaker.request(now: self.at(550)) == .probe)
        breaker.succeeded()
        for _ in 0..<3 { breaker.failed(now: self.at(1000)) }
        #expect(breaker.state == .open(until: self.at(1100)))
    }

    @Test func aProbeWithoutAnAnswerMakesRoomForAnother() {
        var breaker = self.breaker()
        for _ in 0..<3 { breaker.failed(now: self.at(0)) }
        #expect(breaker.request(now: self.at(100)) == .probe)
        #expect(breaker.request(now: self.at(349)) == .refuse)
        #expect(breaker.request(now: self.at(350)) == .probe)
    }
}
