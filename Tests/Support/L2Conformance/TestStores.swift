// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import Synchronization
package import Testing

/// The real servers that `peers/start-stores` started for the tests, found by environment variables.
package enum TestStores {
    /// A variable's value, or nil when it is not set.
    package static func value(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    /// Runs a test only where the variables are set, or where nothing may be skipped, so that it then fails.
    package static func needs(_ names: String...) -> ConditionTrait {
        .enabled(
            if: Self.value("LMCACHE_NO_SKIPS") == "1" || names.allSatisfy { Self.value($0) != nil },
            "needs \(names.joined(separator: ", ")): peers/with-stores starts the servers")
    }

    /// A variable's `host:port`.
    package static func place(_ name: String) throws -> (host: String, port: UInt16) {
        let text = try #require(Self.value(name), "\(name) is not set: run the tests with peers/with-stores")
        let parts = text.split(separator: ":")
        let port = try #require(parts.last.flatMap { UInt16($0) })
        return (String(try #require(parts.first)), port)
    }

    /// A number that no other call in this process has got, from 1 on.
    package static func nextNumber() -> Int { Self.numbers.wrappingAdd(1, ordering: .relaxed).newValue }

    /// A Redis database that no other call has got, and hardly any other run.
    package static func freshDatabase() -> Int {
        Int((UInt64(Self.started) + UInt64(Self.nextNumber())) % Self.databases)
    }

    private static let databases: UInt64 = 60_000

    /// A name that no other run uses either.
    package static func freshName() -> String { "t\(getpid())-\(Self.started)-\(Self.nextNumber())" }

    private static let numbers = Atomic<Int>(0)
    private static let started = UInt32.random(in: 0 ... .max)
}
