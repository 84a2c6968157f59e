// lmcache · SPDX-License-Identifier: Apache-2.0

/// Parts that are started first to last and stopped last to first.
package struct StartOrder {
    /// One part.
    package struct Part {
        package let name: String
        package let start: () throws(StartError) -> Void
        package let stop: () -> Void

        package init(name: String, start: @escaping () throws(StartError) -> Void, stop: @escaping () -> Void) {
            self.name = name
            self.start = start
            self.stop = stop
        }
    }

    private let parts: [Part]
    private var startedCount = 0

    /// Nothing is started yet.
    package init(_ parts: [Part]) { self.parts = parts }

    /// Names of the parts that run, in order of start.
    package var running: [String] { self.parts[..<self.startedCount].map(\.name) }

    /// Starts all parts.
    ///
    /// When one fails, those before it are stopped again and its error is thrown.
    package mutating func start() throws(StartError) {
        while self.startedCount < self.parts.count {
            do {
                try self.parts[self.startedCount].start()
            } catch {
                self.stop()
                throw error
            }
            self.startedCount += 1
        }
    }

    /// Stops what runs, the youngest part first.
    package mutating func stop() {
        while self.startedCount > 0 {
            self.startedCount -= 1
            self.parts[self.startedCount].stop()
        }
    }
}
