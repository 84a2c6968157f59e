// lmcache · SPDX-License-Identifier: Apache-2.0

package import Logging
import Synchronization

/// Levels of all loggers of the process by name, changeable while they log. Any thread.
package final class LogLevels: Sendable {
    /// The level of one name, shared by every logger with that name.
    package final class Cell: Sendable {
        private let code: Atomic<UInt8>

        init(_ level: Logger.Level) { self.code = Atomic(Self.code(of: level)) }

        package var level: Logger.Level {
            get {
                let code = Int(self.code.load(ordering: .relaxed))
                return Logger.Level.allCases.indices.contains(code) ? Logger.Level.allCases[code] : .info
            }
            set { self.code.store(Self.code(of: newValue), ordering: .relaxed) }
        }

        private static func code(of level: Logger.Level) -> UInt8 {
            UInt8(truncatingIfNeeded: Logger.Level.allCases.firstIndex(of: level) ?? 0)
        }
    }

    private let cells = Mutex<[String: Cell]>([:])
    /// The level of names that were never set.
    package let initial: Logger.Level

    package init(initial: Logger.Level) { self.initial = initial }

    /// The shared level of `name`, made at the initial level when new.
    package func cell(_ name: String) -> Cell {
        self.cells.withLock { cells in
            if let cell = cells[name] { return cell }
            let cell = Cell(self.initial)
            cells[name] = cell
            return cell
        }
    }

    /// Every known name with its level, ordered by name.
    package func all() -> [(name: String, level: Logger.Level)] {
        self.cells.withLock { $0.map { (name: $0.key, level: $0.value.level) } }.sorted { $0.name < $1.name }
    }

    /// Whether a logger with this name exists.
    package func contains(_ name: String) -> Bool { self.cells.withLock { $0[name] != nil } }
}
