// lmcache · SPDX-License-Identifier: Apache-2.0

/// What was measured of one server.
struct ServerFigures {
    struct Filled {
        let objectCount: Int
        let bytes: Int
    }

    var starts = LatencySeries()
    var idleBytes: Int?
    var noop = LatencySeries()
    var ping = LatencySeries()
    var hit = LatencySeries()
    /// The same lookups up to the reply to the end of their sessions.
    var hitSession = LatencySeries()
    var miss = LatencySeries()
    var pingUnderLoad = LatencySeries()
    var lookupsPerSecond: Double?
    var filled: Filled?
}

/// Durations of copies of one chunk.
struct CopyFigures {
    let byteCount: Int
    var plain = LatencySeries()
    var gather = LatencySeries()
    var scatter = LatencySeries()

    init(byteCount: Int) { self.byteCount = byteCount }
}
