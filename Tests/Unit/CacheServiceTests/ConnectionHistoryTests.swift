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
        #expect(!history.takeNotice(for: self.connection))
    }

    @Test func aReturnedClientIsToldOnce() {
        var history = ConnectionHistory()
        history.requestArrived(on: self.connection, uid: RequestUID.encode(41))
        #expect(history.takeNotice(for: self.connection))
        #expect(!history.takeNotice(for: self.connection))
        history.requestArrived(on: self.connection, uid: RequestUID.encode(42))
        #expect(!history.takeNotice(for: self.connection))
    }

    @Test func aUIDThatIsNoNumberIsAFreshClient() {
        var history = ConnectionHistory()
        history.requestArrived(on: self.connection, uid: [0xC1, 0x00])
        #expect(!history.takeNotice(for: self.connection))
    }

    @Test func nothingIsKeptOfAClosedConnection() {
        var history = ConnectionHistory()
        history.requestArrived(on: self.connection, uid: RequestUID.encode(3))
        history.connectionClosed(self.connection)
        #expect(history.count == 0)
        #expect(!history.takeNotice(for: self.connection))
    }
}
