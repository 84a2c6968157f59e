// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import KVModel
import Testing

@testable import CacheService

@Suite struct ConnectionHistoryTests {
    let connection = ConnectionID(1)

    @Test func aFreshClientIsToldNothing() {
        var history = ConnectionHistory()
        history.requestArrived(on: self.connection, uid: RequestUID.encode(0))
        history.requestArrived(on: self.connection, uid: RequestUID.encode(7))
        let isTold = history.takeNotice(for: self.connection)
        #expect(!isTold)
    }

    @Test func aReturnedClientIsToldOnce() {
        var history = ConnectionHistory()
        history.requestArrived(on: self.connection, uid: RequestUID.encode(41))
        let isToldFirst = history.takeNotice(for: self.connection)
        #expect(isToldFirst)
        let isToldAgain = history.takeNotice(for: self.connection)
        #expect(!isToldAgain)
        history.requestArrived(on: self.connection, uid: RequestUID.encode(42))
        let isTold = history.takeNotice(for: self.connection)
        #expect(!isTold)
    }

    @Test func aUIDThatIsNoNumberIsAFreshClient() {
        var history = ConnectionHistory()
        history.requestArrived(on: self.connection, uid: [0xC1, 0x00])
        let isTold = history.takeNotice(for: self.connection)
        #expect(!isTold)
    }

    @Test func nothingIsKeptOfAClosedConnection() {
        var history = ConnectionHistory()
        history.requestArrived(on: self.connection, uid: RequestUID.encode(3))
        history.connectionClosed(self.connection)
        #expect(history.count == 0)
        let isTold = history.takeNotice(for: self.connection)
        #expect(!isTold)
    }
}
